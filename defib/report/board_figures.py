"""The board as one stable object: what ``defib board --json`` prints.

Lengths of time are seconds, moments ISO 8601 in UTC; null is *unknown* or not there, never zero. Fields are only ever added.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from pydantic import TypeAdapter

from defib.board.glance import Glance
from defib.board.model import Board, Copy, ProcedureBoard, Running, SiteBoard
from defib.objectives import EXIT_UNKNOWN, Mode, Status
from defib.ready.check import FAILED, State
from defib.report.figures import ObjectiveFigures, objective_figures
from defib.report.words import seconds


@dataclass(frozen=True)
class RunShown:
    """One run in short."""

    run_id: str
    procedure: str
    mode: Mode
    status: Status | None
    """Null while it has no end."""
    reason: str
    started: datetime
    ended: datetime | None
    rto: ObjectiveFigures
    rpo: ObjectiveFigures


@dataclass(frozen=True)
class ProcedureShown:
    """What is proved of one procedure."""

    procedure: str
    state: State
    """``ok``, ``warn``, ``unknown`` (also: never proved) or ``fail``."""
    says: tuple[str, ...]
    """Why, the worst first."""
    last: RunShown | None
    """The last run that recovered."""
    drill: RunShown | None
    """The last drill, whatever came of it; its figures are those of its runs."""
    next: str | None
    """The command that proves it."""


@dataclass(frozen=True)
class CopyShown:
    """A mirror or a replica as it was last compared."""

    kind: str
    name: str
    state: State
    at: datetime
    rpo: ObjectiveFigures
    worst_s: float | None
    held: str
    says: tuple[str, ...]
    run_id: str


@dataclass(frozen=True)
class RunningShown:
    """A run whose process is alive."""

    run_id: str
    procedure: str
    mode: Mode
    is_drill: bool
    started: datetime
    step: str | None
    step_since: datetime | None
    outage: bool
    """Whether users have no service, as far as the run knows."""
    out_since: datetime | None
    waits_until: datetime | None
    """Until when its plan waits for an approval; null where it waits for none."""


@dataclass(frozen=True)
class ReadyShown:
    """The last readiness check; `state` is ``unknown`` where it is old, or was never made."""

    state: State
    at: datetime | None
    why: str
    findings: dict[str, int]
    """How many findings there are of each state."""


@dataclass(frozen=True)
class DownShown:
    """Users have no service, as a running ``defib watch`` sees it."""

    since: datetime
    seen_at: datetime


@dataclass(frozen=True)
class SiteShown:
    """One site."""

    site: str
    title: str
    lab: bool
    state: State
    problem: str | None
    """What is wrong with its file."""
    ready: ReadyShown
    down: DownShown | None
    running: tuple[RunningShown, ...]
    half_way: tuple[RunShown, ...]
    """Runs that are over or dead, and left changes that may stand."""
    away: str | None
    """The run that sent users where they are now, if nothing took them back since."""
    held_back: bool
    """Whether a kill switch is on, for this site alone or for all."""
    procedures: tuple[ProcedureShown, ...]
    copies: tuple[CopyShown, ...]
    unreadable: dict[str, str]
    """Runs that cannot be read, and why."""


@dataclass(frozen=True)
class BoardShown:
    """Every site."""

    at: datetime
    state: State
    exit_code: int
    sites: tuple[SiteShown, ...]
    unreadable: dict[str, str]
    problems: tuple[str, ...]
    """What is wrong with runbooks."""
    hidden: int
    """Sites of the lab that nothing was ever run on."""


_BOARD = TypeAdapter(BoardShown)


def board_as_json(board: Board) -> str:
    """The board as one JSON object."""
    return json.dumps(_BOARD.dump_python(board_figures(board), mode="json"), indent=2, ensure_ascii=False, allow_nan=False)


def board_exit_code(board: Board) -> int:
    """0 where all is proved and ready, 1 where something is wrong, 6 where that cannot be told."""
    return {State.FAIL: FAILED, State.UNKNOWN: EXIT_UNKNOWN}.get(board.state, 0)


def board_figures(board: Board) -> BoardShown:
    """The board as its object."""
    return BoardShown(
        at=board.at,
        state=board.state,
        exit_code=board_exit_code(board),
        sites=tuple(_site(site, everywhere=board.held is not None) for site in board.sites),
        unreadable={each.run: each.why for each in board.unreadable},
        problems=board.problems,
        hidden=board.hidden,
    )


def _site(site: SiteBoard, *, everywhere: bool) -> SiteShown:
    return SiteShown(
        site=site.name,
        title=site.title,
        lab=site.is_lab,
        state=site.state,
        problem=site.problem or None,
        ready=_ready(site),
        down=DownShown(site.down.since, site.down.seen_at) if site.down else None,
        running=tuple(_running(run) for run in site.running),
        half_way=tuple(_run(left.glance) for left in site.left),
        away=site.away.run if site.away else None,
        held_back=everywhere or site.held is not None,
        procedures=tuple(_procedure(each) for each in site.procedures),
        copies=tuple(_copy(copy) for copy in site.copies),
        unreadable={each.run: each.why for each in site.unreadable},
    )


def _ready(site: SiteBoard) -> ReadyShown:
    found = site.ready.found
    states = [check.state for check in found.checks] if found else []
    counted = {state.value: states.count(state) for state in State if state in states}
    return ReadyShown(site.ready.state, found.at if found else None, site.ready.why, counted)


def _run(run: Glance) -> RunShown:
    return RunShown(
        run_id=run.run,
        procedure=run.procedure,
        mode=run.opened.mode,
        status=run.status,
        reason=run.reason,
        started=run.started,
        ended=run.ended,
        rto=objective_figures(run.rto),
        rpo=objective_figures(run.rpo),
    )


def _procedure(shown: ProcedureBoard) -> ProcedureShown:
    return ProcedureShown(
        procedure=shown.name,
        state=shown.state,
        says=shown.says,
        last=_run(shown.last) if shown.last else None,
        drill=_run(shown.drill) if shown.drill else None,
        next=shown.then or None,
    )


def _copy(copy: Copy) -> CopyShown:
    return CopyShown(
        kind=copy.kind,
        name=copy.name,
        state=copy.state,
        at=copy.at,
        rpo=objective_figures(copy.measure),
        worst_s=seconds(copy.worst),
        held=copy.held,
        says=copy.says,
        run_id=copy.run,
    )


def _running(run: Running) -> RunningShown:
    return RunningShown(
        run_id=run.run,
        procedure=run.procedure,
        mode=run.mode,
        is_drill=run.is_drill,
        started=run.started,
        step=run.step or None,
        step_since=run.step_since,
        outage=run.outage,
        out_since=run.out_since,
        waits_until=run.waits_until,
    )
