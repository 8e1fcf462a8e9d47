"""``defib run dns-switch`` in the real lab where a DNS provider fails as well."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from defib.lab import process
from tests.conftest import Defib, LabMaker

NET = "127.90"


@pytest.fixture(scope="module")
def lab(make_lab: LabMaker) -> Defib:
    """A lab for this module."""
    return make_lab(NET)


@pytest.fixture(autouse=True)
def healed(lab: Defib) -> Iterator[None]:
    """Nothing stays broken."""
    yield
    process.heal(lab.home)


def run(lab: Defib, *more: str) -> tuple[str, ...]:
    """A rehearsal of dns-switch after `defib ready` has seen what users have, so that the recovery point can be read."""
    return ("run", "dns-switch", *more, "--mode", "rehearsal", "--no-prefect")


def test_the_switch_is_turned_while_route_53_takes_no_writes(lab: Defib) -> None:
    """D9: the control plane of Route 53 is down; the pre-armed switch in S3 sends the users to the backup."""
    lab("ready", "--site", "lab-armed", "--json")
    before = process.client(lab.home).fingerprint()
    process.break_(lab.home, "vercel", "refuse")
    process.break_(lab.home, "route53-api", "500")
    ended = lab(*run(lab, "--site", "lab-armed", "--json"))
    told = ended.json
    assert (told["status"], told["rpo"]["verdict"]) == ("recovered", "met")
    assert [change["target"].partition("/")[0] for change in told["changes"]] == ["s3-switch"]
    process.heal(lab.home)
    assert lab("failback", told["run_id"], "--mode", "rehearsal", "--no-prefect").code == 0
    assert process.client(lab.home).fingerprint() == before


def test_manual_steps_where_there_is_no_other_way(lab: Defib) -> None:
    """D9: without a switch, Route 53's silence ends the run, and what a person does instead is printed."""
    lab("ready", "--site", "lab", "--json")
    process.break_(lab.home, "vercel", "refuse")
    process.break_(lab.home, "route53-api", "500")
    ended = lab(*run(lab, "--site", "lab"))
    process.heal(lab.home)
    assert ended.code == 1
    assert "By hand (dns-switch.md):" in ended.out
    assert "aws route53 change-resource-record-sets" in ended.out


def test_a_split_state_is_shouted_and_finished(lab: Defib) -> None:
    """D10: the second provider says yes and does nothing: split, said loudly, not zero; healed, `resume` finishes it."""
    lab("ready", "--site", "lab-two-dns", "--json")
    before = process.client(lab.home).fingerprint()
    process.break_(lab.home, "vercel", "refuse")
    process.break_(lab.home, "rfc2136", "lying")
    ended = lab(*run(lab, "--site", "lab-two-dns"))
    assert ended.code == 1
    assert "SPLIT STATE, users get one or the other by chance" in ended.out
    run_id = lab("runs", "--json").json["runs"][-1]["run_id"]
    assert f"defib resume {run_id}" in ended.out
    process.heal(lab.home, "rfc2136")
    resumed = lab("resume", run_id, "--json", "--no-prefect")
    assert (resumed.code, resumed.json["status"]) in {(0, "recovered"), (6, "recovered")}
    process.heal(lab.home)
    assert lab("failback", run_id, "--mode", "rehearsal", "--no-prefect").code == 0
    assert process.client(lab.home).fingerprint() == before
