"""What a drill is worth and what comes of it: score, preconditions, deviations, who answers for it, and drills before it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from defib.drills.drilled import Drill
from defib.drills.line import DrillLine
from defib.drills.score import score
from defib.report import words
from defib.report.afteraction import FILE, deviations
from defib.report.page import Cell, Section, Table, Tone, cells
from defib.report.trend import trend

_TONES = {True: Tone.GOOD, False: Tone.BAD, None: Tone.UNKNOWN}
_WORDS = {True: "met", False: "not met", None: words.UNKNOWN}


def scored(drill: Drill) -> str:
    """The score in a sentence; "" of a drill that was not held."""
    found = score(drill)
    return f"Score {found.percent} %: {found.met} of {len(found.points)} objectives and checks were met." if found else ""


def review(drill: Drill, past: Sequence[DrillLine]) -> Iterator[Section]:
    """The sections of a report that a team talks about afterwards."""
    yield from _before(drill)
    yield from _scored(drill)
    yield _after(drill)
    charts = trend(past, drill.procedure)
    if charts:
        yield Section("Drills so far", (f"Of {drill.procedure} on {drill.opened.site}, oldest first.",), charts=charts)


def _before(drill: Drill) -> Iterator[Section]:
    if not drill.preconditions:
        return
    rows = tuple(
        cells(seen.name, Cell(_WORDS[seen.met], tone=_TONES[seen.met]), "yes" if seen.binding else "no", seen.text)
        for seen in drill.preconditions
    )
    table = Table("Preconditions", ("What", "State", "Holds it back", "What was seen"), rows)
    yield Section("Before it began", ("Looked at before anything was broken.",), tables=(table,))


def _scored(drill: Drill) -> Iterator[Section]:
    found = score(drill)
    if found is None:
        return
    rows = tuple(cells(p.name, Cell(_WORDS[p.met], tone=_TONES[p.met]), p.why) for p in found.points)
    text = f"{found.met} of {len(found.points)} objectives and checks were met, each counting the same: {found.percent} %."
    yield Section("Score", (text,), tables=(Table("Points", ("Point", "State", "Why not"), rows),))


def _after(drill: Drill) -> Section:
    asked, found = drill.asked, deviations(drill)
    people = (
        cells("Why it was held", asked.why if asked else words.UNKNOWN),
        cells("Owner", (asked.owner if asked else "") or "to be named"),
        cells("Participants", ", ".join(asked.participants if asked else ()) or "to be named"),
        cells("To fill in", Cell(f"{FILE}, beside this report", code=False)),
    )
    tables = (
        Table("Who answers for it", ("", ""), people),
        Table("Deviations", ("What went otherwise",), tuple(cells(text) for text in found)),
    )
    sentence = "" if found else "The journals tell of no deviation."
    told = (f"Corrective actions are filled in in {FILE}, which is written once and never overwritten.", sentence)
    return Section(
        "After-action", tuple(text for text in told if text), tables=tuple(table for table in tables if table.rows)
    )
