"""What a drill is worth: the share of its objectives and checks that were met, from the journals of the drill alone.

Every point counts the same. Weights would have to say how many seconds of RTO a warning is worth, and nobody can; whoever
wants to know why a score is not 100 reads the points that are not met. What is not known is not met.

*recovered*
    The run on the way out brought users back. Where no user is to notice: the fault was found on the way out.
*RTO*, *RPO*
    Users were back, and no more was lost, within the target. Of copies the RPO counts once the fault is over.
*noticed*
    Detection found the site down by itself, before the run began.
*eyewitness*
    Report and eyewitness agree on the outage within a second.
*failed back*
    The run on the way back ended well.
*nothing lost on the way back*
    Users lost no more service on the way back than its report says, by the eyewitness.
*no residue*
    The outside state after the drill is the one before it.
*within budgets*
    No step took longer than its runbook says.
*no warnings*
    Neither the drill nor its runs had to warn of anything, and everybody was told who was to be told.

Drills of copies, which no user is to notice, have neither ``RTO`` nor anything that only an eyewitness could see.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from defib.about import About
from defib.drills.drilled import AGREEMENT, Drill
from defib.objectives import Status, Verdict
from defib.timeline import StepLine, Timeline

_MET = {Verdict.MET: True, Verdict.MISSED: False, Verdict.UNKNOWN: None}


@dataclass(frozen=True)
class Point:
    """One objective or check: whether it was met (None where nobody knows), and why not."""

    name: str
    met: bool | None
    why: str = ""


@dataclass(frozen=True)
class Score:
    """All points of one drill."""

    points: tuple[Point, ...]

    @property
    def met(self) -> int:
        """How many were met."""
        return sum(point.met is True for point in self.points)

    @property
    def percent(self) -> int:
        """The share that was met, in whole per cent, rounded down: only a drill without a fault has 100."""
        return self.met * 100 // len(self.points)


def score(drill: Drill) -> Score | None:
    """The score of a drill that was held; None of one that was skipped, missed, interrupted or has no end."""
    return Score(tuple(_points(drill))) if drill.ending.was_held else None


def over_budget(drill: Drill) -> tuple[tuple[str, StepLine], ...]:
    """The steps that took longer than promised, each with the way that it was on."""
    return tuple(
        (way, step) for way, run in runs(drill) for step in run.steps if step.took is not None and step.took > step.budget
    )


def warnings(drill: Drill) -> tuple[tuple[str, str], ...]:
    """What the drill and its runs warned of, or could not tell people, each with where.

    Of a check that is to find what was broken on purpose, its warnings are the proof, and none.
    """
    found = [("drill", note.text) for note in drill.notes if note.warning]
    for way, run in runs(drill):
        if run is drill.forward and drill.about is not About.USERS:
            continue
        found += [(way, note.text) for note in run.notes if note.warning]
        found += [(f"{way}, {step.name}", note.text) for step in run.steps for note in step.notes if note.warning]
        untold = [told for _, told in run.told if told.outcome != "sent"]
        found += [(way, f"{told.kind} over {told.channel}: {told.outcome}: {told.why}") for told in untold]
    return tuple(found)


def runs(drill: Drill) -> tuple[tuple[str, Timeline], ...]:
    """The runs that a drill made, each with the way that it was on."""
    return tuple((way, run) for way, run in (("way out", drill.forward), ("way back", drill.failback)) if run)


def _points(drill: Drill) -> Iterator[Point]:
    yield from _of_users(drill) if drill.about is About.USERS else _of_copies(drill)
    residue = drill.residue
    yield Point("no residue", None if residue is None else not residue, "" if residue == () else _left(residue))
    late = over_budget(drill)
    told = ", ".join(f"{step.name} on the {way}" for way, step in late)
    yield Point("within budgets", not late if runs(drill) else None, told)
    warned = warnings(drill)
    yield Point("no warnings", not warned, f"{len(warned)}, the first: {warned[0][1]}" if warned else "")


def _of_users(drill: Drill) -> Iterator[Point]:
    yield _ended("recovered", drill.forward)
    yield _objective("RTO", drill.forward)
    yield _objective("RPO", drill.forward)
    yield _noticed(drill.forward)
    yield _within("eyewitness", drill.disagreement, "report and eyewitness are {} apart")
    yield _ended("failed back", drill.failback)
    yield _within("nothing lost on the way back", drill.unreported, "users lost {} of service that nobody reported")


def _of_copies(drill: Drill) -> Iterator[Point]:
    forward = drill.forward
    found = forward is not None and forward.status in {Status.FAILED, Status.REFUSED}
    yield Point("recovered", found, "" if found else "the check did not find what was broken")
    yield _objective("RPO", drill.failback)
    yield _ended("failed back", drill.failback)


def _ended(name: str, run: Timeline | None) -> Point:
    if run is None:
        return Point(name, met=False, why="there was no such run")
    well = run.status is Status.RECOVERED
    return Point(name, well, "" if well else f"run {run.opened.run_id} ended {run.status or 'nowhere'}: {run.reason}")


def _objective(name: str, run: Timeline | None) -> Point:
    if run is None:
        return Point(name, None, "there was no run")
    measure = run.rto if name == "RTO" else run.rpo
    return Point(name, _MET[measure.verdict], "" if measure.verdict is Verdict.MET else measure.why)


def _noticed(run: Timeline | None) -> Point:
    seen = run is not None and run.opened.since is not None and run.opened.down_at is not None
    return Point("noticed", seen, "" if seen else "detection did not find the site down")


def _within(name: str, apart: timedelta | None, text: str) -> Point:
    if apart is None:
        return Point(name, None, "the eyewitness cannot tell")
    met = apart <= AGREEMENT
    return Point(name, met, "" if met else text.format(f"{apart.total_seconds():.3f} s"))


def _left(residue: tuple[str, ...] | None) -> str:
    return "it could not be compared" if residue is None else f"{len(residue)} line(s) of the outside state differ"
