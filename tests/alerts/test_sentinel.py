"""Who looks after runs from outside: the dead are told of, the slow are not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from defib import entries
from defib.alerts.alert import AlertKind, Severity
from defib.alerts.bulletins import BURNS
from defib.alerts.herald import Outlet, Outlets
from defib.alerts.sentinel import SILENCE, Finding, State, judge, look
from defib.cli.guarding import CONFIRMED_AFTER, guard
from defib.clock import SimulatedClock
from defib.errors import SecretMissing
from defib.home import Home
from defib.journal import FileSink, Journal, read_journal
from defib.objectives import Mode, Phase, Plane, Status
from defib.providers.alert.memory import MemoryChannel
from defib.redact import Redactor
from tests.conftest import ROOT
from tests.report.samples import CHANGE, s

RUN = "20260101-000000000-cdn-failover-pulse-7f3a"
BUDGET = timedelta(seconds=30)


@dataclass
class Desk:
    """A home with one run in it, written step by step under a clock that only the test moves."""

    home: Home
    clock: SimulatedClock = field(default_factory=SimulatedClock)
    said: list[str] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        """The run's."""
        return self.home.path / "runs" / RUN

    @contextmanager
    def running(self, **more: object) -> Iterator[Journal]:
        """The run, alive for as long as the context lasts."""
        self.folder.mkdir(parents=True)
        (self.folder / "runbook.md").write_bytes((ROOT / "runbooks" / "cdn-failover.md").read_bytes())
        sink = FileSink(self.folder / "journal.jsonl")
        journal = Journal(sink, self.clock, lambda text: text)
        facts: dict[str, object] = {
            "run_id": RUN,
            "procedure": "cdn-failover",
            "site": "pulse",
            "mode": Mode.INCIDENT,
            "operator": "ops@example.org",
            "version": "0.1.0",
            "rto": timedelta(hours=4),
            "rpo": timedelta(hours=1),
        }
        journal.append(entries.Opened(**{**facts, **more}))  # type: ignore[arg-type]
        journal.append(entries.StepStarted("confirm-the-outage", Phase.DETECT, Plane.DATA, BUDGET))
        yield journal
        # What the end of the process would do: the lock beside the journal is given up.
        held = sink._alive
        assert held is not None
        held.close()

    def pass_time(self, span: timedelta) -> None:
        """Let the clock go on."""
        self.clock.sleep(span)

    def finding(self) -> Finding | None:
        """What is found of the run now."""
        return judge(self.folder, self.clock.now())

    def state(self) -> State | None:
        """How it is found."""
        found = self.finding()
        return found.state if found else None

    def guard(self) -> list[str]:
        """One look; gives what was said."""
        before = len(self.said)
        guard(self.home, self.clock, Redactor(), self.said.append)
        return self.said[before:]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """An empty home."""
    return Desk(Home(tmp_path))


def test_a_run_that_died(desk: Desk) -> None:
    """E1: its process is gone and nobody wrote an end: what stands of it is told, and how to go on."""
    with desk.running() as journal:
        journal.append(entries.StepEnded("confirm-the-outage", "done", s(1)))
        journal.append(entries.StepStarted("steer-traffic", Phase.ACT, Plane.CONTROL, BUDGET))
        journal.append(entries.ChangeIntended(1, CHANGE, 1))
        assert desk.state() is State.GOING
    desk.pass_time(s(5))
    found = desk.finding()
    assert found is not None
    assert (found.state, found.state.is_news, found.site) == (State.DEAD, True, "pulse")
    assert found.why == "Its process is gone since 5 s, at steer-traffic, and 1 change of it stand."
    assert found.then == f"defib resume {RUN}, or defib rollback {RUN}"
    assert found.alert().severity is Severity.FAILURE


def test_a_run_that_ended_is_nothing(desk: Desk) -> None:
    """However it ended: what ended has told people itself. One that ends while it is looked at has not died."""
    with desk.running() as journal:
        journal.append(entries.Closed(Status.FAILED, "no"))
    assert desk.finding() is None


def test_slow_under_load_is_no_news(desk: Desk) -> None:
    """E2: its step is beyond its budget, its words come late, and they come: nobody is woken."""
    with desk.running() as journal:
        for _ in range(5):
            desk.pass_time(SILENCE - s(1))
            assert desk.state() in {State.GOING, State.SLOW}
            assert desk.guard() == []
            journal.append(entries.Noted("confirm-the-outage", "still looking"))
        assert desk.state() is State.SLOW


def test_a_machine_that_stood_still_is_no_news(desk: Desk) -> None:
    """E2: nothing moved for ten minutes, neither the run nor who looks after it: one look later the run goes on."""
    with desk.running() as journal:
        desk.pass_time(timedelta(minutes=4))
        assert desk.state() is State.HANGING
        assert desk.guard() == []
        desk.pass_time(s(1))
        journal.append(entries.StepEnded("confirm-the-outage", "done", s(1)))
        assert desk.guard() == []
        desk.pass_time(CONFIRMED_AFTER)
        assert desk.guard() == []


def test_a_silent_run_within_its_budget(desk: Desk) -> None:
    """A step that has time may be quiet for all of it."""
    with desk.running() as journal:
        journal.append(entries.StepEnded("confirm-the-outage", "done", s(1)))
        journal.append(entries.StepStarted("watch-the-answers", Phase.PROPAGATE, Plane.DATA, timedelta(minutes=4)))
        desk.pass_time(timedelta(minutes=3))
        assert desk.state() is State.GOING


def test_a_run_that_hangs(desk: Desk) -> None:
    """Alive, beyond its step's budget and without a word, as one that was suspended: told once, at the second look."""
    with desk.running():
        desk.pass_time(BUDGET + SILENCE + s(1))
        assert desk.state() is State.HANGING
        assert desk.guard() == []
        desk.pass_time(CONFIRMED_AFTER)
        (said,) = desk.guard()
        assert "pulse: cdn-failover hangs: Its process lives" in said
        assert desk.guard() == []


def test_a_run_beyond_everything(desk: Desk) -> None:
    """It says something all the time, and takes longer than all steps of its runbook together may: a warning."""
    with desk.running() as journal:
        for _ in range(60):
            desk.pass_time(SILENCE)
            journal.append(entries.Noted("confirm-the-outage", "still looking"))
        found = desk.finding()
        assert found is not None
        assert (found.state, found.alert().severity) == (State.OVERDUE, Severity.WARNING)
        assert "its runbook allows" in found.why


def test_the_dead_are_told_of_once(desk: Desk) -> None:
    """By however many looks; but a run that is taken up and dies again is news again."""
    with desk.running():
        pass
    assert len(desk.guard()) == 1
    desk.pass_time(s(60))
    assert desk.guard() == []
    record = FileSink(desk.folder / "journal.jsonl")
    journal = Journal(record, desk.clock, lambda text: text, read_journal(desk.folder / "journal.jsonl")[0])
    journal.append(entries.Reopened("resume", "ops", torn=0))
    assert record._alive is not None
    record._alive.close()
    assert len(desk.guard()) == 1


def test_an_outage_that_burns_on_behind_a_dead_run(desk: Desk) -> None:
    """Nobody else says that the RTO runs out when who would is dead: at 50, 75 and 90 % it is told again."""
    with desk.running(since=desk.clock.now()):
        pass
    told = [len(desk.guard())]
    for _ in range(16):
        desk.pass_time(timedelta(minutes=15))
        told.append(len(desk.guard()))
    assert sum(told) == 1 + len(BURNS)
    assert "90 % of the RTO is used" in desk.said[-1]


def test_a_rehearsal_does_not_cry(desk: Desk) -> None:
    """What dies in the lab is worth a warning, marked as what it is."""
    with desk.running(mode=Mode.REHEARSAL):
        pass
    found = desk.finding()
    assert found is not None
    assert (found.alert().title, found.alert().severity) == ("[drill] pulse: cdn-failover died", Severity.WARNING)


def test_broken_journals_and_empty_folders(desk: Desk) -> None:
    """A journal that was edited is told of; a folder in which nothing began is nothing."""
    with desk.running():
        pass
    journal = desk.folder / "journal.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b"pulse", b"other"))
    assert desk.state() is State.UNREADABLE
    empty = desk.home.path / "runs" / "20260101-000000000-cdn-failover-pulse-0000"
    empty.mkdir()
    (empty / "journal.jsonl").touch()
    assert judge(empty, desk.clock.now()) is None


def test_what_died_long_ago_is_no_news(desk: Desk) -> None:
    """The first look of a new sentinel does not wake anybody for last year's runs."""
    with desk.running():
        pass
    old = (desk.clock.now() - timedelta(days=8)).timestamp()
    os.utime(desk.folder / "journal.jsonl", (old, old))
    assert look(desk.home, desk.clock.now()) == ()


def test_channels_that_fail_are_tried_again(desk: Desk) -> None:
    """Who was told is not told twice, and who could not be told is told at a later look."""
    with desk.running():
        pass
    chat, sms = MemoryChannel("chat"), MemoryChannel("sms")
    way = {"sms": False}

    def open_sms() -> MemoryChannel:
        if not way["sms"]:
            raise SecretMissing("an environment variable is not set", where="env:SMS")
        return sms

    failed = (AlertKind.FAILED,)
    deaf = Outlet("deaf", (AlertKind.DONE,), lambda: pytest.fail("it wants to hear of nothing like this"))
    people = Outlets((Outlet("chat", failed, lambda: chat), Outlet("sms", failed, open_sms), deaf))
    for can in (False, True, True):
        way["sms"] = can
        guard(desk.home, desk.clock, Redactor(), desk.said.append, lambda _: people)
    assert [1, 1] == [len(chat.sent), len(sms.sent)]
    assert "sms: failed an environment variable is not set; where: env:SMS" in desk.said
