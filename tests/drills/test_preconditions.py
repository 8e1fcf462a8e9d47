"""What must be so before anything is broken on purpose, each looked at by itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from defib.clock import Deadline
from defib.drillentries import PreconditionSeen
from defib.drills.blocking import AlarmSeen
from defib.drills.order import hindrance
from defib.drills.preconditions import allowed, healthy, no_incident, quiet
from defib.drills.proofs import read_drill
from defib.errors import SecretMissing, Unavailable
from defib.objectives import Mode
from defib.observe.killswitch import set_kill_switch
from defib.observe.outage import KnownOutage, note_outage
from defib.providers.blocking.memory import MemoryAlarms
from defib.ready.check import Check, Readiness, State
from tests.drills.drill_stage import DrillStage

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def stage(tmp_path: Path) -> DrillStage:
    """A quiet world with a blackout in its calendar."""
    more = "  blackouts:\n    - {first: 2026-01-05, last: 2026-01-06, why: stock-taking}\n  ignore: [quota]\n"
    return DrillStage(tmp_path, more=more)


def held_back(*seen: PreconditionSeen) -> list[str]:
    """What holds a drill back."""
    return [each.text for each in seen if each.holds_back]


def incident(stage: DrillStage) -> list[str]:
    """What of incidents holds a drill back now."""
    return held_back(*no_incident(stage.desk.home, stage.site, stage.clock.now()))


def found(*checks: tuple[str, State]) -> Readiness:
    """Readiness with these findings."""
    return Readiness("lab", NOW, tuple(Check(name, "x", state, "as it is") for name, state in checks))


def test_nothing_is_in_the_way(stage: DrillStage) -> None:
    """On a quiet day, and each look says what was seen."""
    seen = [
        *no_incident(stage.desk.home, stage.site, NOW),
        *allowed(stage.desk.home, stage.stage.site, NOW, by_schedule=True),
        *healthy(stage.stage.site, lambda: found(("users", State.OK), ("quota", State.WARN))),
    ]
    assert held_back(*seen) == []
    assert [(each.name, each.met, bool(each.text)) for each in seen] == [
        ("nothing under way", True, True),
        ("no outage", True, True),
        ("kill switch", True, True),
        ("no blackout", True, True),
        ("readiness", True, True),
    ]


def test_a_run_that_is_under_way(stage: DrillStage) -> None:
    """E9: beside it nothing is broken."""
    run = stage.stage.begin()
    (why,) = incident(stage)
    assert f"run {run.id}" in why
    assert why.endswith("is under way")


def test_a_run_of_an_incident_that_stopped_half_way(stage: DrillStage) -> None:
    """Its changes stand, and are somebody's to bring to an end. A rehearsal that was cut off is no incident."""
    stage.stage.recovered()
    assert incident(stage) == []
    site = stage.stage.site_path
    site.write_text(site.read_text(encoding="utf-8").replace("lab: true", "lab: false"), encoding="utf-8")
    run = stage.stage.begin(mode=Mode.INCIDENT)
    stage.stage.die()
    assert incident(stage) == []  # it has changed nothing
    assert run.mode is Mode.INCIDENT


def test_an_outage_that_is_watched(stage: DrillStage) -> None:
    """What ``defib watch`` sees now is an incident, whether or not anybody has begun to recover."""
    note_outage(stage.desk.home.path, stage.site, KnownOutage(NOW, NOW, NOW))
    assert incident(stage) == ["defib watch sees an outage since 00:00:00Z"]


def test_the_kill_switch_and_a_blackout_bind_schedules_alone(stage: DrillStage) -> None:
    """A person who drills by hand has decided; it is written down all the same."""
    set_kill_switch(stage.desk.home.path, who="ann", why="a change of contract", at=NOW, site=stage.site)
    day = datetime(2026, 1, 6, 12, tzinfo=UTC)
    seen = list(allowed(stage.desk.home, stage.stage.site, day, by_schedule=True))
    assert [text.partition(" since")[0] for text in held_back(*seen)] == [
        "the kill switch is on",
        "blackout until the end of 2026-01-06: stock-taking",
    ]
    by_hand = list(allowed(stage.desk.home, stage.stage.site, day, by_schedule=False))
    assert (held_back(*by_hand), [each.met for each in by_hand]) == ([], [False, False])


@pytest.mark.parametrize(
    ("name", "state", "held"),
    [
        ("users", State.FAIL, True),
        ("users", State.UNKNOWN, True),
        ("users", State.WARN, False),
        ("certificate", State.FAIL, True),
        ("credentials", State.UNKNOWN, False),
        ("quota", State.FAIL, False),
        ("proved", State.FAIL, False),
    ],
)
def test_findings_of_readiness(stage: DrillStage, name: str, state: State, held: bool) -> None:
    """What fails holds it back unless the file lets it pass; of users, steering and observers also what nobody can tell."""
    seen = list(healthy(stage.stage.site, lambda: found(("disk", State.OK), (name, state))))
    assert held_back(*seen) == ([f"{name} of x: as it is"] if held else [])


def test_alarms_of_the_owners(stage: DrillStage) -> None:
    """One that rings holds a drill back, and one that is not there, or that nobody can read, may be ringing."""
    within = Deadline.after(stage.clock, timedelta(seconds=20))
    alarms = MemoryAlarms(
        AlarmSeen("calm", quiet=True, text="it is OK"),
        AlarmSeen("loud", quiet=False, text="it is ALARM"),
        AlarmSeen("gone", quiet=None, text="there is no such alarm"),
    )
    silent = MemoryAlarms()
    silent.failures.schedule(Unavailable("no answer"))
    assert held_back(*quiet([alarms, silent], within)) == [
        "it is ALARM",
        "there is no such alarm",
        "memory does not tell: no answer",
    ]


def test_readiness_that_cannot_be_looked_at(stage: DrillStage) -> None:
    """Unknown is never taken for well."""

    def broken() -> Readiness:
        raise SecretMissing("a secret is missing")

    (seen,) = healthy(stage.stage.site, broken)
    assert (seen.met, seen.holds_back) == (None, True)


def test_a_look_that_fails_is_a_reason_of_its_own(stage: DrillStage) -> None:
    """Such as a secret that is missing: the drill has an end, and is skipped."""

    def look() -> Iterator[PreconditionSeen]:
        yield PreconditionSeen("one", met=True, text="yes")
        raise SecretMissing("a secret is missing")

    told = read_drill(stage.desk.home, stage.desk.home.run(stage.drill(order=replace(stage.order(), preconditions=look))))
    assert (told.reason, len(told.preconditions)) == ("skipped: it could not be looked at: a secret is missing", 2)


def test_every_look_is_in_the_journal(stage: DrillStage) -> None:
    """Also those that are not in the way, and those after the first that is."""
    from defib.drills.order import open_drill  # noqa: PLC0415
    from defib.runbook import load_runbook  # noqa: PLC0415

    seen = (
        PreconditionSeen("one", met=False, text="no"),
        PreconditionSeen("two", met=True, text="yes"),
        PreconditionSeen("three", met=None, text="who knows"),
    )
    order = stage.order("monthly", None, *seen)
    runbook = load_runbook("cdn-failover", stage.desk.runbooks)
    _, journal = open_drill(stage.desk, runbook, stage.stage.site, stage.stage.site_path, (), order)
    assert hindrance(journal, order) == "no; who knows"
    assert tuple(journal.of(PreconditionSeen)) == seen
