"""Finding what a command was asked for, and refusing at once what cannot be what was meant."""

from __future__ import annotations

from pathlib import Path

from defib import entries
from defib.cli import procedures
from defib.drills.drilled import DRILL
from defib.errors import InputError
from defib.history import JOURNAL, opening_of
from defib.home import Home
from defib.journal import read_journal
from defib.runbook import load_runbook
from defib.start import Desk


def must_match(at: Desk, procedure: str) -> None:
    """Refuse a procedure whose runbook and flow are not the same steps, before anything begins."""
    load_runbook(procedure, at.runbooks).must_match(procedures.procedure(procedure).steps)


def find_run(home: Home, run_id: str, command: str) -> Path:
    """The folder of a run that `command` can be done to; a drill is refused with the names of the runs that it made."""
    folder = home.run(run_id)
    records, _ = read_journal(folder / JOURNAL)
    if not records or opening_of(records, folder).procedure != DRILL:
        return folder
    made = [entry for entry in (record.entry for record in records) if isinstance(entry, entries.DrillRun)]
    raise InputError(
        "that is a drill, not a run",
        where=folder.name,
        expected=", ".join(f"{entry.run_id} ({entry.role})" for entry in made) or "a run; this drill made none",
        then=f"defib {command} {made[0].run_id}" if made else "defib runs",
    )
