"""Runs that died, or that hang: found from outside of them, without Prefect, and told to people once.

A run lives as long as the operating system holds its process's lock beside the journal. That is no heartbeat: a machine
that is so loaded that nothing moves for minutes kills no run here (case E2). A run that lives is told of only where it is
beyond all that its runbook allows it, or beyond a step's budget without a word; one that is slow and goes on is left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

from defib import entries
from defib.alerts.alert import Alert, AlertKind, Severity
from defib.alerts.bulletins import BURNS, marked
from defib.changes import standing
from defib.drills.drilled import DRILL
from defib.errors import DefibError
from defib.history import JOURNAL, RUNBOOK, SITE, is_alive, opening_of, status_of
from defib.home import Home
from defib.journal import Record, read_journal
from defib.report import words
from defib.runbook import parse_runbook
from defib.sites.site import Site, load_site

LOOKS_BACK = timedelta(days=7)
"""What died before is in ``defib runs``, and no news."""

SILENCE = timedelta(minutes=1)
"""A step beyond its budget that has not said anything for so long hangs; one that goes on saying something is slow."""


_CLOSED, _REOPENED = b'"kind":"Closed"', b'"kind":"Reopened"'
_LAST = 32 * 1024


class State(StrEnum):
    """How an unfinished run is: going on, slow but going on, hanging, beyond its budget, dead."""

    GOING = "going"
    SLOW = "slow"
    HANGING = "hanging"
    OVERDUE = "overdue"
    DEAD = "dead"
    UNREADABLE = "unreadable"

    @property
    def is_news(self) -> bool:
        """Whether people have to be told."""
        return self not in {State.GOING, State.SLOW}


@dataclass(frozen=True)
class Finding:
    """One unfinished run: how it is, why that is said, and the command to go on with.

    `key` is the same for the same news: a run that is resumed and dies again is news again, and so is an outage that has
    used up half of its RTO behind a dead run.
    """

    run_id: str
    site: str
    procedure: str
    state: State
    why: str
    then: str
    key: str
    drill: bool = False

    def alert(self) -> Alert:
        """What people are told; a rehearsal never cries."""
        title = f"{'[drill] ' if self.drill else ''}{self.site}: {self.procedure} {_TITLES[self.state]}"
        severity = Severity.WARNING if self.drill or self.state is State.OVERDUE else Severity.FAILURE
        text = f"{self.why}\nNext: {self.then}\nRun {self.run_id}."
        return Alert(AlertKind.FAILED, f"sentinel:{self.key}", title, text, severity, self.site, self.run_id)


_TITLES = {
    State.DEAD: "died",
    State.HANGING: "hangs",
    State.OVERDUE: "takes longer than it may",
    State.UNREADABLE: "cannot be judged: its journal is broken",
}


def look(home: Home, now: datetime) -> tuple[Finding, ...]:
    """How every unfinished run of the last days is; reads only. A run that ends meanwhile is not among them."""
    found = (judge(folder, now) for folder in home.runs() if _is_recent(folder, now))
    return tuple(each for each in found if each is not None)


def judge(folder: Path, now: datetime) -> Finding | None:
    """How one run is; None where it has ended, or has not begun."""
    # Asked first: a run that writes its end and leaves in between is then found to have ended, and not to have died.
    alive = is_alive(folder)
    if not alive and _ends_with_an_end(folder / JOURNAL):
        return None
    try:
        records = read_journal(folder / JOURNAL)[0]
        opened = opening_of(records, folder) if records else None
    except (DefibError, OSError) as error:
        then = f"defib verify {folder.name}"
        return None if alive else Finding(folder.name, "", "a run", State.UNREADABLE, str(error), then, folder.name)
    if opened is None or status_of(records) is not None:
        return None
    state, why = _alive(folder, records, now) if alive else _dead(records, now)
    last = records[-1] if state is State.DEAD else _taken_up(records)
    burnt = _burnt(opened, records, now) if state is State.DEAD else None
    said = f" Users are without service: {burnt} % of the RTO is used." if burnt else ""
    return Finding(
        run_id=folder.name,
        site=opened.site,
        procedure=opened.procedure,
        state=state,
        why=why + said,
        then=_next(folder.name, opened, state),
        key=f"{folder.name}:{state}:{last.n}{f':{burnt}' if burnt else ''}",
        drill=bool(marked(opened)) or opened.live,
    )


def site_of(home: Home, finding: Finding) -> Site | None:
    """The site as the run began with it, which says whom to tell; None where its file is lost."""
    try:
        return load_site(home.path / "runs" / finding.run_id / SITE)
    except DefibError:
        return None


def _is_recent(folder: Path, now: datetime) -> bool:
    try:
        return (folder / JOURNAL).stat().st_mtime > (now - LOOKS_BACK).timestamp()
    except OSError:
        return False


def _ends_with_an_end(journal: Path) -> bool:
    """Whether the last lines hold the end of the run: of a thousand runs that ended nothing more has to be read.

    No text in a journal can look like that, because its quotation marks are escaped.
    """
    try:
        with journal.open("rb") as file:
            file.seek(max(journal.stat().st_size - _LAST, 0))
            tail = file.read()
    except OSError:
        return False
    return tail.rfind(_CLOSED) > tail.rfind(_REOPENED)


def _dead(records: Sequence[Record], now: datetime) -> tuple[State, str]:
    left = len(standing(records))
    stand = f"{words.count(left, 'change')} of it stand" if left else "nothing of it stands"
    ago = words.duration(now - records[-1].at)
    return State.DEAD, f"Its process is gone since {ago}, {_where(records)}, and {stand}."


def _burnt(opened: entries.Opened, records: Sequence[Record], now: datetime) -> int | None:
    """How much of the RTO is used behind a run that can no longer say so; None where it is less, unknown, or over."""
    served = any(isinstance(record.entry, entries.UsersServed) for record in records)
    if opened.since is None or opened.moves_served_users or served:
        return None
    return max((burn for burn in BURNS if (now - opened.since) * 100 >= opened.rto * burn), default=None)


def _alive(folder: Path, records: Sequence[Record], now: datetime) -> tuple[State, str]:
    """By the budgets of the step that it is in, and of all its steps; seen from outside, time is the wall clock's."""
    took, silent = now - _taken_up(records).at, now - records[-1].at
    said = f"its last word was {words.duration(silent)} ago, {_where(records)}"
    step = _open_step(records)
    beyond = step is not None and isinstance(step.entry, entries.StepStarted) and now - step.at > step.entry.budget
    if beyond and silent > SILENCE:
        return State.HANGING, f"Its process lives, and {said}; the step's budget is over."
    allowed = _allowed(folder)
    if allowed is not None and took > allowed:
        text = f"It has been at work for {words.duration(took)}; its runbook allows {words.duration(allowed)}; {said}."
        return State.OVERDUE, text
    return (State.SLOW if beyond else State.GOING), f"{said[0].upper()}{said[1:]}."


def _allowed(folder: Path) -> timedelta | None:
    """The budgets of all steps together; None where nobody can tell, as of a drill, whose runbook is its procedure's."""
    try:
        runbook = parse_runbook((folder / RUNBOOK).read_text(encoding="utf-8"), folder / RUNBOOK)
        opened = opening_of(read_journal(folder / JOURNAL)[0], folder)
    except (OSError, ValueError, DefibError):
        return None
    return None if opened.procedure == DRILL else sum((step.budget for step in runbook.steps), timedelta(0))


def _taken_up(records: Sequence[Record]) -> Record:
    """Where the process that writes the journal now began."""
    begun = (record for record in reversed(records) if isinstance(record.entry, entries.Opened | entries.Reopened))
    return next(begun, records[0])


def _open_step(records: Sequence[Record]) -> Record | None:
    for record in reversed(records):
        if isinstance(record.entry, entries.StepStarted):
            return record
        if isinstance(record.entry, entries.StepEnded | entries.Reopened):
            return None
    return None


def _where(records: Sequence[Record]) -> str:
    step = _open_step(records)
    return f"at {step.entry.step}" if step and isinstance(step.entry, entries.StepStarted) else "between two steps"


def _next(run_id: str, opened: entries.Opened, state: State) -> str:
    if opened.procedure == DRILL:
        return "defib runs, for the runs that it made; defib lab heal, for what it broke"
    if state is State.DEAD:
        return f"defib resume {run_id}, or defib rollback {run_id}"
    return f"defib report {run_id} --form md; to end it: defib stop {run_id}, then defib rollback {run_id}"
