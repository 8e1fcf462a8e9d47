"""A run counts the voices that detection counted: monitors and signals beside observers that see the site down."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from defib import entries
from defib.monitor import Word
from defib.objectives import Status
from defib.observe.memory import Sight
from defib.ports import Aim, Health
from tests.stage import REFUSED, Stage


class Told:
    """Monitors whose words are these."""

    def __init__(self, *words: Word) -> None:
        self.pauses = {word.name: timedelta(seconds=30) for word in words}
        self.asked: list[str] = []
        self._words = {word.name: word for word in words}

    def ask(self, name: str, *, within: object) -> Word:
        """The word of `name`."""
        del within
        self.asked.append(name)
        return self._words[name]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """One of three observers sees the primary CDN down."""
    stage = Stage(tmp_path / "home")
    stage.remember()
    first = stage.site.observers[0].name

    def from_one_place(observer: str, aim: Aim, at: datetime) -> Sight:
        if observer == first and not aim.connect_to and aim.url == stage.site.page.url and not stage.writes:
            return REFUSED
        return stage.see(observer, aim, at)

    stage.view = from_one_place
    return stage


def word(stage: Stage, health: Health, *, counts: bool = True) -> Word:
    """A monitor's word of now."""
    now = stage.clock.now()
    return Word("pingdom", health, "down", now, now + timedelta(hours=1), counts)


def test_a_monitor_makes_up_the_quorum(stage: Stage) -> None:
    """One observer and one monitor are the two that are needed, and the journal says who said what."""
    told = Told(word(stage, Health.BAD))
    stage.more = {"monitors": told}
    run, outcome = stage.recover()
    assert outcome.status is Status.RECOVERED
    assert "pingdom: down" in [each.text for each in run.journal.of(entries.Noted)]
    assert told.asked == ["pingdom"]


@pytest.mark.parametrize(("health", "counts"), [(Health.GOOD, True), (Health.UNKNOWN, True), (Health.BAD, False)])
def test_others_do_not(stage: Stage, health: Health, counts: bool) -> None:
    """A monitor that says up or cannot tell, and a signal that is no voice, leave it too few."""
    stage.more = {"monitors": Told(word(stage, health, counts=counts))}
    _, outcome = stage.recover()
    assert outcome.status is Status.REFUSED
    assert "too few observers" in outcome.reason


def test_nobody_is_asked_where_the_observers_are_enough(tmp_path: Path) -> None:
    """In an outage that everybody sees no vendor is asked: its hanging would cost time."""
    stage = Stage(tmp_path / "home")
    stage.remember()
    stage.edges[stage.primary.name] = REFUSED
    told = Told(word(stage, Health.GOOD))
    stage.more = {"monitors": told}
    _, outcome = stage.recover()
    assert (Status.RECOVERED, []) == (outcome.status, told.asked)


def test_monitors_alone_start_nothing(tmp_path: Path) -> None:
    """Every observer is served: there is nothing to recover from, whatever others say."""
    stage = Stage(tmp_path / "home")
    told = Told(word(stage, Health.BAD))
    stage.more = {"monitors": told}
    _, outcome = stage.recover()
    assert (Status.REFUSED, []) == (outcome.status, told.asked)
