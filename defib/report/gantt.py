"""The steps of a run as a Mermaid Gantt chart, for places where Markdown is shown but pictures are not."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from itertools import groupby

from defib.report import words
from defib.report.picture import moments_of
from defib.timeline import StepLine, Timeline

_TAGS = {"done": "done, ", "": "active, "}
_SHORTEST = timedelta(milliseconds=1)
_SHORT = timedelta(seconds=10)
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def gantt(timeline: Timeline) -> str:
    """The chart's text; empty for a run without steps. A failed step is marked critical, one without an end active."""
    if not timeline.steps:
        return ""
    lines = [
        "gantt",
        f"    title {_name(timeline.opened.procedure)} on {_name(timeline.opened.site)}, step by step",
        "    dateFormat x",
        f"    axisFormat {_axis(timeline)}",
        "    todayMarker off",
    ]
    known = [(name, at) for _, name, at in moments_of(timeline) if at]
    if known:
        lines.append("    section moments")
    lines += [f"    {_name(name)} : milestone, {_stamp(at)}, 0ms" for name, at in known]
    for phase, steps in groupby(timeline.steps, key=lambda step: step.phase):
        lines.append(f"    section {phase}")
        lines += [_bar(step, timeline) for step in steps]
    return "\n".join(lines)


def _axis(timeline: Timeline) -> str:
    """Whole seconds would stand several times on the axis of a short run. Mermaid shows the reader's own time zone."""
    moments = [at for _, _, at in moments_of(timeline) if at]
    moments += [step.started + (step.took or timedelta(0)) for step in timeline.steps]
    return "%M:%S.%L" if max(moments) - min(moments) < _SHORT else "%H:%M:%S"


def _bar(step: StepLine, timeline: Timeline) -> str:
    until = step.started + step.took if step.took is not None else (timeline.ended or step.started)
    tag = _TAGS.get(step.outcome, "crit, ")
    end = max(until, step.started + _SHORTEST)
    said = f"{step.name} ({words.duration(step.took) if step.outcome else 'no end'})"
    return f"    {_name(said)} : {tag}{_stamp(step.started)}, {_stamp(end)}"


def _stamp(at: datetime) -> int:
    return (at - _EPOCH) // _SHORTEST


def _name(text: str) -> str:
    """Mermaid ends a name at a colon, a statement at a semicolon, and begins a comment or an entity with these signs."""
    return re.sub(r"[^\w .,()+-]", " ", text)
