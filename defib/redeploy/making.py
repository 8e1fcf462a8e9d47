"""Steps that make a site anew: the commit that is chosen, and what is built of it."""

from __future__ import annotations

from datetime import datetime

from defib.building.built import Built
from defib.errors import InputError
from defib.objectives import Verdict
from defib.ports import Build
from defib.redeploy.serving import live_release
from defib.redeploy.source import Choice, choose
from defib.redeploy.workshop import Workshop
from defib.run import Step

_LAST_LINES = 200
"""Of a build's output, how much goes into the journal at most, in lines."""


def choose_source(step: Step, users_had: Build | None) -> Choice:
    """The commit to build; everybody who is refused, and every doubt, is noted."""
    deployed = [users_had.id] if users_had else []
    live = live_release(step)
    deployed += [live] if live and live not in deployed else []
    told = _workshop(step).ask(deployed, within=step.within, users_had=users_had.built if users_had else None)
    choice = choose(told.offers, told.bundle, told.deployed, insist_on=step.run.commit)
    for refused in choice.refused:
        step.note(f"not from {refused}", warning=True)
    for warning in choice.warnings:
        step.note(warning, warning=True)
    age, lost = choice.age(step.clock.now()), choice.measure(step.run.objectives.rpo)
    behind = "an unknown time" if choice.behind is None else str(choice.behind)
    text = f"commit {choice.commit[:12]} from {choice.source}, made {age or 'an unknown time'} ago, behind by {behind}"
    step.note(f"{text} (RPO {lost.target}: {lost.verdict})", warning=lost.verdict is not Verdict.MET)
    return choice


def build(step: Step, commit: str, committed: datetime) -> Built:
    """Build the commit; the last lines of its output go into the journal."""
    left = _LAST_LINES

    def line(text: str) -> None:
        nonlocal left
        left -= 1
        if left >= 0:
            step.note(f"build: {step.run.journal.redact(text)}")

    built = _workshop(step).make(commit, committed, within=step.within, line=line)
    if built.cached:
        step.note(f"the artefact of an earlier build is used: {built.why_cached}", warning=True)
    for skipped in built.skipped:
        step.note(f"not served: {skipped.path} ({skipped.reason})")
    for note in built.notes:
        step.note(note, warning=True)
    return built


def _workshop(step: Step) -> Workshop:
    workshop = step.run.outside.workshop
    if workshop is None:
        raise InputError(f"the site {step.site.site} has no sources", expected="git: and build: in its file")
    return workshop
