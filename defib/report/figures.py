"""The figures of a run or a drill as one stable object: what ``--json`` prints and ``report.json`` holds.

Lengths of time are seconds with millisecond precision, moments are ISO 8601 in UTC; null is *unknown* (or not reached),
never zero. Fields are only ever added.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from defib.objectives import EXIT_MISSED, EXIT_UNKNOWN, Measure, Mode, Phase, Plane, Status, Verdict
from defib.ports import RecordSet
from defib.report import mirrors, replicas, restores
from defib.report.mirrors import MirrorFigures
from defib.report.outlook import ForecastFigures, forecast_figures
from defib.report.replicas import ReplicaFigures
from defib.report.restores import RestoreFigures
from defib.report.words import seconds
from defib.timeline import ChangeLine, Span, StepLine, Timeline


@dataclass(frozen=True)
class ObjectiveFigures:
    """One objective against its target."""

    target_s: float
    """The ceiling."""
    actual_s: float | None
    """What was reached."""
    verdict: Verdict
    """``met``, ``missed`` or ``unknown``."""
    share: float | None
    """The part of the target that was used: 0.5 is half of it. Six decimals."""
    why: str
    """Why it is unknown, or how it was measured; empty where there is nothing to say."""


@dataclass(frozen=True)
class PhaseFigures:
    """The outage in five spans end to end; null where a moment that bounds it is not known."""

    detect: float | None
    """From the first bad look until the site was found down."""
    decide: float | None
    """Until the plan was approved."""
    act: float | None
    """Until the vendor accepted the last change."""
    propagate: float | None
    """Until the DNS gave the new answer."""
    verify: float | None
    """Until users were served, and stayed so."""


@dataclass(frozen=True)
class InstantFigures:
    """The six moments that bound the phases; null is a moment that has not come or is not known."""

    first_bad: datetime | None
    down: datetime | None
    decided: datetime | None
    last_write: datetime | None
    answers_moved: datetime | None
    served: datetime | None


@dataclass(frozen=True)
class NoteFigures:
    """Something a step saw or waited for."""

    text: str
    warning: bool


@dataclass(frozen=True)
class StepFigures:
    """One step against its budget."""

    name: str
    phase: Phase
    plane: Plane
    started: datetime
    budget_s: float
    took_s: float | None
    """Null while it runs, or if the run was cut off in it."""
    outcome: str | None
    """``done``, ``failed``, ``refused`` or ``interrupted``; null while it runs, or if the run was cut off in it."""
    error: dict[str, str]
    """The parts of the error under their labels: error, where, expected, seen, next. Empty without one."""
    notes: tuple[NoteFigures, ...]


@dataclass(frozen=True)
class RecordFigures:
    """One record set before or after a change."""

    name: str
    type: str
    ttl_s: int
    values: tuple[str, ...]
    attributes: dict[str, str]


@dataclass(frozen=True)
class ChangeFigures:
    """One change outside."""

    number: int
    target: str
    """Vendor, zone, name and type."""
    purpose: str
    before: tuple[RecordFigures | None, ...]
    """Each record set before, null where there was none, in the order of `after`."""
    after: tuple[RecordFigures | None, ...]
    state: str
    """``planned``, ``intended`` (may have landed), ``made``, ``already there``, ``undone`` or ``not undone``."""
    at: datetime | None
    why: str
    """Why it was not undone; empty otherwise."""


@dataclass(frozen=True)
class ApprovalFigures:
    """Who allowed which plan, and how: ``automatic``, ``terminal``, ``option`` or ``prefect``."""

    by: str
    how: str
    digest: str


@dataclass(frozen=True)
class PrefectFigures:
    """Whether Prefect ran the flow, and if not, why not; `used` is null where the journal does not say."""

    used: bool | None
    why: str


@dataclass(frozen=True)
class RunFigures:
    """One run."""

    run_id: str
    procedure: str
    site: str
    mode: Mode
    status: Status | None
    """Null while the run is open, which is also what a killed run looks like."""
    reason: str
    exit_code: int | None
    """What ``defib`` exits with: the status's code, or 6 or 7 where it recovered but an objective is unknown or missed."""
    started: datetime
    ended: datetime | None
    run_s: float | None
    """How long the run itself took, which is not the outage."""
    rto: ObjectiveFigures
    rpo: ObjectiveFigures
    phases: PhaseFigures
    instants: InstantFigures
    steps: tuple[StepFigures, ...]
    notes: tuple[NoteFigures, ...]
    """What was noted outside of any step."""
    changes: tuple[ChangeFigures, ...]
    plan_digest: str | None
    approved: ApprovalFigures | None
    forecast: ForecastFigures | None
    prefect: PrefectFigures
    follows: str | None
    """The run whose changes a failback takes back."""
    mirrors: tuple[MirrorFigures, ...]
    """Every mirror of every repository, as it was compared at the end; none where the run was about users."""
    replicas: tuple[ReplicaFigures, ...]
    """Every replica of a bucket, as it was compared; none where the run was about something else."""
    restored: tuple[RestoreFigures, ...]
    """Every bucket that was made what it was, as it was proved at the end."""
    head: str
    """Hash of the journal's last entry."""
    report: str | None
    """Path of the HTML report; relative to the file that this object stands in, if it stands in one."""


def run_figures(timeline: Timeline, report: Path | None = None) -> RunFigures:
    """The figures of one run."""
    opened = timeline.opened
    return RunFigures(
        run_id=opened.run_id,
        procedure=opened.procedure,
        site=opened.site,
        mode=opened.mode,
        status=timeline.status,
        reason=timeline.reason,
        exit_code=run_exit_code(timeline),
        started=timeline.started,
        ended=timeline.ended,
        run_s=seconds(timeline.run_took),
        rto=objective_figures(timeline.rto),
        rpo=objective_figures(timeline.rpo),
        phases=phase_figures(timeline.spans),
        instants=_instants(timeline),
        steps=tuple(_step(line) for line in timeline.steps),
        notes=tuple(NoteFigures(note.text, note.warning) for note in timeline.notes),
        changes=tuple(_change(line) for line in timeline.changes),
        plan_digest=timeline.planned.digest if timeline.planned else None,
        approved=_approval(timeline),
        forecast=forecast_figures(timeline.forecast) if timeline.forecast else None,
        prefect=prefect_figures(timeline),
        follows=opened.follows or None,
        mirrors=mirrors.figures(timeline),
        replicas=replicas.figures(timeline),
        restored=restores.figures(timeline),
        head=timeline.head,
        report=str(report) if report else None,
    )


def run_exit_code(timeline: Timeline) -> int | None:
    """What ``defib`` exits with for a run; None while it is open."""
    return exit_code(timeline.status, (timeline.rto.verdict, timeline.rpo.verdict))


def exit_code(status: Status | None, verdicts: Sequence[Verdict]) -> int | None:
    """The code of a status, or where it recovered that of its worst objective; None while it is open."""
    if status is None:
        return None
    if status is Status.RECOVERED and Verdict.UNKNOWN in verdicts:
        return EXIT_UNKNOWN
    if status is Status.RECOVERED and Verdict.MISSED in verdicts:
        return EXIT_MISSED
    return status.exit_code


def objective_figures(measure: Measure) -> ObjectiveFigures:
    """One objective."""
    share = measure.share if measure.target else None
    return ObjectiveFigures(
        target_s=round(measure.target.total_seconds(), 3),
        actual_s=seconds(measure.actual),
        verdict=measure.verdict,
        share=None if share is None else round(share, 6),
        why=measure.why,
    )


def phase_figures(spans: Sequence[Span]) -> PhaseFigures:
    """The five spans of an outage."""
    took = {span.phase: seconds(span.took) for span in spans}
    return PhaseFigures(
        detect=took.get(Phase.DETECT),
        decide=took.get(Phase.DECIDE),
        act=took.get(Phase.ACT),
        propagate=took.get(Phase.PROPAGATE),
        verify=took.get(Phase.VERIFY),
    )


def _instants(timeline: Timeline) -> InstantFigures:
    moments = timeline.instants
    return InstantFigures(
        first_bad=_utc(moments.first_bad),
        down=_utc(moments.down),
        decided=_utc(moments.decided),
        last_write=_utc(moments.last_write),
        answers_moved=_utc(moments.answers_moved),
        served=_utc(moments.served),
    )


def _utc(at: datetime | None) -> datetime | None:
    return None if at is None else at.astimezone(UTC)


def _step(line: StepLine) -> StepFigures:
    return StepFigures(
        name=line.name,
        phase=line.phase,
        plane=line.plane,
        started=line.started,
        budget_s=round(line.budget.total_seconds(), 3),
        took_s=seconds(line.took),
        outcome=line.outcome or None,
        error=dict(line.error),
        notes=tuple(NoteFigures(note.text, note.warning) for note in line.notes),
    )


def _change(line: ChangeLine) -> ChangeFigures:
    return ChangeFigures(
        number=line.number,
        target=line.change.target,
        purpose=line.change.purpose,
        before=tuple(_record(record) for record in line.change.before),
        after=tuple(_record(record) for record in line.change.after),
        state=line.state,
        at=line.at,
        why=line.why,
    )


def _record(record: RecordSet | None) -> RecordFigures | None:
    if record is None:
        return None
    return RecordFigures(
        record.key.name, record.key.type, int(record.ttl.total_seconds()), record.values, dict(record.attributes)
    )


def _approval(timeline: Timeline) -> ApprovalFigures | None:
    approved = timeline.approved
    return ApprovalFigures(approved.by, approved.how, approved.digest) if approved else None


def prefect_figures(timeline: Timeline) -> PrefectFigures:
    """Who ran the flow."""
    engine = timeline.engine
    if engine is None:
        return PrefectFigures(None, "the journal does not say")
    return PrefectFigures(engine.prefect, engine.why)
