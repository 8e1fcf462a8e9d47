"""What a report says of mirrors: every one of them compared with its source, ref by ref."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from defib.copyentries import MirrorSeen
from defib.objectives import Measure, Verdict
from defib.report import words
from defib.report.page import Cell, Table, Tone, cells, span, tone_of
from defib.timeline import Timeline

WORST_FIRST = (Verdict.MISSED, Verdict.UNKNOWN, Verdict.MET)


@dataclass(frozen=True)
class MirrorFigures:
    """One mirror against its source."""

    repository: str
    source: str
    mirror: str
    refs: int
    """What the source has: branches, tags, and notes where they are mirrored."""
    equal: int
    was_behind_s: float | None
    """How far it was behind before the run."""
    behind_s: float | None
    """How far it is behind after it."""
    worst_s: float | None
    """The furthest that it was behind at any look of the last seven days."""
    verdict: Verdict
    """The worse of both against the RPO."""
    problems: tuple[str, ...]


def figures(told: Timeline) -> tuple[MirrorFigures, ...]:
    """Every mirror, for machines."""
    return tuple(
        MirrorFigures(
            repository=seen.repository,
            source=seen.source,
            mirror=seen.place,
            refs=seen.refs,
            equal=seen.equal,
            was_behind_s=words.seconds(seen.was),
            behind_s=words.seconds(seen.behind),
            worst_s=words.seconds(seen.worst),
            verdict=Measure(told.opened.rpo, seen.lag).verdict,
            problems=seen.problems,
        )
        for seen in told.mirrors
    )


def lead(told: Timeline) -> str:
    """What happened to the mirrors in a sentence."""
    wrong = sum(bool(seen.problems) or seen.equal != seen.refs for seen in told.mirrors)
    if not told.mirrors:
        return "The mirrors were not compared."
    if wrong:
        return f"Not every mirror holds everything, or could be compared: {wrong} of {len(told.mirrors)}."
    return f"Every mirror holds everything: {words.count(len(told.mirrors), 'mirror')}."


def lines(told: Timeline) -> tuple[tuple[str, str], ...]:
    """Every mirror in a line for a terminal, after its name."""
    return tuple((seen.place, f" {seen.repository}: {_line(seen)}") for seen in told.mirrors)


def _line(seen: MirrorSeen) -> str:
    behind = "behind by nobody knows how much" if seen.behind is None else f"{words.duration(seen.behind)} behind"
    before = f", was {words.duration(seen.was)}" if seen.was else ""
    return f"{seen.equal} of {seen.refs} refs equal, {behind}{before}"


def tables(told: Timeline) -> tuple[Table, ...]:
    """Every mirror of every repository, compared with its source ref by ref."""
    headings = ("Repository", "Mirror", "Refs equal", "Was behind", "Behind", "Worst in 7 days", "Verdict", "Wrong")
    rows = tuple(_row(seen, told.opened.rpo) for seen in told.mirrors)
    return (Table("Mirrors against their sources", headings, rows),)


def _row(seen: MirrorSeen, rpo: timedelta) -> tuple[Cell, ...]:
    verdict = Measure(rpo, seen.lag).verdict
    equal = Cell(f"{seen.equal} of {seen.refs}", tone=Tone.GOOD if seen.equal == seen.refs else Tone.BAD)
    return cells(
        seen.repository,
        f"{seen.place}, from {seen.source}",
        equal,
        span(seen.was),
        span(seen.behind),
        span(seen.worst),
        Cell(verdict.value, tone=tone_of(verdict)),
        "; ".join(seen.problems) or "-",
    )


def rows(told: Timeline) -> tuple[Mapping[str, str], ...]:
    """Repository by mirror, the worst first, as the rows of an artifact."""
    rpo = told.opened.rpo
    found = sorted(told.mirrors, key=lambda seen: (WORST_FIRST.index(Measure(rpo, seen.lag).verdict), not seen.problems))
    return tuple(
        {
            "repository": words.plain(seen.repository),
            "mirror": words.plain(seen.place),
            "equal": f"{seen.equal} of {seen.refs}",
            "was behind": words.duration(seen.was),
            "behind": words.duration(seen.behind),
            "worst in 7 days": words.duration(seen.worst),
            "verdict": Measure(rpo, seen.lag).verdict.value,
            "wrong": words.plain("; ".join(seen.problems)),
        }
        for seen in found
    )
