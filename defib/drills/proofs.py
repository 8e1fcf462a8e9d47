"""When each procedure of a site was last proved, by which drill or run, and what has changed since.

For a board or a calendar: :func:`proofs` gives the last proof of every procedure that a site may be drilled in, and
:func:`changed_since` what has changed since one of them. Both read the folders of runs alone; neither asks a server.

A proof is a drill that ended well, or a run on users that recovered in earnest or by hand. A run that a drill made proves
nothing where the drill as a whole did not end well, and what comes round every 15 minutes proves nothing by itself.

What a proof depends on is read from the copies of the site file and the runbook that it began with, whose digests are in its
journal, and compared part by part with those of now. Both sides are read by the code of now: a version of Defib that
reads files differently does not make every proof look outdated, but another version is itself a change.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import get_args

from defib import __version__, entries
from defib.about import About, about
from defib.clock import Deadline
from defib.drills.drilled import DRILL, Drill, drill
from defib.errors import DefibError, EvidenceBroken
from defib.history import JOURNAL, as_it_was, opening_of, status_of
from defib.home import Home
from defib.journal import Record, read_journal
from defib.objectives import Measure, Status
from defib.runbook import Runbook
from defib.sites.drills import Drillable
from defib.sites.site import Site
from defib.timeline import Timeline, timeline

_PARTS: Mapping[str, tuple[str, ...]] = {
    "cdn-failover": ("steering", "cdns"),
    "dns-switch": ("steering", "cdns", "hosts"),
    "aws-redeploy": ("steering", "cdns", "hosts", "git", "build"),
    "git-mirror": ("git", "build"),
    "replication-check": ("replication",),
}
_OF_USERS = ("page", "origin", "dns", "depends", "resolvers", "observers", "detection", "verification", "acceptance")


@dataclass(frozen=True)
class Proof:
    """The last time that a procedure was seen to work: the run that did, the drill that it was part of (or ""), and when.

    `rto` and `rpo` are what it came to, against what was promised then.
    """

    procedure: str
    run: str
    drill: str
    at: datetime
    opened: entries.Opened
    rto: Measure
    rpo: Measure

    @property
    def by(self) -> str:
        """The id that a person looks it up by."""
        return self.drill or self.run


def proofs(home: Home, site: Site, within: Deadline) -> dict[str, Proof | None]:
    """The last proof of each procedure that the site may be drilled in; None where it was never proved.

    What could not be read before the end of `within` is left out: it is unknown, and not never.
    """
    found: dict[str, Proof | None] = {}
    for procedure in site.drillable:
        proof = last_proof(home, site.site, procedure, within)
        if not within.expired():
            found[procedure] = proof
    return found


def last_proof(home: Home, site: str, procedure: str, within: Deadline) -> Proof | None:
    """The newest proof of `procedure` on `site`; None where there is none, or no time."""
    drills = reversed(drill_folders(home, site, procedure))
    proof = next((found for folder in drills if not within.expired() and (found := _by_drill(home, folder))), None)
    if about(procedure) is not About.USERS:
        return proof
    for folder in reversed(home.runs()):
        if within.expired() or (proof is not None and folder.name <= proof.run):
            break
        if words_of(folder) == f"{procedure}-{site}" and (by_run := _by_run(folder)):
            return by_run
    return proof


def drill_folders(home: Home, site: str, procedure: str = "") -> list[Path]:
    """The folders of the drills of a site, of one procedure or of all, oldest first; by their names alone."""
    wanted = {f"{DRILL}-{each}-{site}" for each in ([procedure] if procedure else get_args(Drillable))}
    return [folder for folder in home.runs() if words_of(folder) in wanted]


def words_of(folder: Path) -> str:
    """What a run's id says between its time and what makes it unique: procedure and site."""
    return folder.name.split("-", 2)[-1].rpartition("-")[0]


def read_drill(home: Home, folder: Path) -> Drill:
    """A drill with its two runs; :class:`EvidenceBroken` where one of the three journals does not verify."""
    records = read_journal(folder / JOURNAL)[0]
    opening_of(records, folder)
    of = {entry.role: entry.run_id for entry in _runs(records)}

    def told(role: str) -> Timeline | None:
        path = home.path / "runs" / of.get(role, "") / JOURNAL
        return timeline(read_journal(path)[0]) if role in of and path.is_file() else None

    return drill(records, told("forward"), told("failback"))


def changed_since(home: Home, proof: Proof, site: Site, runbook: Runbook) -> tuple[str, ...]:
    """What the procedure depends on and has changed since the proof."""
    return changed_from(home.path / "runs" / proof.by, site, runbook)


def changed_from(folder: Path, site: Site, runbook: Runbook) -> tuple[str, ...]:
    """The same since a run or a drill began. What cannot be read any more is a change: nobody can tell what was proved."""
    try:
        opened = opening_of(read_journal(folder / JOURNAL)[0], folder)
        before = depends(*as_it_was(folder, opened), opened.version)
    except DefibError as error:
        return (f"what it began with cannot be read any more ({error.what})",)
    now = depends(site, runbook, __version__)
    return tuple(part for part in now if before.get(part) != now[part])


def depends(site: Site, runbook: Runbook, version: str) -> dict[str, str]:
    """The digest of each part that a proof of a procedure depends on, under the name that people know it by."""
    procedure = runbook.procedure
    parts = _PARTS.get(procedure, ("steering", "cdns", "hosts", "git", "build", "replication"))
    parts += _OF_USERS if about(procedure) is About.USERS else ()
    objectives = _digest(site.objectives.model_dump(mode="json"))
    found = {f"the runbook ({procedure}.md)": runbook.digest, "the objectives": objectives}
    whole = site.model_dump(mode="json", include=set(parts))
    found |= {f"{part}: in the site file": _digest(whole[part]) for part in parts}
    return {**found, "the version of Defib": version}


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _by_drill(home: Home, folder: Path) -> Proof | None:
    try:
        told = read_drill(home, folder)
    except EvidenceBroken:
        return None  # what does not verify proves nothing
    if told.status is not Status.RECOVERED or told.forward is None or told.ended is None:
        return None
    of_copies = told.about is not About.USERS  # there the fault is to show on the way out, and be over on the way back
    proving = told.failback or told.forward if of_copies else told.forward
    return Proof(told.procedure, told.forward.opened.run_id, folder.name, told.ended, told.opened, proving.rto, proving.rpo)


def _by_run(folder: Path) -> Proof | None:
    try:
        records = read_journal(folder / JOURNAL)[0]
        if status_of(records) is not Status.RECOVERED:
            return None
        told = timeline(records)
    except EvidenceBroken:
        return None
    if told.approved is not None and told.approved.by.startswith(f"{DRILL} "):
        return None  # whether it proves anything, the drill says that it was part of
    return Proof(told.opened.procedure, folder.name, "", records[-1].at, told.opened, told.rto, told.rpo)


def _runs(records: Sequence[Record]) -> Iterator[entries.DrillRun]:
    return (record.entry for record in records if isinstance(record.entry, entries.DrillRun))
