"""All drills of a site on one page: how each procedure's RTO and RPO went, and a line for every drill, the newest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from defib.drills.calendar import Ending
from defib.drills.line import DrillLine, Unreadable
from defib.objectives import Measure
from defib.report import words
from defib.report.page import Cell, Page, Section, Table, Tile, Tone, cells, code
from defib.report.trend import trend

TONES = {Ending.DONE: Tone.GOOD, Ending.FAILED: Tone.BAD, Ending.MISSED: Tone.BAD}
"""Of those that are not here nobody can say whether the procedure works."""

_COLUMNS = ("When (UTC)", "Procedure", "Ended", "RTO", "RPO", "Score", "Why", "Drill")


def drills_page(
    site: str, at: datetime, lines: Sequence[DrillLine], broken: Sequence[Unreadable], following: Mapping[str, datetime]
) -> Page:
    """The page; `following` says when procedures are due next."""
    procedures = tuple(dict.fromkeys((*following, *(line.procedure for line in lines))))
    tiles = tuple(_tile(procedure, lines, following.get(procedure)) for procedure in procedures)
    tones = {tile.tone for tile in tiles} | ({Tone.UNKNOWN} if broken or not tiles else set())
    tone = next((each for each in (Tone.BAD, Tone.UNKNOWN) if each in tones), Tone.GOOD)
    return Page(
        title=f"Drills of {site}",
        subtitle=f"{words.count(len(lines), 'drill')}, read at {words.stamp(at)}",
        tone=tone,
        lead=_lead(lines),
        tiles=tiles,
        commands=(),
        sections=(*(_section(procedure, lines) for procedure in procedures if trend(lines, procedure)), _all(lines, broken)),
        footer="Derived from the journals of the drills and of their runs; defib verify DRILL checks each.",
    )


def _lead(lines: Sequence[DrillLine]) -> str:
    if not lines:
        return "No drill was ever held."
    counted = [f"{sum(line.ending is ending for line in lines)} {ending}" for ending in Ending]
    return ", ".join(text for text in counted if not text.startswith("0 ")) + "."


def _tile(procedure: str, lines: Sequence[DrillLine], due: datetime | None) -> Tile:
    """The last drill that was held or should have been."""
    last = next((line for line in reversed(lines) if line.procedure == procedure), None)
    then = f"due next at {due:%Y-%m-%d %H:%M} UTC" if due else "not on the calendar"
    if last is None:
        return Tile(procedure, "never", "no drill", then, Tone.UNKNOWN)
    figure = f"RTO {words.duration(last.rto.actual)}" if last.rto else f"{last.at:%Y-%m-%d}"
    return Tile(procedure, last.word, figure, f"{last.at:%Y-%m-%d}; {then}", TONES.get(last.ending, Tone.UNKNOWN))


def _section(procedure: str, lines: Sequence[DrillLine]) -> Section:
    return Section(procedure, charts=trend(lines, procedure))


def _all(lines: Sequence[DrillLine], broken: Sequence[Unreadable]) -> Section:
    rows = tuple(_row(line) for line in reversed(lines))
    tables = [Table("Drills", _COLUMNS, rows)] if rows else []
    if broken:
        unread = tuple(cells(code(each.drill_id), Cell(each.why, tone=Tone.BAD)) for each in broken)
        tables.append(Table("Journals that do not verify", ("Drill", "Why"), unread))
    return Section("Every drill", () if rows else ("There is none.",), tables=tuple(tables))


def _row(line: DrillLine) -> tuple[Cell, ...]:
    ended = Cell(line.word, tone=TONES.get(line.ending, Tone.UNKNOWN))
    scored = f"{line.score.percent} %" if line.score else "-"
    why = "; ".join(text for text in (line.why, line.reason) if text)
    return cells(
        f"{line.at:%Y-%m-%d %H:%M}", line.procedure, ended, told(line.rto), told(line.rpo), scored, why, code(line.drill_id)
    )


def told(measure: Measure | None) -> str:
    """A figure of a drill; a dash where there was nothing to measure."""
    return "-" if measure is None else words.duration(measure.actual)
