"""The figures of a drill as one stable object, beside those of its runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from defib.about import About
from defib.drills import drilled
from defib.drills.drilled import Drill
from defib.drills.score import score
from defib.objectives import Measure, Status, Verdict
from defib.report.figures import ObjectiveFigures, PhaseFigures, exit_code, objective_figures, phase_figures, prefect_figures
from defib.report.words import seconds


@dataclass(frozen=True)
class EyewitnessFigures:
    """The outage on the way out as an observer that knows nothing of the run saw it."""

    outage_s: float | None
    disagreement_s: float | None
    """How far the report's outage is from it; null where either is unknown."""
    verdict: Verdict
    """``met`` where they agree within a second."""


@dataclass(frozen=True)
class FailbackFigures:
    """The way back. `outage_s` is how long users had no service during it."""

    run_id: str | None
    status: Status | None
    outage_s: float | None


@dataclass(frozen=True)
class PointFigures:
    """One objective or check of the score; `met` is null where nobody knows, which counts as not met."""

    name: str
    met: bool | None
    why: str


@dataclass(frozen=True)
class ScoreFigures:
    """The share of the objectives and checks that were met, each counting the same (:mod:`defib.drills.score`)."""

    percent: int
    points: tuple[PointFigures, ...]


@dataclass(frozen=True)
class DrillFigures:
    """One drill: a fault, the recovery from it, the way back, and what was left behind."""

    drill_id: str
    run_id: str | None
    """The forward run's; null if there was none."""
    status: Status | None
    reason: str
    exit_code: int | None
    """The status's code, or 6 where the drill recovered but RTO, RPO, eyewitness or residue is unknown."""
    fault: str | None
    """What was broken, as ``target: fault``."""
    rto: ObjectiveFigures
    rpo: ObjectiveFigures
    phases: PhaseFigures
    eyewitness: EyewitnessFigures
    failback: FailbackFigures
    residue: tuple[str, ...] | None
    """What the outside state gained (``+ …``) and lost (``- …``); empty is none; null where it could not be compared."""
    prefect: bool | None
    """Whether Prefect ran the forward run; null where no journal says."""
    started: datetime
    ended: datetime | None
    head: str
    report: str | None
    procedure: str = ""
    """What was drilled."""
    ending: str = ""
    """``done``, ``failed``, ``skipped``, ``missed``, ``interrupted`` or ``open``."""
    score: ScoreFigures | None = None
    """Null of a drill that was not held."""
    due: datetime | None = None
    """The planned moment that it answers; null where a person wanted it."""


def drill_figures(drill: Drill, report: Path | None = None) -> DrillFigures:
    """The figures of one drill."""
    forward = drill.forward
    nothing = "there was no forward run"
    return DrillFigures(
        drill_id=drill.opened.run_id,
        run_id=forward.opened.run_id if forward else None,
        status=drill.status,
        reason=drill.reason,
        exit_code=drill_exit_code(drill),
        fault=", ".join(f"{fault.target}: {fault.fault}" for _, fault in drill.faults if fault.fault) or None,
        rto=objective_figures(forward.rto if forward else Measure(drill.opened.rto, None, nothing)),
        rpo=objective_figures(forward.rpo if forward else Measure(drill.opened.rpo, None, nothing)),
        phases=phase_figures(forward.spans if forward else ()),
        eyewitness=EyewitnessFigures(seconds(drill.witnessed), seconds(drill.disagreement), agreement(drill).verdict),
        failback=FailbackFigures(
            run_id=drill.failback.opened.run_id if drill.failback else None,
            status=drill.failback.status if drill.failback else None,
            outage_s=seconds(drill.failback.rto.actual) if drill.failback else None,
        ),
        residue=drill.residue,
        prefect=prefect_figures(forward).used if forward else None,
        started=drill.started,
        ended=drill.ended,
        head=drill.head,
        report=str(report) if report else None,
        procedure=drill.procedure,
        ending=drill.ending.value,
        score=score_figures(drill),
        due=drill.asked.due if drill.asked else None,
    )


def score_figures(drill: Drill) -> ScoreFigures | None:
    """The score and its points."""
    found = score(drill)
    if found is None:
        return None
    return ScoreFigures(found.percent, tuple(PointFigures(point.name, point.met, point.why) for point in found.points))


def agreement(drill: Drill) -> Measure:
    """Report against eyewitness, as a measure: how far they are apart, and how far they may be."""
    return Measure(drilled.AGREEMENT, drill.disagreement)


def drill_exit_code(drill: Drill) -> int | None:
    """What ``defib`` exits with for a drill; None while it is open."""
    if drill.about is not About.USERS:
        return exit_code(drill.status, [Verdict.UNKNOWN if drill.residue is None else Verdict.MET])
    figures = [agreement(drill).verdict, Verdict.UNKNOWN if drill.residue is None else Verdict.MET]
    figures += [drill.forward.rto.verdict, drill.forward.rpo.verdict] if drill.forward else [Verdict.UNKNOWN]
    return exit_code(drill.status, figures)
