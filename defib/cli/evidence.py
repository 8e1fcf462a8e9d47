"""``runs``, ``report`` and ``verify``: what happened, read from journals."""

from __future__ import annotations

from pathlib import Path

from defib import entries
from defib.audit import changes_as_approved
from defib.cli.desk import runbooks_folder
from defib.cli.say import say, say_json, table
from defib.drills.drilled import DRILL, Drill
from defib.drills.history import drill_lines
from defib.drills.line import DrillLine
from defib.drills.proofs import read_drill
from defib.errors import EvidenceBroken, InputError
from defib.history import as_it_was, is_alive, opening_of
from defib.home import Home
from defib.journal import Record, read_journal
from defib.report import words
from defib.report.as_json import as_json
from defib.report.drillfigures import drill_figures
from defib.report.figures import run_figures
from defib.report.write import write_drill, write_run
from defib.sites.site import find_site
from defib.timeline import Timeline, timeline

BROKEN = "BROKEN"
"""Stands before the reason where the journal of a run cannot be read."""


def runs(site: str, *, as_json: bool) -> int:
    """All runs, newest last; one whose process is gone and that has no end is crashed."""
    home = Home.open()
    if site:
        _must_be_known(home, site)
    rows = [row for folder in home.runs() if (row := _row(home, folder)) and site in {"", row["site"]}]
    if as_json:
        say_json({"runs": rows})
        return 0
    if not rows:
        say(f"No runs yet in {home.path}.")
        return 0
    names = ("run_id", "site", "mode", "status", "outage", "rto", "rpo")
    shown = [row | {"status": row["status"].partition(":")[0]} for row in rows]
    say(table([name.replace("_", " ") for name in names], [[row[name] for name in names] for row in shown]))
    broken = [row for row in rows if row["status"].startswith(BROKEN)]
    if broken:
        say("\n" + "\n".join(f"{row['run_id']}: {row['status']}" for row in broken))
    return 0


def _must_be_known(home: Home, site: str) -> None:
    """A site is known by its file, or by a run that was made on it; :class:`UnknownSite` otherwise."""
    ran = {row["site"] for folder in home.runs() if (row := _row(home, folder))}
    if site not in ran:
        find_site(site, home.path / "lab" / "sites", runbooks_folder() / "sites")


def report(run_id: str, form: str) -> int:
    """The report of a run, made anew from its journal: ``json``, ``md``, or ``html``, which prints where it is."""
    home = Home.open()
    folder = home.run(run_id)
    told = read_evidence(home, folder)
    page = write_drill(folder, told, _so_far(home, told)) if isinstance(told, Drill) else write_run(folder, told)
    if form == "json":
        say(as_json(drill_figures(told, page) if isinstance(told, Drill) else run_figures(told, page)))
    elif form == "md":
        say((folder / "report.md").read_text(encoding="utf-8"))
    elif form == "html":
        say(str(page))
    else:
        raise InputError("there is no such form of a report", expected="html, md or json", seen=form)
    return 0


def _so_far(home: Home, told: Drill) -> tuple[DrillLine, ...]:
    """The drills of the same site up to this one."""
    return tuple(line for line in drill_lines(home, told.opened.site)[0] if line.drill_id <= told.opened.run_id)


def verify(run_id: str, head: str, *, as_json: bool) -> int:
    """Check a journal: the chain, the digests of what it was made from, and the hash that somebody wrote down elsewhere."""
    home = Home.open()
    folder = home.run(run_id)
    records, torn = read_journal(folder / "journal.jsonl")
    opened = opening_of(records, folder)
    checks = [f"{len(records)} entries, each with the hash of the one before"]
    if torn:
        checks.append(f"{torn} bytes of a half-written last entry: the run was killed while it wrote")
    if opened.site_digest:
        as_it_was(folder, opened)
        checks.append("the site file and the runbook are those that it began with")
    checks += changes_as_approved(records)
    if opened.procedure == DRILL:
        checks += _check_drill_runs(home, records)
    if head and head not in {record.hash for record in records}:
        raise EvidenceBroken(
            "no entry has the hash that was written down", where=str(folder), expected=head, seen=records[-1].hash
        )
    if head:
        checks.append("it holds the entry whose hash was written down, and nothing before that was edited")
    if as_json:
        say_json({"run_id": folder.name, "intact": True, "head": records[-1].hash, "checks": checks})
    else:
        say("\n".join([f"{folder.name} is intact.", *(f"  - {check}" for check in checks), f"Sealed: {records[-1].hash}"]))
        if not head:
            say("A chain can be made anew as a whole: compare the seal with the one printed or sent when the run ended,")
            say(f"  defib verify {folder.name} --head HASH")
    return 0


def read_evidence(home: Home, folder: Path) -> Timeline | Drill:
    """What the journal in `folder` tells: of a run, or of a drill with its two runs."""
    return _told(home, folder, read_journal(folder / "journal.jsonl")[0])


def _told(home: Home, folder: Path, records: tuple[Record, ...]) -> Timeline | Drill:
    if opening_of(records, folder).procedure != DRILL:
        return timeline(records)
    return read_drill(home, folder)


def _row(home: Home, folder: Path) -> dict[str, str]:
    """What is told of one run; nothing where its journal has no entry yet, or never got one."""
    alive = is_alive(folder)  # asked first: a run that ends in between has not crashed
    try:
        records, torn = read_journal(folder / "journal.jsonl")
        if not records and not torn:
            return {}
        told = _told(home, folder, records)
    except EvidenceBroken as error:
        return dict.fromkeys(("run_id", "site", "mode", "status", "outage", "rto", "rpo"), "") | {
            "run_id": folder.name,
            "status": f"{BROKEN}: {error.what}",
        }
    forward = told.forward if isinstance(told, Drill) else told
    return {
        "run_id": folder.name,
        "site": told.opened.site,
        "mode": told.opened.mode.value,
        "status": told.status.value if told.status else "running" if alive else "crashed",
        "outage": words.duration(forward.rto.actual) if forward else words.UNKNOWN,
        "rto": forward.rto.verdict.value if forward else words.UNKNOWN,
        "rpo": forward.rpo.verdict.value if forward else words.UNKNOWN,
    }


def _check_drill_runs(home: Home, records: tuple[Record, ...]) -> list[str]:
    """The runs of a drill are still the ones whose seals the drill wrote down."""
    checks = []
    for entry in _drill_runs(records):
        of_run, _ = read_journal(home.run(entry.run_id) / "journal.jsonl")
        if entry.head not in {record.hash for record in of_run}:
            raise EvidenceBroken(f"the {entry.role} run is not the one that the drill made", where=entry.run_id)
        checks.append(f"the {entry.role} run {entry.run_id} is the one that the drill made")
    return checks


def _drill_runs(records: tuple[Record, ...]) -> list[entries.DrillRun]:
    return [record.entry for record in records if isinstance(record.entry, entries.DrillRun)]
