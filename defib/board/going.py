"""What goes on: runs whose process is alive, outages that detection sees, what stopped half-way, and what holds all back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from defib import entries
from defib.about import About, about, changes_nothing
from defib.board.glance import Glance
from defib.board.model import Down, Held, Left, Running
from defib.board.runs import Runs
from defib.errors import EvidenceBroken
from defib.home import Home
from defib.journal import Record
from defib.objectives import Status
from defib.observe.killswitch import kill_switch, switch_path
from defib.observe.outage import known_outage
from defib.question import open_question

_MAY_LEAVE = frozenset({None, Status.INTERRUPTED, Status.FAILED})
_BACK = "failback"


def alive(runs: Runs, glances: Iterable[Glance]) -> tuple[Glance, ...]:
    """Those of which the process lives, the oldest first."""
    found = (run for run in glances if run.status is None and runs.is_alive(run.run))
    return tuple(sorted(found, key=lambda run: run.run))


def running(runs: Runs, glance: Glance) -> Running:
    """A run that is alive, by its last entries."""
    newest, opened = runs.newest_entries(glance.run), glance.opened
    since, step = _step(newest) or (None, None)
    served = any(isinstance(record.entry, entries.UsersServed) for record in newest)
    about_users = about(opened.procedure) is About.USERS and not glance.is_drill and not opened.moves_served_users
    return Running(
        run=glance.run,
        site=opened.site,
        procedure=glance.procedure,
        mode=opened.mode,
        is_drill=glance.is_drill,
        started=glance.started,
        step=step.step if step else "",
        step_since=since,
        step_budget=step.budget if step else None,
        outage=about_users and not served,
        out_since=opened.since,
        rto=opened.rto,
        waits_until=_waits_until(runs.folder(glance.run)),
    )


def _waits_until(folder: Path) -> datetime | None:
    """Until when a plan waits in the run's folder; a question that cannot be read asks nobody anything."""
    try:
        question = open_question(folder)
    except EvidenceBroken:
        return None
    return question.until if question else None


def _step(newest: Sequence[Record]) -> tuple[datetime, entries.StepStarted] | None:
    """The step that a run is in, and since when; None between two steps."""
    for record in newest:
        if isinstance(record.entry, entries.StepEnded):
            return None
        if isinstance(record.entry, entries.StepStarted):
            return record.at, record.entry
    return None


def left(runs: Runs, newest: Iterable[Glance]) -> Iterator[Left]:
    """What stopped half-way: of the runs about users, repositories and assets the newest each, if its changes stand."""
    latest: dict[About, Glance] = {}
    for run in sorted((run for run in newest if not run.is_drill), key=lambda run: run.run):
        if not changes_nothing(run.procedure):
            latest[about(run.procedure)] = run
    for run in latest.values():
        if run.status not in _MAY_LEAVE or (run.status is None and runs.is_alive(run.run)):
            continue
        whole = runs.whole(run.run) if run.status is None else run
        # It may have ended since it was glanced at, and its process with it.
        if isinstance(whole, Glance) and whole.status in _MAY_LEAVE and whole.standing:
            yield Left(whole, was_killed=whole.status is None)


def away(recovered: Iterable[Glance], moving: Iterable[str]) -> Glance | None:
    """The recovery that sent users where they are, if nothing took them back since; `moving` are procedures that do so."""
    known = {*moving, _BACK}
    last = max((run for run in recovered if run.procedure in known), key=lambda run: run.run, default=None)
    return None if last is None or last.procedure == _BACK else last


def down(home: Home, site: str, now: datetime) -> Down | None:
    """The outage that a running ``defib watch`` sees."""
    outage = known_outage(home.path, site, now)
    return None if outage is None else Down(outage.first_bad, outage.seen_at)


def held(home: Home, site: str = "") -> Held | None:
    """The kill switch of a site alone, or that of all where none is named."""
    switch = kill_switch(home.path, site)
    if switch is None or switch.path != switch_path(home.path, site):
        return None
    return Held(switch.since, switch.who, switch.why)
