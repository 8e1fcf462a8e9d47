"""The after-action report of a drill: what its journals tell is filled in, and what only people know is left to fill in.

It is written once, beside the report, which is made anew as often as anybody asks: nobody's words are ever overwritten.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from defib.drills.drilled import Drill
from defib.drills.score import over_budget, runs, score, warnings
from defib.report import words
from defib.report.as_markdown import escape

FILE = "after-action.md"

_MOST_WARNINGS = 20
_TOLD_ALREADY = frozenset({"within budgets", "no warnings"})


@dataclass(frozen=True)
class Event:
    """One thing that happened, for the timeline of a drill."""

    at: datetime
    text: str


def after_action(drill: Drill) -> str:
    """The report as Markdown, ending in a newline."""
    return "\n".join(_lines(drill)) + "\n"


def timeline_of(drill: Drill) -> tuple[Event, ...]:
    """What happened in the order of time: faults, runs and their moments, and the end."""
    found = [Event(drill.started, f"the drill began, {drill.asked.why if drill.asked else 'by hand'}")]
    found += [
        Event(at, f"{fault.target}: {fault.fault}" if fault.fault else f"{fault.target} healed")
        for at, fault in drill.faults
    ]
    for way, run in runs(drill):
        moments = run.instants
        found.append(Event(run.started, f"{way}: run {run.opened.run_id} began"))
        served = moments.served if moments.first_bad else None
        for at, text in (
            (moments.first_bad, "users lost service"),
            (moments.down, "the site was found down"),
            (moments.decided, "the plan was approved"),
            (moments.last_write, "the last change was accepted"),
            (moments.answers_moved, "the DNS gave the new answer"),
            (served, "users were served, and stayed so"),
        ):
            found += [Event(at, f"{way}: {text}")] if at else []
        found += [Event(run.ended, f"{way}: the run ended {run.status}")] if run.ended else []
    found += [Event(drill.ended, f"the drill ended: {drill.ending}")] if drill.ended else []
    return tuple(sorted(found, key=lambda event: event.at))


def deviations(drill: Drill) -> tuple[str, ...]:
    """What went otherwise than it should have, as far as journals tell; of many warnings the first ones."""
    return (*_of_the_drill(drill), *_of_its_runs(drill), *_warned(drill), *_not_met(drill))


def _of_the_drill(drill: Drill) -> Iterator[str]:
    if drill.reason:
        yield f"The drill ended {drill.ending}: {drill.reason}"
    for seen in drill.preconditions:
        if seen.met is not True:
            yield f"Before it, {seen.name}: {seen.text}"


def _of_its_runs(drill: Drill) -> Iterator[str]:
    for way, run in runs(drill):
        for step in run.steps:
            if step.outcome and step.outcome != "done":
                yield f"On the {way}, {step.name} ended {step.outcome}: {dict(step.error).get('error', 'no reason')}"
        for again in run.reopened:
            yield f"On the {way}, the run was taken up again to {again.how} by {again.operator}"
    for way, step in over_budget(drill):
        yield f"On the {way}, {step.name} took {words.duration(step.took)} of {words.duration(step.budget)}"
    for way, name in _repeated(drill):
        yield f"On the {way}, {name} was done more than once"


def _warned(drill: Drill) -> Iterator[str]:
    warned = warnings(drill)
    for where, text in warned[:_MOST_WARNINGS]:
        yield f"Warning ({where}): {text}"
    if len(warned) > _MOST_WARNINGS:
        yield f"{len(warned) - _MOST_WARNINGS} more warnings; see the report"


def _not_met(drill: Drill) -> Iterator[str]:
    """What the score lacks, but for what is told one by one already."""
    scored = score(drill)
    for point in scored.points if scored else ():
        if point.met is not True and point.name not in _TOLD_ALREADY:
            yield f"Not met, {point.name}: {point.why or 'nobody can tell'}"


def _repeated(drill: Drill) -> Iterator[tuple[str, str]]:
    for way, run in runs(drill):
        names = [step.name for step in run.steps]
        yield from ((way, name) for name in dict.fromkeys(names) if names.count(name) > 1)


def _lines(drill: Drill) -> Iterator[str]:
    asked = drill.asked
    scored = score(drill)
    yield f"# After-action report: drill of {escape(drill.procedure)} on {escape(drill.opened.site)}"
    yield ""
    yield "Written once by Defib from the journals of the drill, and yours from then on: it is never overwritten."
    yield ""
    yield f"- Drill: `{drill.opened.run_id}`, {words.stamp(drill.started)}, {drill.ending}"
    yield f"- Score: {f'{scored.percent} % ({scored.met} of {len(scored.points)})' if scored else 'none, it was not held'}"
    for name, measure in (("RTO", drill.forward.rto), ("RPO", drill.forward.rpo)) if drill.forward else ():
        figure = f"{words.duration(measure.actual)} of {words.duration(measure.target)}"
        yield f"- {name}: {figure}, {escape(words.objective(measure, name))}"
    yield f"- Owner: {escape(asked.owner) if asked and asked.owner else '(to be named)'}"
    people = ", ".join(asked.participants) if asked else ""
    yield f"- Participants: {escape(people) if people else '(to be named)'}"
    yield ""
    yield "## Timeline"
    yield ""
    yield "| When | What |"
    yield "| --- | --- |"
    for event in timeline_of(drill):
        yield f"| {words.stamp(event.at)} | {escape(event.text)} |"
    yield ""
    yield "## Deviations"
    yield ""
    found = deviations(drill)
    yield from (f"- {escape(text)}" for text in found)
    if not found:
        yield "None that the journals tell of."
    yield ""
    yield "What else went otherwise than expected, and what went well:"
    yield ""
    yield "- "
    yield ""
    yield "## Corrective actions"
    yield ""
    yield "| What | Who | By when | Done |"
    yield "| --- | --- | --- | --- |"
    for text in found or ("",):
        yield f"| {f'for: {escape(text)}' if text else ''} |  |  | [ ] |"
    yield ""
    yield "## Read and agreed"
    yield ""
    yield "| Name | Date |"
    yield "| --- | --- |"
    yield "|  |  |"
