"""One run in short: what it was, how it ended, and its figures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from defib import entries
from defib.drills.drilled import DRILL
from defib.objectives import Measure, Status
from defib.report.figures import ObjectiveFigures, RunFigures
from defib.report.mirrors import MirrorFigures
from defib.report.parts import STANDING
from defib.report.replicas import ReplicaFigures


@dataclass(frozen=True)
class Glance:
    """One run, or one drill. `status` is None while it has no end; `standing` is how many changes of it may stand."""

    opened: entries.Opened
    started: datetime
    ended: datetime | None
    status: Status | None
    reason: str
    rto: Measure
    rpo: Measure
    standing: int = 0
    mirrors: tuple[MirrorFigures, ...] = ()
    replicas: tuple[ReplicaFigures, ...] = ()

    @property
    def run(self) -> str:
        """Its id."""
        return self.opened.run_id

    @property
    def is_drill(self) -> bool:
        """Whether it is the journal of a drill, which has runs of its own."""
        return self.opened.procedure == DRILL

    @property
    def procedure(self) -> str:
        """What was carried out; of a drill, what was drilled."""
        return (self.opened.trigger.partition(" ")[0] or DRILL) if self.is_drill else self.opened.procedure

    @property
    def at(self) -> datetime:
        """When it ended, or else when it began."""
        return self.ended or self.started


@dataclass(frozen=True)
class Unreadable:
    """A run whose journal cannot be read, and why."""

    run: str
    why: str


def glance_at_run(opened: entries.Opened, figures: RunFigures) -> Glance:
    """A run by its figures."""
    return Glance(
        opened=opened,
        started=figures.started,
        ended=figures.ended,
        status=figures.status,
        reason=figures.reason,
        rto=_measure(figures.rto),
        rpo=_measure(figures.rpo),
        standing=sum(change.state in STANDING for change in figures.changes),
        mirrors=figures.mirrors,
        replicas=figures.replicas,
    )


def glance_at_ends(opened: entries.Opened, started: datetime, closed: tuple[datetime, entries.Closed] | None) -> Glance:
    """A drill, whose figures are those of its runs, or a run without an end, which has none yet."""
    ended, end = closed or (None, None)
    return Glance(
        opened=opened,
        started=started,
        ended=ended,
        status=end.status if end else None,
        reason=end.reason if end else "",
        rto=Measure(opened.rto, None),
        rpo=Measure(opened.rpo, None),
    )


def _measure(figures: ObjectiveFigures) -> Measure:
    actual = None if figures.actual_s is None else timedelta(seconds=figures.actual_s)
    return Measure(timedelta(seconds=figures.target_s), actual, figures.why)
