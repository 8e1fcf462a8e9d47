"""The drills of a site as they are on this machine: what a calendar needs of them, and a line each for whoever looks back.

Drills of the lab have a journal of their own. A site that is not in the lab is drilled by a run that moves its users
while they are served (``defib drill --live``); it counts here as well, and its way back is a run of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from defib import drillentries, entries
from defib.drills.calendar import Ending, PastDrill
from defib.drills.drilled import DRILL, ending_of, procedure_of
from defib.drills.line import DrillLine, Unreadable, line_of
from defib.drills.proofs import drill_folders, read_drill, words_of
from defib.errors import EvidenceBroken
from defib.history import JOURNAL, is_alive, opening_of, status_of
from defib.home import Home
from defib.journal import Record, read_journal
from defib.objectives import Status
from defib.timeline import timeline

USERS_PROCEDURES = ("cdn-failover", "dns-switch", "aws-redeploy")


def past_drills(home: Home, site: str) -> tuple[PastDrill, ...]:
    """Every drill of a site as a calendar needs it, oldest first, by their own journals alone.

    One whose journal does not verify proves nothing, and is left out.
    """
    found = [_past(folder) for folder in drill_folders(home, site)]
    found += [_past_live(folder) for folder in _runs_on(home, site)]
    return tuple(sorted((each for each in found if each), key=lambda each: each.at))


def drills_asked_by(home: Home, site: str, trigger: str, since: datetime) -> tuple[Path, ...]:
    """The folders of the drills of a site that were asked for in exactly these words since then, oldest first."""
    return tuple(folder for folder in drill_folders(home, site) if _is_asked_by(folder, trigger, since))


def drill_lines(home: Home, site: str) -> tuple[tuple[DrillLine, ...], tuple[Unreadable, ...]]:
    """A line for each drill of a site, oldest first, and those that cannot be read."""
    lines: list[DrillLine] = []
    broken: list[Unreadable] = []
    for folder in (*drill_folders(home, site), *_runs_on(home, site)):
        crashed = not is_alive(folder)  # asked first: one that ends in between has not crashed
        try:
            is_drill = words_of(folder).startswith(f"{DRILL}-")
            line = line_of(read_drill(home, folder), crashed=crashed) if is_drill else _live_line(folder, crashed=crashed)
        except EvidenceBroken as error:
            broken.append(Unreadable(folder.name, error.what))
        else:
            lines += [line] if line else []
    return tuple(sorted(lines, key=lambda line: line.at)), tuple(broken)


def _live_line(folder: Path, *, crashed: bool) -> DrillLine | None:
    records = read_journal(folder / JOURNAL)[0]
    if not _is_live(records, folder):
        return None
    told = timeline(records)
    opened = told.opened
    return DrillLine(
        drill_id=folder.name,
        site=opened.site,
        procedure=opened.procedure,
        at=told.started,
        ending=_ending_live(told.status),
        reason=told.reason,
        why="live, by hand",
        due=None,
        rto=told.rto,
        rpo=told.rpo,
        score=None,
        live=True,
        crashed=told.status is None and crashed,
    )


def _is_asked_by(folder: Path, trigger: str, since: datetime) -> bool:
    try:
        records = read_journal(folder / JOURNAL)[0]
    except EvidenceBroken:
        return False
    asked = [record.entry.by for record in records if isinstance(record.entry, drillentries.DrillAsked)]
    return bool(records) and records[0].at >= since and trigger in asked


def _past(folder: Path) -> PastDrill | None:
    try:
        records = read_journal(folder / JOURNAL)[0]
        opened = opening_of(records, folder)
    except EvidenceBroken:
        return None
    asked = next((record.entry for record in records if isinstance(record.entry, drillentries.DrillAsked)), None)
    closed = next((record.entry for record in reversed(records) if isinstance(record.entry, entries.Closed)), None)
    ending = ending_of(closed.status if closed else None, closed.reason if closed else "")
    return PastDrill(procedure_of(opened, asked), records[0].at, ending, asked.due if asked else None)


def _past_live(folder: Path) -> PastDrill | None:
    try:
        records = read_journal(folder / JOURNAL)[0]
        if not _is_live(records, folder):
            return None
    except EvidenceBroken:
        return None
    return PastDrill(opening_of(records, folder).procedure, records[0].at, _ending_live(status_of(records)))


def _ending_live(status: Status | None) -> Ending:
    """A live drill that is refused has moved nobody: it was not held."""
    return ending_of(status, "")


def _is_live(records: tuple[Record, ...], folder: Path) -> bool:
    return bool(records) and opening_of(records, folder).live


def _runs_on(home: Home, site: str) -> Iterator[Path]:
    wanted = {f"{procedure}-{site}" for procedure in USERS_PROCEDURES}
    return (folder for folder in home.runs() if words_of(folder) in wanted)
