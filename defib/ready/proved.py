"""When each procedure of a site was last proved, and whether what it would do has changed since."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import partial

from defib.clock import Deadline
from defib.drills.proofs import changed_since, last_proof
from defib.fate import readiness
from defib.ready.check import Check, Question, State
from defib.ready.scene import Here
from defib.report import words
from defib.runbook import Runbook, load_runbook

LONG_AGO = timedelta(days=35)
"""Drills are monthly; a few days more is late."""


def questions(here: Here) -> Iterator[Question]:
    """Two for each runbook that answers the failure of something that the site has: its proof, and what it leans on.

    Of the others that are to be drilled by the site file, their proofs.
    """
    drilled = (here.site.drills.procedures or here.site.drillable) if here.site.drills else ()
    for path in sorted(here.runbooks.glob("*.md")):
        runbook = load_runbook(path.stem, here.runbooks)
        answers = (runbook.against == "cdn" and here.site.cdns) or (runbook.against == "host" and here.site.hosts)
        if answers or runbook.procedure in drilled:
            yield Question("proved", runbook.procedure, partial(_proved, here, runbook))
        if answers:
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
    changed = changed_since(here.home, proof, here.site, runbook)
    text = f"on {proof.at:%Y-%m-%d} by {'drill' if proof.drill else 'run'} {proof.by}, {words.duration(age)} ago"
    if changed:
        text += f"; changed since: {', '.join(changed)}"
    state = State.WARN if changed or age > LONG_AGO else State.OK
    yield Check("proved", name, state, text, "" if state is State.OK else then)
