"""What a drill proved, derived from its own journal and those of the runs it made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from defib import drillentries, entries
from defib.about import About, about
from defib.drills.calendar import Ending
from defib.journal import Record
from defib.objectives import Status
from defib.timeline import Timeline

DRILL = "drill"
"""The procedure that a drill's own journal names."""

AGREEMENT = timedelta(seconds=1)
"""How far the reported outage may be from the eyewitness's."""

SKIPPED, MISSED = "skipped: ", "missed: "
"""What the reason of a drill begins with that was refused before anything was broken, or that nobody began."""


@dataclass(frozen=True)
class Witnessed:
    """What the eyewitness saw of one stretch of time: from the first loss of service to the last return, and its looks."""

    outage: timedelta | None
    started: datetime | None
    ended: datetime | None
    looks: int
    log: str


@dataclass(frozen=True)
class Drill:
    """One drill: a fault, the recovery from it, the way back, and what was left behind.

    `residue` are the lines that the outside state gained (``+ …``) and lost (``- …``); None when it could not be compared.
    """

    opened: entries.Opened
    started: datetime
    ended: datetime | None
    status: Status | None
    reason: str
    faults: tuple[tuple[datetime, entries.FaultSet], ...]
    forward: Timeline | None
    failback: Timeline | None
    eyewitness: tuple[entries.EyewitnessSaw, ...]
    residue: tuple[str, ...] | None
    notes: tuple[entries.Noted, ...]
    head: str
    asked: drillentries.DrillAsked | None = None
    """Who asked for it and why; None of drills from before that was written down."""
    preconditions: tuple[drillentries.PreconditionSeen, ...] = ()
    told: tuple[tuple[datetime, entries.Told], ...] = ()
    """Whom the drill itself told, or could not tell."""

    @property
    def procedure(self) -> str:
        """What was drilled, also where it never came to a run."""
        if self.asked is None and self.forward is not None:
            return self.forward.opened.procedure
        return procedure_of(self.opened, self.asked)

    @property
    def ending(self) -> Ending:
        """How it ended, in a word."""
        return ending_of(self.status, self.reason)

    @property
    def about(self) -> About:
        """Whose recovery was drilled; unless it was that of users, nothing was looked at as they do."""
        return about(self.opened.trigger)

    @property
    def witnessed(self) -> timedelta | None:
        """The outage as the eyewitness saw it on the way out."""
        return self._saw("forward")

    @property
    def disagreement(self) -> timedelta | None:
        """How far the outage of the forward run's report is from the eyewitness's; None where either is unknown."""
        outage, witnessed = self.forward.rto.actual if self.forward else None, self.witnessed
        return None if outage is None or witnessed is None else abs(outage - witnessed)

    @property
    def unreported(self) -> timedelta | None:
        """The service that users lost on the way back beyond what its report says; None where that is unknown.

        A report that is gloomier than the eyewitness does no harm there: one late answer of one observer makes it so.
        """
        outage, witnessed = self.failback.rto.actual if self.failback else None, self._saw("failback")
        return None if outage is None or witnessed is None else max(witnessed - outage, timedelta(0))

    def _saw(self, role: str) -> timedelta | None:
        return next((saw.outage for saw in self.eyewitness if saw.role == role), None)


def drill(records: Sequence[Record], forward: Timeline | None, failback: Timeline | None) -> Drill:
    """The drill that a journal and the timelines of its two runs tell of."""
    opened = records[0].entry
    assert isinstance(opened, entries.Opened), "a drill's journal opens like a run's"
    closed = [(r.at, r.entry) for r in records if isinstance(r.entry, entries.Closed)]
    return Drill(
        opened=opened,
        started=records[0].at,
        ended=closed[-1][0] if closed else None,
        status=closed[-1][1].status if closed else None,
        reason=closed[-1][1].reason if closed else "",
        faults=tuple((r.at, r.entry) for r in records if isinstance(r.entry, entries.FaultSet)),
        forward=forward,
        failback=failback,
        eyewitness=tuple(r.entry for r in records if isinstance(r.entry, entries.EyewitnessSaw)),
        residue=_residue(records),
        notes=tuple(r.entry for r in records if isinstance(r.entry, entries.Noted)),
        head=records[-1].hash,
        asked=next((r.entry for r in records if isinstance(r.entry, drillentries.DrillAsked)), None),
        preconditions=tuple(r.entry for r in records if isinstance(r.entry, drillentries.PreconditionSeen)),
        told=tuple((r.at, r.entry) for r in records if isinstance(r.entry, entries.Told)),
    )


def procedure_of(opened: entries.Opened, asked: drillentries.DrillAsked | None) -> str:
    """The procedure that a drill is of; older journals say it as the first word of what was going to be broken."""
    return asked.procedure if asked else opened.trigger.partition(" ")[0]


def ending_of(status: Status | None, reason: str) -> Ending:
    """How a drill with this status and reason ended."""
    if status is None:
        return Ending.OPEN
    if status is Status.REFUSED:
        return Ending.MISSED if reason.startswith(MISSED) else Ending.SKIPPED
    known = {Status.RECOVERED: Ending.DONE, Status.INTERRUPTED: Ending.INTERRUPTED}
    return known.get(status, Ending.FAILED)


def _residue(records: Sequence[Record]) -> tuple[str, ...] | None:
    prints = {r.entry.when: r.entry for r in records if isinstance(r.entry, entries.Fingerprinted)}
    if not {"before", "after"} <= set(prints):
        return None
    before, after = prints["before"].lines, prints["after"].lines
    lost = [f"- {line}" for line in before if line not in after]
    gained = [f"+ {line}" for line in after if line not in before]
    return tuple(lost + gained)
