"""Earlier runs: how they ended, what of them still stands, and the files that they began with."""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from defib import entries
from defib.about import about, changes_nothing
from defib.changes import standing
from defib.drills.drilled import DRILL
from defib.errors import EvidenceBroken, InputError, Refused
from defib.home import Home
from defib.journal import ALIVE, Record, read_journal
from defib.objectives import Status
from defib.plan import Change
from defib.runbook import Runbook, parse_runbook
from defib.sites.site import Site, load_site

JOURNAL = "journal.jsonl"
SITE = "site.yaml"
RUNBOOK = "runbook.md"


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise EvidenceBroken(f"cannot read {path.name}: {error.strerror}", where=str(path)) from error


def as_it_was(folder: Path, opened: entries.Opened) -> tuple[Site, Runbook]:
    """The site file and the runbook that a run began with; :class:`EvidenceBroken` if either was edited since."""
    for name, written in ((SITE, opened.site_digest), (RUNBOOK, opened.runbook_digest)):
        if digest(folder / name) != written:
            raise EvidenceBroken(
                f"{name} is not the file that the run began with",
                where=str(folder / name),
                expected=written,
                seen=digest(folder / name),
                then="put back the file as it was; the runbook says how to do the steps by hand",
            )
    runbook = parse_runbook((folder / RUNBOOK).read_text(encoding="utf-8"), folder / RUNBOOK)
    return load_site(folder / SITE), runbook


def is_alive(folder: Path) -> bool:
    """Whether the process that writes the run's journal still lives."""
    try:
        with (folder / ALIVE).open("rb") as held:
            fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def opening_of(records: Sequence[Record], folder: Path) -> entries.Opened:
    """The first entry of a run's journal, which says what was asked for."""
    if not records or not isinstance(records[0].entry, entries.Opened):
        raise EvidenceBroken("the journal does not begin with the opening of a run", where=str(folder))
    return records[0].entry


def status_of(records: Sequence[Record]) -> Status | None:
    """How a run ended, or None while it is unfinished (also when it was closed and taken up again)."""
    for record in reversed(records):
        if isinstance(record.entry, entries.Closed):
            return record.entry.status
        if isinstance(record.entry, entries.Reopened):
            return None
    return None


def run_asked_for(home: Home, site: str, trigger: str, since: datetime) -> Path | None:
    """The newest run on `site` that was asked for in exactly these words and began after `since`; None where none was."""
    for folder in reversed(home.runs()):
        try:
            records = read_journal(folder / JOURNAL)[0]
            opened = opening_of(records, folder)
        except (OSError, EvidenceBroken):
            continue  # of another run, or broken since: then nothing can be said of it
        if records[0].at < since:
            return None
        if (opened.site, opened.trigger) == (site, trigger):
            return folder
    return None


def changes_of(home: Home, run_id: str) -> tuple[Change, ...]:
    """The changes that an earlier run made, oldest first, for a failback that was begun."""
    records = read_journal(home.run(run_id) / JOURNAL)[0]
    intended = (record.entry for record in records if isinstance(record.entry, entries.ChangeIntended))
    # A run that was taken up again may have intended the same change twice.
    changes = {entry.number: entry.change for entry in intended if not entry.undo}
    return tuple(changes[number] for number in sorted(changes))


def recovered_changes(home: Home, run_id: str) -> tuple[Change, ...]:
    """The same for a failback that begins now: only a recovered run can be failed back."""
    folder = home.run(run_id)
    status = status_of(read_journal(folder / JOURNAL)[0])
    if status is not Status.RECOVERED:
        raise Refused(
            "only a recovered run can be failed back",
            where=folder.name,
            expected=Status.RECOVERED,
            seen=status or "unfinished",
            then=f"defib resume {folder.name}, or defib rollback {folder.name}",
        )
    return changes_of(home, run_id)


def unfinished(home: Home, site: str, besides: str = "", *, procedure: str = "") -> Path | None:
    """The folder of the run that stopped half-way on `site` with changes that stand, if the last run on it did.

    Runs are those that hold the same as runs of `procedure` do.

    :class:`EvidenceBroken` where the journal of a run that may have been on `site` cannot be read.
    """
    for folder in reversed(home.runs()):
        if f"-{site}-" not in folder.name or about(_words(folder)) is not about(procedure):
            continue  # a run's id names its site; of a fleet, hundreds of others would have to be read
        if changes_nothing(_words(folder)):
            continue
        try:
            records = read_journal(folder / JOURNAL)[0]
        except EvidenceBroken:
            if not _may_be_of(folder, site):
                continue  # what became of another site must not keep this one down
            raise
        if not records:
            continue  # killed before its first entry: nothing was changed
        opened = opening_of(records, folder)
        if opened.site != site or opened.procedure == DRILL or opened.run_id == besides:
            continue
        stopped = status_of(records) in {None, Status.INTERRUPTED}
        return folder if stopped and standing(records) else None
    return None


def status_before(home: Home, run_id: str) -> Status | None:
    """How the run of the same procedure on the same site ended that came last before this one; None where none did."""
    words = run_id.split("-", 2)[-1].rpartition("-")[0]
    earlier = [folder for folder in home.runs() if folder.name < run_id and _words(folder).rpartition("-")[0] == words]
    for folder in reversed(earlier):
        try:
            return status_of(read_journal(folder / JOURNAL)[0])
        except EvidenceBroken:
            continue
    return None


def changed_later(home: Home, site: str, folder: Path) -> Path | None:
    """The newest run on `site`, later than the one in `folder`, whose changes may stand; None if there is none."""
    for later in reversed(home.runs()):
        if later.name <= folder.name:
            return None
        if about(_words(later)) is not about(_words(folder)):
            continue
        try:
            records = read_journal(later / JOURNAL)[0]
        except EvidenceBroken:
            if _may_be_of(later, site):
                return later
            continue
        if standing(records) and opening_of(records, later).site == site:
            return later
    return None


def _words(folder: Path) -> str:
    """What a run's id says after the time: procedure, site, and what makes it unique."""
    return folder.name.split("-", 2)[-1]


def _may_be_of(folder: Path, site: str) -> bool:
    """Whether a run whose journal cannot tell may have been on `site`: by the site file it began with, else by its name."""
    try:
        return load_site(folder / SITE).site == site
    except InputError:
        return folder.name.rpartition("-")[0].endswith(f"-{site}")
