"""Each step says what it cannot be done without, and the step that acts says whose control plane."""

from __future__ import annotations

from datetime import timedelta

import pytest

from defib.objectives import Phase, Plane
from defib.plan import Change, Plan
from defib.planes import needs, needs_of_all
from defib.ports import RecordChange, RecordKey, RecordSet
from defib.runbook import Runbook, RunbookStep, load_runbook
from defib.sites.site import Site, load_site
from defib.users.ways import PRIMARY, SECONDARY, SWITCH
from tests.stage import LAB, RUNBOOKS

SWITCHED = "data: Amazon S3 in us-east-1 (the switch), no Route 53 control plane"
ROUTE53 = "control: Amazon Route 53's API, us-east-1"


def site(name: str) -> Site:
    """A site of the lab."""
    return load_site(RUNBOOKS / "sites" / f"{name}.yaml")


def runbook(procedure: str = "dns-switch") -> Runbook:
    """A runbook as it is."""
    return load_runbook(procedure, RUNBOOKS)


def acting(of: Runbook) -> RunbookStep:
    """The step that makes the changes."""
    (step,) = (step for step in of.steps if step.phase is Phase.ACT)
    return step


def plan(vendor: str, name: str, kind: str = "A", before: str = "192.0.2.1", after: str = "192.0.2.2") -> Plan:
    """A plan of one change."""
    key = RecordKey(name, kind)
    sides = (RecordSet(key, timedelta(seconds=60), (value,)) for value in (before, after))
    return Plan("dns-switch", "lab", (Change(vendor, "Z1", (RecordChange(*sides),), "send users away"),))


@pytest.mark.parametrize(
    ("name", "needed"),
    [
        ("lab", ROUTE53),
        ("lab-cloudflare", "control: Cloudflare's API"),
        ("lab-rfc2136", "control: the zone's own primary name server 127.77.5.11"),
    ],
)
def test_the_acting_step_names_whose_control_plane(name: str, needed: str) -> None:
    """Whoever holds the zone has to take the change."""
    book = runbook("cdn-failover")
    assert needed == needs(site(name), book, acting(book))


def test_two_vendors_are_both_needed() -> None:
    """A zone held by two vendors is changed at both, so both control planes are needed."""
    at = site("lab-two-dns")
    told = needs(at, runbook(), acting(runbook()))
    assert told.startswith(f"{ROUTE53}; control: the zone's own primary name server 127.")


def test_a_switch_is_data_plane_whatever_the_runbook_says() -> None:
    """The pre-armed switch is labelled as what it is, though the step of the runbook says control."""
    at, step = site("lab-armed"), acting(runbook())
    assert step.plane is Plane.CONTROL
    turned = plan("s3-switch", "www.pulse-trading-armed.test.", SWITCH, PRIMARY, SECONDARY)
    assert needs(at, runbook(), step, turned) == SWITCHED


def test_only_what_the_plan_changes_is_needed() -> None:
    """Vendors of the site that the plan leaves alone need not be up."""
    at = site("lab-armed")
    written = plan("route53", "www.pulse-trading-armed.test.")
    assert needs(at, runbook(), acting(runbook()), written) == ROUTE53
    assert needs(at, runbook(), acting(runbook())) == f"{ROUTE53}; {SWITCHED}"


def test_nothing_to_change_needs_nothing() -> None:
    """An empty plan says so instead of naming a vendor."""
    empty = Plan("dns-switch", "lab", ())
    assert needs(site("lab"), runbook(), acting(runbook()), empty) == "nothing: there is nothing to change"


@pytest.mark.parametrize("procedure", ["cdn-failover", "dns-switch", "failback"])
def test_every_other_step_needs_no_vendor(procedure: str) -> None:
    """Looking, deciding and verifying need what users have, and a person; the plane of the runbook comes first."""
    book = runbook(procedure)
    told = dict(needs_of_all(site("lab"), book))
    assert list(told) == list(book.steps)
    for step, needed in told.items():
        if step.phase is not Phase.ACT:
            assert needed.startswith(f"{step.plane}: ")
            assert "API" not in needed


def test_a_step_that_asks_the_vendors_beforehand_names_them() -> None:
    """Another step of plane control needs the APIs of the places that the procedure is about."""
    step = RunbookStep("ask-the-hosts", Phase.DECIDE, Plane.CONTROL, timedelta(minutes=1), "Ask.", 1)
    assert needs(site("lab"), runbook(), step) == "control: Vercel's API, Netlify's API, Amazon CloudFront's API, us-east-1"
    assert needs(site("lab"), runbook("failback"), step) == "control: a vendor that the runbook names"


@pytest.mark.parametrize(
    ("procedure", "step", "needed"),
    [
        ("replication-check", "compare-the-versions", "data: Amazon S3 in us-east-1, eu-west-1"),
        ("replication-repair", "copy-the-objects", "data: Amazon S3 in us-east-1, eu-west-1"),
        ("git-mirror", "send-what-is-new", "control: Git at github, gitlab"),
    ],
)
def test_copies_need_nobodys_dns(procedure: str, step: str, needed: str) -> None:
    """What is about code or assets is reached by their own vendors, and says so."""
    runbook = load_runbook(procedure, RUNBOOKS)
    assert needs(load_site(LAB), runbook, runbook.step(step)) == needed
