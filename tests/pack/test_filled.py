"""Runbooks with a site's own ids and commands: they read as before, and nothing in them is guessed."""

from __future__ import annotations

from pathlib import Path

import pytest

from defib.pack import records
from defib.pack.filled import fill, words_of
from defib.pack.values import FIXED, Values
from defib.runbook import Runbook, load_runbook, parse_runbook
from defib.sites.site import Site, load_site
from tests.stage import RUNBOOKS

PROCEDURES = sorted(path.stem for path in RUNBOOKS.glob("*.md"))
SITES = sorted(path.stem for path in (RUNBOOKS / "sites").glob("*.yaml"))


def site(name: str) -> Site:
    """One of the site files."""
    return load_site(RUNBOOKS / "sites" / f"{name}.yaml")


def runbook(procedure: str) -> Runbook:
    """One of the runbooks."""
    return load_runbook(procedure, RUNBOOKS)


@pytest.mark.parametrize("procedure", PROCEDURES)
def test_every_word_in_capitals_is_known(procedure: str) -> None:
    """Each stands for itself, is the site's, or is known to be told by the moment alone: a new one has to be decided on."""
    values = Values(site("pulse-trading"), procedure)
    unknown = {word for word in words_of(runbook(procedure).text) if word not in FIXED and not values.is_word(word)}
    assert unknown == set()


@pytest.mark.parametrize("procedure", PROCEDURES)
@pytest.mark.parametrize("name", SITES)
def test_a_filled_runbook_reads_as_one(name: str, procedure: str) -> None:
    """The same steps in the same order with the same promises, whatever the site has."""
    filled = parse_runbook(fill(runbook(procedure), site(name)).text, Path("filled.md"))
    promised = [(step.name, step.phase, step.plane, step.budget) for step in filled.steps]
    assert promised == [(step.name, step.phase, step.plane, step.budget) for step in runbook(procedure).steps]


@pytest.mark.parametrize("procedure", ["cdn-failover", "dns-switch", "aws-redeploy", "failback"])
def test_nothing_of_the_example_is_left(procedure: str) -> None:
    """The names that runbooks are written with are the example's; at another site they are that site's."""
    text = fill(runbook(procedure), site("lab")).text
    assert "pulse-trading.com" not in text
    assert "--site pulse-trading" not in text
    assert "https://www.pulse-trading.test:8443/" in text


def test_what_stands_for_one_thing_stands_in_its_place() -> None:
    """A person copies the command and runs it."""
    text = fill(runbook("cdn-failover"), site("pulse-trading")).text
    host = "www.pulse-trading.com.cdn.cloudflare.net"
    assert f"`curl -sS --connect-to www.pulse-trading.com:443:{host}:443 https://www.pulse-trading.com/`" in text
    assert "--hosted-zone-id Z0123456789EXAMPLE" in text
    assert f"--connect-to www.pulse-trading.com:443:{host}:443 https://www.pulse-trading.com/flutter_bootstrap.js`" in text
    assert "    ./defib plan cdn-failover --site pulse-trading\n" in text
    assert "…" not in text.partition("## warm-the-standby")[2].partition("## watch")[0]


def test_what_stands_for_several_is_told_for_each() -> None:
    """One command for every name server, below the step."""
    text = fill(runbook("cdn-failover"), site("lab")).text
    for number in range(1, 5):
        assert f"    dig +norecurse @127.77.5.{number} -p 5300 www.pulse-trading.test CNAME\n" in text


def test_what_cannot_be_filled_in_says_so() -> None:
    """What only the moment tells, and what the site has not, is left in its place and named, with the reason."""
    filled = fill(runbook("dns-switch"), site("pulse-trading"))
    assert set(filled.open["switch-the-records"]) == {"ZONE", "BUCKET", "KEY"}
    assert "- `BUCKET`: this site has no such thing" in filled.text
    assert "- `ETAG`: what the command before printed" in fill(runbook("aws-redeploy"), site("lab-aws")).text
    armed = fill(runbook("dns-switch"), site("lab-armed"))
    assert "put-object --bucket pulse-trading-switch --key users-go-to-the-backup" in armed.text


def test_batches_change_exactly_what_differs() -> None:
    """From each way to each other: what stands there is deleted, what stands here is created, and nothing else."""
    found = records.files(site("lab-aws"))
    batch = found["route53-pulse-trading-aws.test-vercel-to-aws.json"].decode()
    assert batch.count('"DELETE"') == batch.count('"CREATE"') == 2
    assert '"HostedZoneId": "Z2FDTNDATAQYW2"' in batch
    back = found["route53-pulse-trading-aws.test-aws-to-vercel.json"].decode()
    assert back.count("d3pulsetrading.cloudfront.net.") == batch.count("d3pulsetrading.cloudfront.net.")


def test_dynamic_updates_look_before_they_change() -> None:
    """A name server refuses the script where something else stands."""
    script = records.files(site("lab-rfc2136"))["rfc2136-pulse-trading-2136.test-cloudfront-to-netlify.txt"].decode()
    lines = script.splitlines()
    assert lines[-1] == "send"
    changed = {line.split()[2] for line in lines if line.startswith("update")}
    assert changed == {line.split()[2] for line in lines if line.startswith("prereq")}
