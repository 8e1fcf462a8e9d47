"""When each procedure of a site was last proved, and whether what it would do has changed since."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from defib import entries
from defib.clock import Deadline
from defib.errors import EvidenceBroken
from defib.fate import readiness
from defib.history import JOURNAL, digest, opening_of, status_of
from defib.home import Home
from defib.journal import read_journal
from defib.objectives import Status
from defib.ready.check import Check, Question, State
from defib.ready.scene import Here
from defib.report import words
from defib.runbook import Runbook, load_runbook

LONG_AGO = timedelta(days=35)
"""Drills are monthly; a few days more is late."""


@dataclass(frozen=True)
class Proof:
    """The last run of a procedure that recovered the site, and the digests of the files it began with."""

    run: str
    at: datetime
    opened: entries.Opened


def questions(here: Here) -> Iterator[Question]:
    """Two for each runbook that answers the failure of something that the site has: its proof, and what it leans on."""
    for path in sorted(here.runbooks.glob("*.md")):
        runbook = load_runbook(path.stem, here.runbooks)
        if (runbook.against == "cdn" and here.site.cdns) or (runbook.against == "host" and here.site.hosts):
            yield Question("proved", runbook.procedure, partial(_proved, here, runbook))
            yield Question("shared-fate", runbook.procedure, partial(_shares, here, runbook))


def _shares(here: Here, runbook: Runbook, within: Deadline) -> Iterator[Check]:
    """What fails together with what the procedure is to recover from; a risk that is known, and stops nothing by itself."""
    del within
    leans, name = readiness(here.site, runbook.against), runbook.procedure
    for lean in leans:
        yield Check("shared-fate", name, State.WARN, str(lean), "have another way, or know how to do it by hand")
    if not leans:
        yield Check("shared-fate", name, State.OK, "it leans on nothing that is known to fail with the primary")


def _proved(here: Here, runbook: Runbook, within: Deadline) -> Iterator[Check]:
    name = runbook.procedure
    then = f"defib drill {name} --site {here.site.site}" if here.site.lab else f"rehearse {name} in the lab, or drill it"
    proof = last_proof(here.home, here.site.site, name, within)
    if within.expired():
        yield Check("proved", name, State.UNKNOWN, "there are too many runs to read them in time")
        return
    if proof is None:
        yield Check("proved", name, State.WARN, "never", then)
        return
    age = here.clock.now() - proof.at
    changed = _changed(here, runbook, proof)
    text = f"{words.duration(age)} ago by {proof.run}"
    if changed:
        text += f"; changed since: {', '.join(changed)}"
    state = State.WARN if changed or age > LONG_AGO else State.OK
    yield Check("proved", name, state, text, "" if state is State.OK else then)


def _changed(here: Here, runbook: Runbook, proof: Proof) -> list[str]:
    differs = {
        f"the site file ({here.site_path.name})": proof.opened.site_digest != digest(here.site_path),
        f"the runbook ({runbook.path.name})": proof.opened.runbook_digest != runbook.digest,
    }
    return [what for what, changed in differs.items() if changed]


def last_proof(home: Home, site: str, procedure: str, within: Deadline) -> Proof | None:
    """The newest run of `procedure`, in a drill or not, that recovered `site`; None where there is none, or no time."""
    for folder in reversed(home.runs()):
        if within.expired():
            return None
        proof = _proof(folder)
        if proof is not None and (proof.opened.site, proof.opened.procedure) == (site, procedure):
            return proof
    return None


def _proof(folder: Path) -> Proof | None:
    try:
        records = read_journal(folder / JOURNAL)[0]
        if status_of(records) is Status.RECOVERED:
            return Proof(folder.name, records[-1].at, opening_of(records, folder))
    except EvidenceBroken:
        return None  # what does not verify proves nothing
    return None
