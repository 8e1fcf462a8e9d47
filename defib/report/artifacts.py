"""The documents of a run as Prefect's pages show them: narrow, without pictures that only some versions draw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from defib.objectives import Phase
from defib.ready.check import Readiness, State
from defib.report import words
from defib.report.as_markdown import as_markdown, escape, paragraph
from defib.report.changed import blocks
from defib.report.run_page import run_page
from defib.timeline import StepLine, Timeline

_WIDTH = 48
"""Characters of the longest row of bars: what fits a page at its narrowest."""


def plan_text(told: Timeline) -> str:
    """What the run would change, before and after, one under the other."""
    if told.planned is None:
        return "There was no plan."
    lines = [f"# Plan `{told.planned.digest[:12]}`", ""]
    for number, block in enumerate(blocks(told.planned.changes), start=1):
        lines += [f"{number}. {paragraph(block.purpose)} ({escape(block.place)})"]
        for record in block.records:
            lines += [f"   - before: {escape(str(record.before or 'nothing'))}"]
            lines += [f"   - after: {escape(str(record.after or 'nothing'))}"]
        lines += [f"   - {paragraph(line)}" for line in block.lines if not block.records]
    if not told.planned.changes:
        lines.append("Nothing to change: it is already as wanted.")
    if told.approved:
        lines += ["", f"Approved ({told.approved.how}) by {escape(told.approved.by)}."]
    return "\n".join(lines)


def timeline_text(told: Timeline) -> str:
    """The whole report, with the steps as bars of text."""
    page = run_page(told)
    sections = tuple(replace(section, gantt="") for section in page.sections)
    return f"{bars(told)}\n\n{as_markdown(replace(page, sections=sections))}"


def verdict_text(told: Timeline) -> str:
    """Verdicts alone."""
    return as_markdown(replace(run_page(told), sections=()))


def readiness_rows(found: Readiness) -> tuple[Mapping[str, str], ...]:
    """What was checked, the worst first, as the rows of a table."""
    order = list(State)
    checks = sorted(found.checks, key=lambda check: order.index(check.state), reverse=True)
    return tuple(
        {
            "state": check.state.value,
            "check": check.name,
            "of": words.plain(check.about),
            "found": words.plain(check.text),
            "next": words.plain(check.then),
        }
        for check in checks
    )


def readiness_text(found: Readiness) -> str:
    """The verdict in one line."""
    states = [check.state for check in found.checks]
    counted = ", ".join(f"{states.count(state)} {state.value}" for state in reversed(State) if state in states)
    return f"**{escape(found.site)}: {found.state.value}** at {found.at:%Y-%m-%d %H:%M:%S} UTC ({counted})"


def bars(told: Timeline) -> str:
    """Each step as a bar over the time of the run, in a block of code, phase by phase."""
    steps = [step for step in told.steps if step.took is not None]
    if not steps:
        return ""
    begin = min(step.started for step in steps)
    whole = max(step.started + (step.took or timedelta(0)) for step in steps) - begin
    name = max(len(_inert(step.name)) for step in steps)
    rows = [
        f"{step.phase.value:<9} {_inert(step.name):<{name}} {_bar(step, step.started - begin, whole)}"
        for phase in Phase
        for step in steps
        if step.phase is phase
    ]
    return "\n".join(["```text", *rows, "```"])


def _inert(text: str) -> str:
    """Text that ends no block of code and opens no tag, wherever it is shown."""
    return words.plain(text).translate({ord("`"): "'", ord("<"): "(", ord(">"): ")"})


def _bar(step: StepLine, offset: timedelta, whole: timedelta) -> str:
    took = step.took or timedelta(0)
    before = round(offset / whole * _WIDTH) if whole else 0
    length = max(1, round(took / whole * _WIDTH)) if whole else 1
    return f"{' ' * min(before, _WIDTH - 1)}{'█' * length} {words.duration(took)}"
