"""The documents of a run as Prefect's pages show them: narrow, without pictures that only some versions draw."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta

from defib.about import About
from defib.drills.drilled import Drill
from defib.drills.score import score
from defib.objectives import Phase
from defib.ports import RecordSet
from defib.question import Question
from defib.ready.check import Readiness, State
from defib.report import words
from defib.report.as_markdown import as_markdown, escape, paragraph
from defib.report.changed import blocks
from defib.report.run_page import run_page
from defib.timeline import StepLine, Timeline

_MARKS = {True: "✓ met", False: "✗ **not met**", None: "? **unknown**"}

_WIDTH = 48
"""Characters of the longest row of bars: what fits a page at its narrowest."""

_FORM = 62
"""Characters of a line of text in the form of a flow run that is paused."""

_LABEL = 6
"""Columns of the labels of what a terminal shows before a plan is approved."""


def plan_text(told: Timeline) -> str:
    """What the run would change, before and after, one under the other."""
    if told.planned is None:
        return "There was no plan."
    lines = [f"# Plan `{told.planned.digest[:12]}`", ""]
    for number, block in enumerate(blocks(told.planned.changes), start=1):
        lines += [f"{number}. {paragraph(block.purpose)} ({escape(block.place)})"]
        for record in block.records:
            lines += [f"   - before: {_code(record.before)}"]
            lines += [f"   - after: {_code(record.after)}"]
        lines += [f"   - {paragraph(line)}" for line in block.lines if not block.records]
    if not told.planned.changes:
        lines.append("Nothing to change: it is already as wanted.")
    if told.approved:
        lines += ["", f"Approved ({told.approved.how}) by {escape(told.approved.by)}."]
    return "\n".join(lines)


def question_text(told: Timeline, question: Question) -> str:
    """What somebody reads who is to approve a plan: its digest, every change before and after, and what was seen."""
    changes = plan_text(told).partition("\n")[2].strip()
    digest = question.short_digest
    until = f"It waits until **{question.until:%H:%M:%S} UTC**; no answer refuses."
    return "\n".join(
        [
            f"### Approve plan `{digest}` of {escape(told.opened.procedure)} on {escape(told.opened.site)}?",
            "",
            changes,
            "",
            f"{until} From a terminal: `defib approve {question.run_id} --digest {digest}`",
            "",
            "```text",
            *(_inert(line) for line in _folded(question.text)),
            "```",
        ]
    )


def drill_text(drill: Drill) -> str:
    """How a drill ended, what it is worth and why, and what was looked at before it."""
    forward, found = drill.forward, score(drill)
    lines = [f"# Drill of {escape(drill.procedure)} on {escape(drill.opened.site)}: {drill.ending}", ""]
    lines += [escape(drill.reason), ""] if drill.reason else []
    if forward is not None and drill.about is About.USERS:
        lines += [f"- RTO: {escape(words.objective(forward.rto, 'RTO'))}"]
        lines += [f"- RPO: {escape(words.objective(forward.rpo, 'RPO'))}"]
        lines += [f"- The eyewitness saw {words.duration(drill.witnessed)} of {words.duration(forward.rto.actual)}."]
    if found is not None:
        lines += [f"- Score: **{found.percent} %**, {found.met} of {len(found.points)}, each counting the same", ""]
        lines += ["| Point | | Why not |", "| --- | --- | --- |"]
        lines += [f"| {point.name} | {_MARKS[point.met]} | {escape(point.why)} |" for point in found.points]
    if drill.preconditions:
        lines += ["", "| Before it began | | Seen |", "| --- | --- | --- |"]
        lines += [f"| {escape(seen.name)} | {_MARKS[seen.met]} | {escape(seen.text)} |" for seen in drill.preconditions]
    return "\n".join([*lines, "", f"Drill `{drill.opened.run_id}`, last entry `{drill.head[:12]}`."])


def _folded(text: str) -> Iterator[str]:
    """Lines that fit the form, what was folded standing beside the labels and not under them."""
    for line in text.split("\n"):
        indent = " " * max(len(line) - len(line.lstrip()), _LABEL)
        yield from textwrap.wrap(line, _FORM, subsequent_indent=indent, break_long_words=False) or [""]


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


def _code(record: RecordSet | None) -> str:
    """A record set on one line, of which pages make no links."""
    return f"`{' '.join(_inert(str(record or 'nothing')).split())}`"


def _inert(text: str) -> str:
    """Text that ends no block of code and opens no tag, wherever it is shown."""
    return words.plain(text).translate({ord("`"): "'", ord("<"): "(", ord(">"): ")"})


def _bar(step: StepLine, offset: timedelta, whole: timedelta) -> str:
    took = step.took or timedelta(0)
    before = round(offset / whole * _WIDTH) if whole else 0
    length = max(1, round(took / whole * _WIDTH)) if whole else 1
    return f"{' ' * min(before, _WIDTH - 1)}{'█' * length} {words.duration(took)}"
