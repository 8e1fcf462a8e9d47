"""What a person reads before deciding: what is wrong, what was noted on the way, what would change."""

from __future__ import annotations

from datetime import datetime
from itertools import takewhile

from defib import entries
from defib.cli.say import fold
from defib.cli.seen import as_lines, seen, since_line
from defib.plan import Plan
from defib.report import outlook
from defib.report.changed import blocks
from defib.run import Run
from defib.users.looking import USERS


def briefing(run: Run, plan: Plan | None, since: datetime | None, *, by_watch: bool) -> str:
    """What was seen, since when it is so where users are without service, the notes, the plan and its forecast, if any."""
    places = seen(run.journal.records, run.site)
    lines = as_lines(places, run.site)
    if any(place.aim == USERS and place.state != "well" for place in places):
        lines.append(f"      {since_line(since, by_watch)}")
    lines += [f"!     {note.text}" for note in run.journal.of(entries.Noted)]
    told = [fold(line[:6], line[6:]) for line in lines]
    blank = [""] if told and plan else []
    return "\n".join([*told, *blank, *(plan_lines(plan) if plan else []), *forecast_lines(run)])


def forecast_lines(run: Run) -> list[str]:
    """What the outage would come to, and by what; nothing where nothing was foretold."""
    foretold = last_forecast(run)
    if foretold is None:
        return []
    return ["", fold("RTO   ", outlook.headline(foretold)), fold("      ", outlook.sources(foretold))]


def last_forecast(run: Run) -> entries.Forecast | None:
    """The forecast for the plan that is to be approved."""
    return next(reversed(list(run.journal.of(entries.Forecast))), None)


def outage_of(run: Run) -> tuple[datetime | None, bool]:
    """Since when users are without service as the run was told at its start, and whether detection said so."""
    found = [record.entry for record in run.journal.records]
    since = next((entry.since for entry in found if isinstance(entry, entries.Opened)), None)
    first = takewhile(lambda entry: not isinstance(entry, entries.StepStarted), found)
    return since, any(isinstance(entry, entries.Observed) for entry in first)


def plan_lines(plan: Plan) -> list[str]:
    """A plan for people: every change before and after, and the digest to approve."""
    lines = [f"Plan of {plan.procedure} on {plan.site}, digest {plan.short_digest}"]
    for number, block in enumerate(blocks(plan.changes), start=1):
        lines.append(fold(f"  {number}. ", f"{block.purpose}  [{block.place}]"))
        lines += [fold("     ", line) for line in block.lines]
    if not plan.changes:
        lines.append("  Nothing to change: it is already as wanted.")
    return lines
