"""The last lines on the terminal: how it ended, what that means, what to do next."""

from __future__ import annotations

from pathlib import Path

import pytest

from defib.errors import Unavailable
from defib.report.summary import next_commands, summary
from defib.run import Run
from defib.timeline import Timeline, timeline
from tests.flows.dns_switch_stage import two_providers, world
from tests.stage import REFUSED, START, Stage, seconds


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """A world whose primary CDN refuses."""
    made = Stage(tmp_path)
    made.edges["cloudfront"] = REFUSED
    return made


def told(run: Run) -> Timeline:
    """What its journal amounts to."""
    return timeline(run.journal.records)


def test_a_recovery(stage: Stage) -> None:
    """Status, outage with its ends, phases, recovery point, and the way back."""
    run, _ = stage.recover(since=START - seconds(5), down_at=START - seconds(2))
    lines = summary(told(run)).splitlines()
    assert lines[0] == "RECOVERED"
    assert lines[1].startswith("  RTO:      met  users were out ")
    assert lines[1].endswith(" of 4 h")
    assert lines[2].startswith("            23:59:55.000 to 00:00:0")
    assert lines[3].startswith("            detect 3 s, decide ")
    assert lines[4].startswith("  RPO:      met  0 s of 1 h: ")
    assert next_commands(told(run)) == (f"When the primary is well again: defib failback {run.id}",)


def test_an_outage_of_unknown_length(stage: Stage) -> None:
    """No figure is made up where nobody knows since when."""
    run, _ = stage.recover()
    assert "  RTO:      unknown  nobody knows since when users had no service" in summary(told(run))


def test_a_failback_never_promises_another(stage: Stage) -> None:
    """What was taken back cannot be taken back once more; users never lost service."""
    run, _ = stage.recover("failback", follows=stage.recovered().id)
    assert "  RTO:      met  users never lost service" in summary(told(run))
    assert next_commands(told(run)) == ()


def test_a_refusal(stage: Stage) -> None:
    """Why, where, expected, seen and next each have their line; nothing was changed, and nothing is to be resumed."""
    stage.edges["cloudfront"] = stage.edges["cloudflare"]
    run, _ = stage.recover()
    lines = summary(told(run)).splitlines()
    assert lines[:3] == ["REFUSED", "  step:     confirm-the-outage", lines[2]]
    assert lines[2].startswith("  why:      users are served")
    assert any(line.startswith("  next:     defib plan cdn-failover") for line in lines)
    assert lines[-1] == "  changed:  nothing"
    assert next_commands(told(run)) == ()


def test_an_interruption_with_a_change(stage: Stage) -> None:
    """The change that stands is named, and both ways out."""
    stage.clock.at(seconds(2), stage.clock.interrupt)
    run, outcome = stage.recover()
    assert outcome.status == "interrupted"
    lines = summary(told(run)).splitlines()
    assert lines[0] == "INTERRUPTED"
    assert lines[-1].endswith("www.pulse-trading.test. CNAME stands")
    assert not any(line.startswith("  next:") for line in lines)
    assert next_commands(told(run)) == (f"Next: defib resume {run.id}\nor:   defib rollback {run.id}",)


def test_a_rollback_after_a_recovery(stage: Stage) -> None:
    """Users were served until then; what they get now is not claimed."""
    run, _ = stage.recover()
    back, _ = stage.rollback(run.id)
    lines = summary(told(back)).splitlines()
    assert lines[0] == "ROLLED BACK"
    assert lines[2].startswith("  changed:  nothing that stands; put back: ")
    assert lines[3].endswith(" UTC until then; what they get now was not looked at")
    assert next_commands(told(back)) == ()


def test_a_split_state(tmp_path: Path) -> None:
    """D10: which names are changed where, and where not, whole: that is what a person has to put right."""
    stage = world(tmp_path, two_providers)
    stage.memories[1].failures.schedule(Unavailable("down"), calls=9, methods={"replace"})
    run, _ = stage.recover("dns-switch")
    halves = "users get one or the other by chance: www.pulse-trading.test. CNAME is changed at route53 and not at rfc2136; "
    line = f"  SPLIT:    SPLIT STATE, {halves}pulse-trading.test. A is changed at route53 and not at rfc2136"
    assert line in summary(told(run)).splitlines()
