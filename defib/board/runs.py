"""Runs as a board reads them: as few as it needs, and of those that have ended only both ends and the report.

A run's ``report.json`` was made from its journal. It is believed where it is not older than the journal and names the hash
of the journal's last entry; wherever it does not, the whole journal is read. Nothing here is evidence: that is what
``defib verify`` is for.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from defib import entries
from defib.board.files import Files, stamp
from defib.board.glance import Glance, Unreadable, glance_at_ends, glance_at_run
from defib.clock import Deadline
from defib.drills.drilled import DRILL
from defib.entries import Entry
from defib.errors import EvidenceBroken
from defib.history import JOURNAL, is_alive
from defib.home import Home
from defib.journal import Ends, Record, read_ends, read_journal
from defib.report.figures import RunFigures, run_figures
from defib.timeline import timeline

REPORT = "report.json"
NOT_IN_TIME = "there was no time to read it"
_ID = re.compile(r"\d{8}-\d{9}-(.+)-[0-9a-f]{4}")
_FIGURES = TypeAdapter(RunFigures)
_GOING_ON = 256 * 1024
"""So many bytes of a run that goes on are read each time: a restore of 100,000 objects must not be slowed by being seen."""

Seen = Glance | Unreadable


@dataclass(frozen=True)
class Group:
    """The runs of one procedure on one site by their names, the newest first: `words` are what their ids have in common."""

    words: str
    names: tuple[str, ...]


class Runs:
    """The runs of a home."""

    def __init__(self, home: Home, files: Files) -> None:
        self._folder = home.path / "runs"
        self._files = files

    def groups(self) -> tuple[Group, ...]:
        """All runs by what their ids say; a folder that is named by somebody else is a group of its own."""
        found: dict[str, list[str]] = defaultdict(list)
        for name in _folders(self._folder):
            named = _ID.fullmatch(name)
            found[named[1] if named else name].append(name)
        return tuple(Group(words, tuple(sorted(names, reverse=True))) for words, names in sorted(found.items()))

    def folder(self, name: str) -> Path:
        """Where a run is kept."""
        return self._folder / name

    def glances(self, group: Group, within: Deadline) -> Iterator[Seen]:
        """The runs of a group, the newest first; nothing of those that were killed before their first entry."""
        for name in group.names:
            if within.expired():
                yield Unreadable(name, NOT_IN_TIME)
                return
            seen = self.glance(name)
            if seen is not None:
                yield seen

    def glance(self, name: str) -> Seen | None:
        """One run, or why it cannot be read; None where its journal has no entry."""
        folder = self._folder / name
        return self._files.read("glance", folder / JOURNAL, partial(_glance, folder), folder / REPORT)

    def whole(self, name: str) -> Seen:
        """One run from its whole journal, for one that has no end."""
        return self._files.read("whole", self._folder / name / JOURNAL, _whole)

    def is_alive(self, name: str) -> bool:
        """Whether the process that writes it still lives."""
        return is_alive(self._folder / name)

    def newest_entries(self, name: str) -> tuple[Record, ...]:
        """The last entries of a run that is going on, the newest first; none where they cannot be read."""
        return self._files.read("newest", self._folder / name / JOURNAL, _newest)


def _folders(runs: Path) -> Sequence[str]:
    try:
        with os.scandir(runs) as found:
            return [each.name for each in found if not each.name.startswith(".")]
    except OSError:
        return ()


def _glance(folder: Path, journal: Path) -> Seen | None:
    found = stamp(journal)
    if found is None or found[1] == 0:
        return None
    try:
        ends = read_ends(journal, _is_an_end)
        opened = ends.first.entry
        if not isinstance(opened, entries.Opened):
            return Unreadable(folder.name, "its journal does not begin with the opening of a run")
        if opened.run_id != folder.name:
            return Unreadable(folder.name, "its journal is that of another run")
        closed = _closed(ends)
        if closed is None or opened.procedure == DRILL:
            return glance_at_ends(opened, ends.first.at, closed)
        return glance_at_run(opened, _reported(folder, ends) or run_figures(timeline(read_journal(journal)[0])))
    except EvidenceBroken as error:
        return Unreadable(folder.name, error.what)


def _whole(journal: Path) -> Seen:
    try:
        told = timeline(read_journal(journal)[0])
    except EvidenceBroken as error:
        return Unreadable(journal.parent.name, error.what)
    return glance_at_run(told.opened, run_figures(told))


def _newest(journal: Path) -> tuple[Record, ...]:
    try:
        return read_ends(journal, lambda _: False, _GOING_ON).newest
    except EvidenceBroken:
        return ()


def _is_an_end(entry: Entry) -> bool:
    return isinstance(entry, entries.Closed | entries.Reopened)


def _closed(ends: Ends) -> tuple[datetime, entries.Closed] | None:
    """When and how a journal was closed, unless it was taken up again since; little is written after its close."""
    last = ends.newest[-1] if ends.newest else None
    return (last.at, last.entry) if last is not None and isinstance(last.entry, entries.Closed) else None


def _reported(folder: Path, ends: Ends) -> RunFigures | None:
    """The figures of the run's report, if it is one of this journal as it is now."""
    report = folder / REPORT
    try:
        if not ends.newest or report.stat().st_mtime_ns < (folder / JOURNAL).stat().st_mtime_ns:
            return None
        figures = _FIGURES.validate_json(report.read_bytes())
    except (OSError, ValidationError):
        return None  # made by an older version, half copied, or none at all: the journal says the same
    return figures if (figures.head, figures.run_id) == (ends.newest[0].hash, folder.name) else None
