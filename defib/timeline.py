"""One recovery from first sign to verdict, derived from its journal and from nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TypeVar

from defib import copyentries, entries
from defib.errors import EvidenceBroken
from defib.journal import Record
from defib.objectives import Measure, Phase, Plane, Status, Verdict
from defib.plan import Change, Decides
from defib.ports import Health, Observation
from defib.restored import rpo_of_restore, rto_of_restore

Kind = TypeVar("Kind")

CLOCK_TOLERANCE = timedelta(seconds=1)
"""How far the wall clock may lose against the monotonic one before its stamps prove nothing."""


@dataclass(frozen=True)
class Instants:
    """The six moments of an outage; None is a moment that has not come or is not known."""

    first_bad: datetime | None
    down: datetime | None
    decided: datetime | None
    last_write: datetime | None
    answers_moved: datetime | None
    served: datetime | None


@dataclass(frozen=True)
class Span:
    """The time between two of the moments, spent on one phase; None where one of them is not known."""

    phase: Phase
    took: timedelta | None


@dataclass(frozen=True)
class StepLine:
    """One step as it went, against what the runbook promised. `outcome` is "" while it runs or if it was cut off."""

    name: str
    phase: Phase
    plane: Plane
    budget: timedelta
    started: datetime
    took: timedelta | None
    outcome: str
    notes: tuple[entries.Noted, ...] = ()
    error: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class ChangeLine:
    """One change as it went. `state` is planned, intended, made, already there, undone or not undone."""

    number: int
    change: Change
    state: str
    at: datetime | None = None
    why: str = ""


@dataclass(frozen=True)
class Sighting:
    """One look, and whose service it looked at."""

    step: str
    aim: str
    seen: Observation


@dataclass(frozen=True)
class Timeline:
    """Everything that a report says about one run. `status` is None while the run is open."""

    opened: entries.Opened
    started: datetime
    ended: datetime | None
    status: Status | None
    reason: str
    engine: entries.EngineChosen | None
    instants: Instants
    spans: tuple[Span, ...]
    rto: Measure
    rpo: Measure
    steps: tuple[StepLine, ...]
    notes: tuple[entries.Noted, ...]
    """What was noted outside of any step."""
    changes: tuple[ChangeLine, ...]
    planned: entries.Planned | None
    approved: entries.Approved | None
    moved: entries.AnswersMoved | None
    served: entries.UsersServed | None
    sightings: tuple[Sighting, ...]
    reopened: tuple[entries.Reopened, ...]
    lost_service: tuple[tuple[datetime, datetime | None], ...]
    """For each time without service for somebody: the first bad look, and the good one after which nobody was without."""
    head: str
    entries_count: int
    told: tuple[tuple[datetime, entries.Told], ...] = ()
    """Whom the run told of itself, or could not tell."""
    forecast: entries.Forecast | None = None
    """What the outage was foretold to come to, the last time before an approval."""
    mirrors: tuple[copyentries.MirrorSeen, ...] = ()
    """Every mirror of every repository, as it was compared at the end."""
    replicas: tuple[copyentries.ReplicaSeen, ...] = ()
    """Every replica of a bucket, as it was compared."""
    versions: tuple[copyentries.VersionSeen, ...] = ()
    """The versions that were not as they must be at a replica, as far as they were told one by one."""
    audited: tuple[copyentries.Audited, ...] = ()
    """What was looked at of the configuration of replication."""
    restored: tuple[copyentries.ObjectsRestored, ...] = ()
    """Every bucket that was made what it was, as it was proved at the end."""
    left: tuple[copyentries.ObjectLeft, ...] = ()
    """The objects that could not be made what they were, as far as they were told one by one."""

    @property
    def tells_of_copies(self) -> bool:
        """Whether copies of code or of assets were looked at, which no user notices."""
        return bool(self.mirrors or self.replicas or self.restored)

    @property
    def run_took(self) -> timedelta | None:
        """How long the run itself took, which is not the outage."""
        return None if self.ended is None else self.ended - self.started


def _touched_nobody(records: Sequence[Record], closed: entries.Closed | None) -> str:
    """Why there was nothing to measure in a run that ended well: it planned what serves nobody, and looked at no user."""
    planned = _last(records, entries.Planned)[1]
    if closed is None or closed.status is not Status.RECOVERED or planned is None:
        return ""
    looked = any(isinstance(record.entry, entries.Observed) for record in records)
    serving = any(change.decides not in {Decides.GROUND, Decides.COPY} for change in planned.changes)
    return "" if looked or serving else "it touched nobody's service"


def timeline(records: Sequence[Record]) -> Timeline:
    """The timeline of a journal; :class:`EvidenceBroken` if it does not begin with a run's opening."""
    if not records or not isinstance(records[0].entry, entries.Opened):
        raise EvidenceBroken("the journal does not begin with the opening of a run")
    opened = records[0].entry
    closed_at, closed = _last(_since_reopened(records), entries.Closed)
    lost = _lost_service(records)
    instants = _instants(records, opened)
    latest = _since_reopened(records)
    mirrors = tuple(entry for _, entry in _all(latest, copyentries.MirrorSeen))
    replicas = tuple(entry for _, entry in _all(latest, copyentries.ReplicaSeen))
    restored = tuple(_all(latest, copyentries.ObjectsRestored))
    apart = "it touched nobody's service" if mirrors or replicas else _touched_nobody(records, closed)
    return Timeline(
        opened=opened,
        started=records[0].at,
        ended=closed_at,
        status=closed.status if closed else None,
        reason=closed.reason if closed else "",
        engine=_last(records, entries.EngineChosen)[1],
        instants=instants,
        spans=_spans(instants),
        rto=rto_of_restore(opened.rto, opened.since, *restored[-1])
        if restored
        else Measure(opened.rto, timedelta(0), apart)
        if apart
        else _rto(records, opened, instants, lost),
        rpo=_rpo_of_mirrors(opened, mirrors)
        if mirrors
        else _rpo_of_replicas(replicas)
        if replicas
        else rpo_of_restore(opened.rpo, opened.since, restored[-1][1])
        if restored
        else Measure(opened.rpo, timedelta(0), apart)
        if apart
        else _rpo(records, opened),
        steps=_steps(records),
        notes=tuple(entry for _, entry in _all(records, entries.Noted) if not entry.step),
        changes=_changes(records),
        planned=_last(records, entries.Planned)[1],
        approved=_last(records, entries.Approved)[1],
        moved=_last(records, entries.AnswersMoved)[1],
        served=_last(records, entries.UsersServed)[1],
        sightings=tuple(Sighting(e.step, e.aim, e.observation) for _, e in _all(records, entries.Observed)),
        reopened=tuple(entry for _, entry in _all(records, entries.Reopened)),
        lost_service=lost,
        head=records[-1].hash,
        entries_count=len(records),
        told=tuple(_all(records, entries.Told)),
        forecast=_last(records, entries.Forecast)[1],
        mirrors=mirrors,
        replicas=replicas,
        versions=tuple(entry for _, entry in _all(latest, copyentries.VersionSeen)),
        audited=tuple(entry for _, entry in _all(latest, copyentries.Audited)),
        restored=tuple(entry for _, entry in restored),
        left=tuple(entry for _, entry in _all(latest, copyentries.ObjectLeft)),
    )


def _instants(records: Sequence[Record], opened: entries.Opened) -> Instants:
    served = _last(records, entries.UsersServed)[1]
    moved = _last(records, entries.AnswersMoved)[1]
    made = [at for at, entry in _all(records, entries.ChangeMade) if not entry.undo]
    return Instants(
        first_bad=opened.since,
        down=(opened.down_at or records[0].at) if opened.since else None,
        decided=_last(records, entries.Approved)[0],
        last_write=made[-1] if made else None,
        answers_moved=moved.at if moved else None,
        served=served.since if served else None,
    )


def _spans(instants: Instants) -> tuple[Span, ...]:
    """Five spans end to end. None reaches beyond the moment when users were served: what comes later is not outage."""
    moments = [
        instants.first_bad,
        instants.down,
        instants.decided,
        instants.last_write,
        instants.answers_moved,
        instants.served,
    ]
    known: list[datetime | None] = []
    latest: datetime | None = None
    for moment in moments:
        if moment is not None:
            bounded = min(moment, instants.served) if instants.served else moment
            latest = max(bounded, latest) if latest else bounded
        known.append(latest if moment is not None else None)
    return tuple(
        Span(phase, end - begin if begin and end else None)
        for phase, begin, end in zip(Phase, known, known[1:], strict=False)
    )


def _rto(
    records: Sequence[Record],
    opened: entries.Opened,
    instants: Instants,
    lost: tuple[tuple[datetime, datetime | None], ...],
) -> Measure:
    if instants.served is None:
        return Measure(opened.rto, None, "users were not seen to be served for good")
    if (back := set_back(records)) > CLOCK_TOLERANCE:
        return Measure(opened.rto, None, f"the wall clock was set back by {back} during the run")
    if opened.since is not None and opened.since > instants.served + CLOCK_TOLERANCE:
        return Measure(opened.rto, None, "the outage is said to begin after users were served: a clock was wrong")
    if opened.since is not None:
        return Measure(opened.rto, max(instants.served - opened.since, timedelta(0)))
    if opened.moves_served_users:
        ends = [end or instants.served for _, end in lost]
        outage = sum((end - begin for (begin, _), end in zip(lost, ends, strict=True)), timedelta(0))
        return Measure(opened.rto, outage, "" if lost else "users never lost service meanwhile")
    return Measure(
        opened.rto,
        None,
        "nobody knows since when users had no service: give --since, or keep defib watch running",
    )


def _rpo(records: Sequence[Record], opened: entries.Opened) -> Measure:
    read = _last(records, entries.RecoveryPointRead)[1]
    if read is None:
        return Measure(opened.rpo, None, "no recovery point was read")
    if _last(records, entries.UsersServed)[1] is None:
        return Measure(opened.rpo, None, "users were not seen to be served, so nothing was recovered to any point")
    return Measure(opened.rpo, read.lag, read.why)


def _rpo_of_mirrors(opened: entries.Opened, mirrors: Sequence[copyentries.MirrorSeen]) -> Measure:
    """The furthest that any mirror was behind its source; unknown where that is not known of one."""
    unknown = [f"{seen.repository} at {seen.place}" for seen in mirrors if seen.lag is None]
    if unknown:
        return Measure(opened.rpo, None, f"nobody knows how far {', '.join(unknown)} is behind")
    worst = max(mirrors, key=lambda seen: seen.lag or timedelta(0))
    why = f"{worst.repository} at {worst.place} was furthest behind" if worst.lag else "every mirror had everything"
    return Measure(opened.rpo, worst.lag, why)


def _rpo_of_replicas(replicas: Sequence[copyentries.ReplicaSeen]) -> Measure:
    """That of the pair which has used most of its own RPO; one that missed it counts before one of which nobody knows."""
    measures = [Measure(seen.rpo, seen.exposure, f"{seen.pair}: {seen.why}" if seen.why else "") for seen in replicas]
    unknown = [measure for measure in measures if measure.share is None]
    worst = max(measures, key=lambda measure: measure.share or 0.0)
    return worst if worst.verdict is Verdict.MISSED or not unknown else unknown[0]


def _steps(records: Sequence[Record]) -> tuple[StepLine, ...]:
    lines: dict[int, StepLine] = {}
    latest: dict[str, int] = {}
    for record in records:
        entry = record.entry
        if isinstance(entry, entries.StepStarted):
            latest[entry.step] = len(lines)
            lines[len(lines)] = StepLine(entry.step, entry.phase, entry.plane, entry.budget, record.at, None, "")
        elif isinstance(entry, entries.StepEnded | entries.Noted) and entry.step in latest:
            number = latest[entry.step]
            lines[number] = _told(lines[number], entry)
    return tuple(lines.values())


def _told(line: StepLine, entry: entries.StepEnded | entries.Noted) -> StepLine:
    if isinstance(entry, entries.Noted):
        return replace(line, notes=(*line.notes, entry))
    return replace(line, took=entry.took, outcome=entry.outcome, error=entry.error)


def _changes(records: Sequence[Record]) -> tuple[ChangeLine, ...]:
    planned = _last(records, entries.Planned)[1]
    lines = {
        number: ChangeLine(number, change, "planned")
        for number, change in enumerate(planned.changes if planned else (), start=1)
    }
    for record in records:
        entry, at = record.entry, record.at
        if isinstance(entry, entries.ChangeIntended) and not entry.undo:
            lines[entry.number] = ChangeLine(entry.number, entry.change, "intended", at)
        elif isinstance(entry, entries.ChangeMade) and entry.number in lines:
            state = "undone" if entry.undo else "already there" if entry.already else "made"
            if lines[entry.number].state == "intended" and state == "already there":
                state = "made"
            lines[entry.number] = ChangeLine(entry.number, lines[entry.number].change, state, at)
        elif isinstance(entry, entries.ChangeNotUndone) and entry.number in lines:
            lines[entry.number] = ChangeLine(entry.number, lines[entry.number].change, "not undone", at, entry.why)
    return tuple(lines.values())


def _lost_service(records: Sequence[Record]) -> tuple[tuple[datetime, datetime | None], ...]:
    looks = sorted(
        (e.observation for _, e in _all(records, entries.Observed) if e.aim == "users"),
        key=lambda seen: seen.at,
    )
    rows: list[tuple[datetime, datetime | None]] = []
    without: set[str] = set()
    for seen in looks:
        if seen.health is Health.BAD:
            if not without:
                rows.append((seen.at, None))
            without.add(seen.observer)
        elif seen.health is Health.GOOD and seen.observer in without:
            without.remove(seen.observer)
            if not without:
                rows[-1] = (rows[-1][0], seen.at)
    return tuple(rows)


def set_back(records: Sequence[Record]) -> timedelta:
    """By how much the wall clock lost against the monotonic one, summed over the processes that wrote the journal.

    One that gained may have been set, or the machine may have slept, which the monotonic clock does not count.
    """
    lost = timedelta(0)
    for before, after in pairwise(records):
        if not isinstance(after.entry, entries.Reopened):
            lost += max((after.mono - before.mono) - (after.at - before.at), timedelta(0))
    return lost


def _since_reopened(records: Sequence[Record]) -> Sequence[Record]:
    for number in range(len(records) - 1, -1, -1):
        if isinstance(records[number].entry, entries.Reopened):
            return records[number:]
    return records


def _all(records: Iterable[Record], kind: type[Kind]) -> Iterable[tuple[datetime, Kind]]:
    return ((record.at, record.entry) for record in records if isinstance(record.entry, kind))


def _last(records: Sequence[Record], kind: type[Kind]) -> tuple[datetime | None, Kind | None]:
    for record in reversed(records):
        if isinstance(record.entry, kind):
            return record.at, record.entry
    return None, None
