"""What a drill's journal proves: residue, and how far the report is from the eyewitness."""

from __future__ import annotations

from datetime import timedelta

import pytest

from defib import entries
from defib.clock import SimulatedClock
from defib.drills.drilled import DRILL, Drill, drill
from defib.journal import Journal
from defib.objectives import Mode, Status
from defib.timeline import timeline
from tests.stage import START, seconds


class Memory:
    """A sink that forgets."""

    def append(self, line: bytes, *, durable: bool) -> None:
        """Nothing."""


def opening(procedure: str) -> entries.Opened:
    """The opening of a drill or of a run in it."""
    return entries.Opened(
        run_id="id",
        procedure=procedure,
        site="lab",
        mode=Mode.REHEARSAL,
        operator="o",
        version="1",
        rto=timedelta(hours=4),
        rpo=timedelta(hours=1),
        since=START,
    )


def told(*found: entries.Entry, outage: float | None = None) -> Drill:
    """A drill whose journal holds `found`, with a forward run that reports `outage`."""
    book = Journal(Memory(), SimulatedClock(START), str)
    forward = Journal(Memory(), SimulatedClock(START), str)
    for entry in (opening(DRILL), *found):
        book.append(entry)
    forward.append(opening("cdn-failover"))
    if outage is not None:
        forward.append(entries.UsersServed(START + seconds(outage), seconds(3)))
    return drill(book.records, timeline(forward.records), None)


def prints(before: tuple[str, ...], after: tuple[str, ...]) -> tuple[entries.Entry, ...]:
    """Two fingerprints."""
    return entries.Fingerprinted("before", "b", before), entries.Fingerprinted("after", "a", after)


@pytest.mark.parametrize(
    ("after", "residue"),
    [(("a", "b"), ()), (("b", "a"), ()), (("a",), ("- b",)), (("a", "b", "c"), ("+ c",)), (("a", "x"), ("- b", "+ x"))],
)
def test_residue(after: tuple[str, ...], residue: tuple[str, ...]) -> None:
    """What the outside state lost and gained, line by line."""
    assert told(*prints(("a", "b"), after)).residue == residue


def test_no_comparison_is_no_proof() -> None:
    """Without both fingerprints the residue is unknown, not none."""
    assert told(prints(("a",), ())[0]).residue is None
    assert told().residue is None


@pytest.mark.parametrize(
    ("reported", "witnessed", "apart"), [(9.5, 9.0, 0.5), (9.0, 9.75, 0.75), (None, 9.0, None), (9.0, None, None)]
)
def test_disagreement(reported: float | None, witnessed: float | None, apart: float | None) -> None:
    """How far report and eyewitness are from each other; unknown where one of them does not know."""
    saw = entries.EyewitnessSaw("forward", None if witnessed is None else seconds(witnessed))
    elsewhere = entries.EyewitnessSaw("failback", seconds(0))
    assert told(elsewhere, saw, outage=reported).disagreement == (None if apart is None else seconds(apart))


def test_end_and_faults() -> None:
    """The last word counts, and what was broken and healed is told in order."""
    found = told(
        entries.FaultSet("cloudfront", "refuse"), entries.FaultSet("cloudfront", ""), entries.Closed(Status.FAILED, "why")
    )
    assert (found.status, found.reason) == (Status.FAILED, "why")
    assert [(fault.target, fault.fault) for _, fault in found.faults] == [("cloudfront", "refuse"), ("cloudfront", "")]
    assert told().status is None
