"""People are told while a run goes on, and the run does not notice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from defib import entries
from defib.alerts.alert import AlertKind, Channel, Notice
from defib.alerts.alert import Stage as Turn
from defib.alerts.herald import FAREWELL, Herald, Outlet, Outlets, PageOutlet, heralded, hush
from defib.alerts.messenger import SEND_WITHIN
from defib.approval import Automatic
from defib.clock import Deadline, SystemClock
from defib.errors import HomeUnwritable, SecretMissing, Unavailable
from defib.lab.alone import RunningInbox, serve_inbox
from defib.lab.faults import Fault
from defib.objectives import Status
from defib.providers.alert.apprise import AppriseChannel
from defib.providers.alert.memory import MemoryChannel
from defib.providers.status.memory import MemoryStatusPage
from defib.run import Run
from defib.start import take_up
from tests.stage import REFUSED, Stage

NOW = timedelta(0)
CLOCK = SystemClock()


@dataclass
class Town:
    """A channel for everything, one for bad news only, and a page, all in memory."""

    chat: MemoryChannel = field(default_factory=lambda: MemoryChannel("chat"))
    pager: MemoryChannel = field(default_factory=lambda: MemoryChannel("pager"))
    page: MemoryStatusPage = field(default_factory=lambda: MemoryStatusPage("page"))

    @property
    def outlets(self) -> Outlets:
        """All of them."""
        everything, bad = tuple(AlertKind), (AlertKind.FAILED, AlertKind.DECISION)
        channels = (Outlet("chat", everything, lambda: self.chat), Outlet("pager", bad, lambda: self.pager))
        return Outlets(channels, (PageOutlet("page", lambda: self.page),))


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """A world in which the primary refuses connections."""
    made = Stage(tmp_path)
    made.edges[made.primary.name] = REFUSED
    return made


def told(run: Run) -> list[tuple[str, str, str]]:
    """Channel, subject and outcome of everything that was told, sorted."""
    return sorted((entry.channel, entry.subject, entry.outcome) for entry in run.journal.of(entries.Told))


def play(stage: Stage, run: Run, outlets: Outlets) -> entries.Closed:
    """A run to its end, with everybody told."""
    with heralded(run, outlets, NOW):
        stage.play(run)
    return list(run.journal.of(entries.Closed))[-1]


def test_everybody_is_told_what_he_wants(stage: Stage) -> None:
    """Start and end over the channel for everything, nothing over the one for bad news, the page opened and closed."""
    town, run = Town(), stage.begin()
    assert play(stage, run, town.outlets).status is Status.RECOVERED
    assert [alert.kind for alert in town.chat.sent] == [AlertKind.START, AlertKind.DONE]
    assert town.pager.sent == ()
    assert [incident.stage for incident in town.page.incidents] in ([], ["resolved"])
    assert [each for each in told(run) if each[0] != "page"] == [
        ("chat", "closed:recovered", "sent"),
        ("chat", "start", "sent"),
    ]


def test_the_end_is_the_same_with_and_without_people(stage: Stage, tmp_path: Path) -> None:
    """What the run itself writes is not changed by being told of."""

    def own(run: Run) -> list[str]:
        return [type(r.entry).__name__ for r in run.journal.records if not isinstance(r.entry, entries.Told)]

    quiet = Stage(tmp_path / "quiet")
    quiet.edges[quiet.primary.name] = REFUSED
    alone, heard = quiet.begin(), stage.begin()
    quiet.play(alone)
    play(stage, heard, Town().outlets)
    assert own(heard) == own(alone)


def test_what_is_heard_late_is_judged_whole(stage: Stage) -> None:
    """A plan that was approved at once needs no decision, also where its entries are heard long after they were written."""
    town, run = Town(), stage.begin()
    with heralded(run, town.outlets, timedelta(seconds=30)):
        stage.play(run)
    assert [alert.kind for alert in town.chat.sent] == [AlertKind.START, AlertKind.DONE]


def test_a_refusal_is_told(stage: Stage) -> None:
    """C7: the standby is unhealthy as well: refused, and those who want bad news have it."""
    stage.edges[stage.standby.name] = REFUSED
    town, run = Town(), stage.begin()
    assert play(stage, run, town.outlets).status is Status.REFUSED
    assert [alert.kind for alert in town.pager.sent] == [AlertKind.FAILED]
    assert "no standby can take the users" in town.pager.sent[0].text


def test_a_channel_that_fails_is_written_down(stage: Stage) -> None:
    """Why it could not be told stands in the journal; the other channel and the run go on."""
    town, run = Town(), stage.begin()
    town.chat.failures.schedule(Unavailable("the chat is down", where="chat"), calls=9)
    stage.edges[stage.standby.name] = REFUSED
    play(stage, run, town.outlets)
    failed = [entry for entry in run.journal.of(entries.Told) if entry.outcome == "failed"]
    assert {(entry.channel, entry.why) for entry in failed} == {("chat", "the chat is down; where: chat")}
    assert len(town.pager.sent) == 1


def test_a_missing_secret_stops_nothing(stage: Stage) -> None:
    """A channel whose URL is not there is told as such, and the recovery recovers."""

    def missing() -> Channel:
        raise SecretMissing("a secret's file cannot be used", where="file:alert")

    run = stage.begin()
    outlets = Outlets((Outlet("chat", tuple(AlertKind), missing),))
    assert play(stage, run, outlets).status is Status.RECOVERED
    assert {entry.outcome for entry in run.journal.of(entries.Told)} == {"failed"}
    assert all("file:alert" in entry.why for entry in run.journal.of(entries.Told))


@pytest.fixture
def inbox() -> Iterator[RunningInbox]:
    """A chat that can hang."""
    with serve_inbox() as running:
        yield running


def real(inbox: RunningInbox) -> Outlets:
    """The chat and the mail server of the inbox."""
    names = ("chat", "mail")
    return Outlets(
        tuple(Outlet(name, tuple(AlertKind), partial(AppriseChannel, name, inbox.inbox.urls[name])) for name in names)
    )


def test_a_hanging_channel_costs_the_run_nothing(stage: Stage, inbox: RunningInbox) -> None:
    """Servers that accept and never answer: the run takes as long as alone, and then leaves within the farewell."""
    inbox.set_fault(Fault("hang"))
    run = stage.begin()
    started = CLOCK.monotonic()
    with heralded(run, real(inbox), NOW):
        stage.play(run)
        played = CLOCK.monotonic() - started
    left = CLOCK.monotonic() - started - played
    assert played < SEND_WITHIN
    assert left < FAREWELL + SEND_WITHIN / 2
    assert told(run) == [
        ("chat", "closed:recovered", "failed"),
        ("chat", "start", "unknown"),
        ("mail", "closed:recovered", "failed"),
        ("mail", "start", "unknown"),
    ]


def test_real_channels_are_told_once(stage: Stage, inbox: RunningInbox) -> None:
    """E15: what is noted five hundred times in a run is no news; start and end arrive once over each channel."""
    run = stage.begin()
    with heralded(run, real(inbox), NOW):
        for _ in range(500):
            run.journal.append(entries.Noted("", "the same again", warning=True))
        stage.play(run)
    arrived = sorted((message.via, message.title or message.text.splitlines()[0]) for message in inbox.inbox.messages)
    title = f"[drill] {stage.site.title}: cdn-failover"
    assert arrived == [
        ("chat", f"{title} recovered"),
        ("chat", f"{title} started"),
        ("mail", f"{title} recovered"),
        ("mail", f"{title} started"),
    ]


def test_the_rto_burns_while_a_step_waits(stage: Stage) -> None:
    """Half of the RTO passes while the run waits in a step and writes nothing: people are told all the same, once."""
    town = Town()
    run = stage.begin(since=stage.clock.now())
    herald = Herald(run.journal, run.site, stage.clock, town.outlets, NOW)
    stage.clock.sleep(run.objectives.rto / 2)
    until(lambda: any(alert.kind is AlertKind.BURN for alert in town.chat.sent))
    stage.clock.sleep(timedelta(minutes=1))
    herald.dismiss()
    assert [alert.subject for alert in town.chat.sent] == ["start", "burn:50"]


def test_a_run_that_is_taken_up_is_not_told_of_twice(stage: Stage) -> None:
    """A resumed run says that it was resumed, and nothing that was told before."""
    town, run = Town(), stage.begin()
    with heralded(run, town.outlets, NOW):
        pass  # the process ends here
    stage.die()
    taken, _ = _resumed(stage, run.id, town)
    assert [alert.subject for alert in town.chat.sent] == ["start", "resume", "closed:recovered"]
    assert taken.id == run.id


def _resumed(stage: Stage, run_id: str, town: Town) -> tuple[Run, entries.Closed]:
    run = take_up(stage.desk, run_id, Automatic("a test"), "resume")
    return run, play(stage, run, town.outlets)


@dataclass
class FullDisk:
    """A sink that takes some lines, and no more."""

    left: int

    def append(self, line: bytes, *, durable: bool) -> None:
        """Take a line while there is room."""
        if self.left == 0:
            raise HomeUnwritable("no space left on device")
        self.left -= 1


def test_a_journal_that_cannot_be_written_keeps_nobody_uninformed(stage: Stage) -> None:
    """The disk is full: what was told cannot be written down, and people are told nevertheless."""
    stage.sink = lambda _: FullDisk(2)
    town, run = Town(), stage.begin()
    with pytest.raises(HomeUnwritable), heralded(run, town.outlets, NOW):
        run.journal.append(entries.Noted("", "no room for this"))
    assert [alert.subject for alert in town.chat.sent] == ["start", "broken-off"]
    assert "HomeUnwritable: no space left on device" in town.chat.sent[-1].text
    assert [alert.kind for alert in town.pager.sent] == [AlertKind.FAILED]
    assert told(run) == []


def test_hush_closes_what_a_killed_rehearsal_left() -> None:
    """An incident that is open is closed; a page that cannot be asked is named and stops nothing."""
    town = Town()
    dead = MemoryStatusPage("dead")
    dead.failures.schedule(Unavailable("down", where="dead"))
    stages = Outlets((), (PageOutlet("dead", lambda: dead), *town.outlets.pages))
    town.page.say(Notice(Turn.INVESTIGATING, "x", "y"), within=Deadline.after(CLOCK, timedelta(seconds=1)))
    assert hush(stages, CLOCK) == ("dead: down; where: dead",)
    assert [incident.stage for incident in town.page.incidents] == ["resolved"]


def until(holds: Callable[[], bool]) -> None:
    """Wait for something that comes."""
    deadline = Deadline.after(CLOCK, timedelta(seconds=60))
    while not holds():
        assert not deadline.expired()
        CLOCK.sleep(timedelta(milliseconds=10))
