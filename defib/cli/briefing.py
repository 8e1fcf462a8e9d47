"""What a person reads before deciding: what is wrong, what was noted on the way, what would change."""

from __future__ import annotations

from datetime import datetime
from itertools import takewhile

from defib import entries
from defib.cli.live import change_lines
from defib.cli.say import fold
from defib.cli.seen import as_lines, seen, since_line
from defib.looking import USERS
from defib.plan import Plan
from defib.run import Run


def briefing(run: Run, plan: Plan | None, since: datetime | None, *, by_watch: bool) -> str:
    """What was seen, since when it is so where users are without service, the notes, and the plan if there is one."""
    places = seen(run.journal.records, run.site)
    lines = as_lines(places, run.site)
    if any(place.aim == USERS and place.state != "well" for place in places):
        lines.append(f"      {since_line(since, by_watch)}")
    lines += [f"!     {note.text}" for note in run.journal.of(entries.Noted)]
    told = [fold(line[:6], line[6:]) for line in lines]
    return "\n".join([*told, *([""] if told and plan else []), *(plan_lines(plan) if plan else [])])


def outage_of(run: Run) -> tuple[datetime | None, bool]:
    """Since when users are without service as the run was told at its start, and whether detection said so."""
    found = [record.entry for record in run.journal.records]
    since = next((entry.since for entry in found if isinstance(entry, entries.Opened)), None)
    first = takewhile(lambda entry: not isinstance(entry, entries.StepStarted), found)
    return since, any(isinstance(entry, entries.Observed) for entry in first)


def plan_lines(plan: Plan) -> list[str]:
    """A plan for people: every change before and after, and the digest to approve."""
    lines = [f"Plan of {plan.procedure} on {plan.site}, digest {plan.short_digest}"]
    for number, change in enumerate(plan.changes, start=1):
        lines.append(fold(f"  {number}. ", f"{change.purpose}  [{change.vendor}/{change.zone}]"))
        lines += [fold("     ", line) for line in change_lines(change)]
    if not plan.changes:
        lines.append("  Nothing to change: it is already as wanted.")
    return lines
