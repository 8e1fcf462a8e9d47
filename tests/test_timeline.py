"""Timelines: what a journal says, and nothing else."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from defib import entries
from defib.clock import SimulatedClock
from defib.errors import EvidenceBroken
from defib.journal import Journal
from defib.objectives import Mode, Phase, Plane, Status, Verdict
from defib.plan import Change
from defib.ports import Health, Observation, RecordChange, RecordKey, RecordSet
from defib.timeline import Timeline, set_back, timeline
from tests.stage import START, seconds

HOUR = timedelta(hours=1)
KEY = RecordKey("www.example.org.", "CNAME")
RECORD = RecordSet(KEY, seconds(60), ("a.example.",))
CHANGE = Change("m", "z", (RecordChange(RECORD, RecordSet(KEY, seconds(60), ("b.example.",))),), "")


class Memory:
    """A sink that forgets."""

    def append(self, line: bytes, *, durable: bool) -> None:
        """Nothing."""


class Book:
    """A journal in memory, written second by second."""

    def __init__(self, **opened: object) -> None:
        self.clock = SimulatedClock(START)
        self.journal = Journal(Memory(), self.clock, str)
        facts: dict[str, object] = {"run_id": "r", "procedure": "cdn-failover", "site": "lab", "mode": Mode.REHEARSAL}
        facts |= {"operator": "o", "version": "1", "rto": 4 * HOUR, "rpo": HOUR, **opened}
        self.write(entries.Opened(**facts))  # type: ignore[arg-type]

    def write(self, *found: entries.Entry, after: float = 0) -> None:
        """Write entries, `after` so many seconds."""
        self.clock.sleep(seconds(after))
        for entry in found:
            self.journal.append(entry)

    def look(self, observer: str, health: Health, after: float = 0) -> None:
        """One look at the users' service."""
        self.clock.sleep(seconds(after))
        self.write(entries.Observed("", "users", Observation(observer, self.clock.now(), seconds(0.02), health)))

    @property
    def told(self) -> Timeline:
        """What it says."""
        return timeline(self.journal.records)


offsets = st.floats(-7200, 7200, allow_nan=False)


@given(since=offsets, down=offsets, decided=st.floats(0, 900), write=st.floats(0, 60), moved=offsets, served=offsets)
def test_spans_never_overlap_and_add_up(
    since: float, down: float, decided: float, write: float, moved: float, served: float
) -> None:
    """Whatever the six instants are, the five spans are none negative and add up to the reported outage.

    But for an outage that is said to begin after its end, which is unknown.
    """
    book = Book(since=START + seconds(since), down_at=START + seconds(down))
    book.write(entries.Approved("d", "a", "automatic"), after=decided)
    book.write(entries.ChangeIntended(1, CHANGE, 1), entries.ChangeMade(1), after=write)
    book.write(entries.AnswersMoved(START + seconds(moved), 4, 6, 6))
    book.write(entries.UsersServed(START + seconds(served), seconds(3)))
    spans = [span.took for span in book.told.spans]
    assert [span.phase for span in book.told.spans] == list(Phase)
    assert all(took is not None and took >= timedelta(0) for took in spans)
    if since > served + 1:
        assert book.told.rto.verdict is Verdict.UNKNOWN
    else:
        assert sum((took or timedelta(0) for took in spans), timedelta(0)) == book.told.rto.actual


def test_no_instant_no_span() -> None:
    """A span is unknown where one of its ends is; the others are not."""
    book = Book(since=START - seconds(5), down_at=START)
    book.write(entries.Approved("d", "a", "automatic"), after=2)
    book.write(entries.UsersServed(START + seconds(9), seconds(3)), after=12)
    assert [span.took for span in book.told.spans] == [seconds(5), seconds(2), None, None, None]
    assert book.told.rto.actual == seconds(14)


@pytest.mark.parametrize(("over", "verdict"), [(0, Verdict.MET), (1, Verdict.MISSED)])
def test_objective_up_to_its_target(over: int, verdict: Verdict) -> None:
    """Met up to and including the target, missed by a microsecond more."""
    book = Book(since=START)
    book.write(entries.UsersServed(START + 4 * HOUR + timedelta(microseconds=over), seconds(3)))
    assert book.told.rto.verdict is verdict


def test_nothing_known() -> None:
    """Without a start, an end or a recovery point the objectives are unknown, and say why."""
    book = Book()
    assert (book.told.rto.verdict, book.told.rpo.verdict) == (Verdict.UNKNOWN, Verdict.UNKNOWN)
    assert "not seen to be served" in book.told.rto.why
    book.write(entries.UsersServed(START, seconds(3)), entries.RecoveryPointRead("b", None, "unreadable"))
    assert "nobody knows since when" in book.told.rto.why
    assert (book.told.rpo.actual, book.told.rpo.why) == (None, "unreadable")


def test_closed_and_taken_up_in_the_same_instant() -> None:
    """What came last in the journal counts, not what has the later stamp."""
    book = Book()
    book.write(entries.Closed(Status.INTERRUPTED), entries.Reopened("resume", "o"))
    assert (book.told.status, book.told.ended) == (None, None)
    book.clock.set_wall(-HOUR)
    book.write(entries.Closed(Status.RECOVERED))
    assert book.told.status is Status.RECOVERED


def test_step_done_twice() -> None:
    """Each attempt has its own end and its own notes, whatever the stamps are."""
    book = Book()
    started = entries.StepStarted("a-step", Phase.ACT, Plane.CONTROL, seconds(60))
    book.write(started, entries.Noted("a-step", "one"), entries.StepEnded("a-step", "interrupted", seconds(1)))
    book.write(entries.Reopened("resume", "o"), started, entries.Noted("a-step", "two"))
    assert [(line.outcome, line.took) for line in book.told.steps] == [("interrupted", seconds(1)), ("", None)]
    book.write(entries.StepEnded("a-step", "done", seconds(2)))
    assert [(line.outcome, [note.text for note in line.notes]) for line in book.told.steps] == [
        ("interrupted", ["one"]),
        ("done", ["two"]),
    ]


def test_clock_set_back_inside_one_process() -> None:
    """A wall clock that lost an hour proves nothing; one that gained may be a machine that slept."""
    book = Book(since=START)
    book.clock.set_wall(HOUR)
    book.write(entries.UsersServed(START + seconds(9), seconds(3)), after=12)
    assert (set_back(book.journal.records), book.told.rto.actual) == (timedelta(0), seconds(9))
    book.clock.set_wall(-HOUR)
    book.write(entries.Noted("", "x"), after=1)
    assert set_back(book.journal.records) == HOUR
    assert (book.told.rto.verdict, book.told.rto.why) == (
        Verdict.UNKNOWN,
        "the wall clock was set back by 1:00:00 during the run",
    )


def test_another_process_has_another_monotonic_clock() -> None:
    """Between two processes the clocks cannot be compared, and are not."""
    book = Book(since=START)
    book.clock.set_wall(-HOUR)
    book.write(entries.Reopened("resume", "o"))
    assert set_back(book.journal.records) == timedelta(0)


def test_service_is_lost_while_anybody_is_without() -> None:
    """One observer that is served does not end the outage of another."""
    book = Book(follows="r0")
    for _ in range(3):
        book.look("north", Health.GOOD)
        book.look("south", Health.BAD, after=1)
    book.look("south", Health.UNKNOWN, after=1)
    book.look("south", Health.GOOD, after=1)
    book.write(entries.UsersServed(book.clock.now(), seconds(3)))
    assert [(end - begin) for begin, end in book.told.lost_service if end] == [seconds(4)]
    assert book.told.rto.actual == seconds(4)


@pytest.mark.parametrize(
    ("story", "state"),
    [
        ("P", "planned"),
        ("Pi", "intended"),
        ("Pim", "made"),
        ("Pa", "already there"),
        ("Pia", "made"),
        ("PimIM", "undone"),
        ("PimN", "not undone"),
    ],
)
def test_states_of_a_change(story: str, state: str) -> None:
    """From planned to not undone."""
    book = Book()
    said: dict[str, entries.Entry] = {
        "P": entries.Planned("d", (CHANGE,)),
        "i": entries.ChangeIntended(1, CHANGE, 1),
        "m": entries.ChangeMade(1),
        "a": entries.ChangeMade(1, already=True),
        "I": entries.ChangeIntended(1, CHANGE.reversed(), 1, undo=True),
        "M": entries.ChangeMade(1, undo=True),
        "N": entries.ChangeNotUndone(1, "t", "why"),
    }
    book.write(*(said[letter] for letter in story))
    assert [change.state for change in book.told.changes] == [state]


def test_not_a_run() -> None:
    """A journal that does not begin with an opening is no run."""
    book = Book()
    with pytest.raises(EvidenceBroken):
        timeline(())
    book.write(entries.Noted("", "x"))
    with pytest.raises(EvidenceBroken):
        timeline(book.journal.records[1:])
