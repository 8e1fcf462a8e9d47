"""How RTO and RPO went from drill to drill: a bar each, in the order of time, with its figure on it.

Drills that were skipped or missed have no figure. Their bars are hollow and as high as the picture: a month without a drill
is not a month with a good one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from defib.drills.line import DrillLine
from defib.objectives import Measure
from defib.report import words
from defib.report.page import Bar, Chart, Tick, Tone, tone_of

MOST = 24
"""So many drills are in one picture: two years of one procedure, of which the last are the ones that matter."""

_LABELLED = 8
_MOST_TICKS = 6
_ROOM = 1.3
"""The picture is so many times as high as its highest bar, for the figure over it."""
_NEAR = 2
"""A target up to so many times beyond that is drawn; the bars would be flat if a farther one were."""
_LOWEST = 2.0
_BREADTH = 0.6
_FEWEST = 8
"""Places that a picture has at least: a bar as broad as the page would say nothing more."""
_UNITS = ((timedelta(hours=2), timedelta(hours=1), "h"), (timedelta(minutes=2), timedelta(minutes=1), "min"))


def trend(lines: Sequence[DrillLine], procedure: str) -> tuple[Chart, ...]:
    """The pictures of one procedure's drills: of its RTO, if there is one, and of its RPO; none where none was measured."""
    own = [line for line in lines if line.procedure == procedure][-MOST:]
    found = []
    for name, measures in (("RTO", [line.rto for line in own]), ("RPO", [line.rpo for line in own])):
        known = [measure for measure in measures if measure is not None]
        if any(measure.actual is not None for measure in known):
            found.append(_chart(f"{name} of {procedure} over drills", name, own, measures, known[-1].target))
    return tuple(found)


def _chart(
    title: str, name: str, lines: Sequence[DrillLine], measures: Sequence[Measure | None], target: timedelta
) -> Chart:
    longest = max(measure.actual for measure in measures if measure is not None and measure.actual is not None)
    top = max(longest * _ROOM, timedelta(milliseconds=1))
    top = target * 1.1 if target <= top * _NEAR else top
    wide = 100 / max(len(lines), _FEWEST)
    bars = tuple(
        _bar(
            line, measure, top, number * wide + wide * (1 - _BREADTH) / 2, wide * _BREADTH, labelled=len(lines) <= _LABELLED
        )
        for number, (line, measure) in enumerate(zip(lines, measures, strict=True))
    )
    return Chart(
        title,
        bars,
        round(target / top * 100, 2),
        f"target of {words.duration(target)}",
        _ticks(lines, wide),
        _mermaid(title, name, lines, measures),
    )


def _bar(line: DrillLine, measure: Measure | None, top: timedelta, left: float, width: float, *, labelled: bool) -> Bar:
    said = f"{line.at:%Y-%m-%d}, {line.word}"
    left, width = round(left, 3), round(width, 3)
    if measure is None or measure.actual is None:
        return Bar(left, width, 100.0, Tone.UNKNOWN, f"{said}: no figure")
    height = round(max(measure.actual / top * 100, _LOWEST), 2)
    figure = words.duration(measure.actual)
    tone = tone_of(measure.verdict) if line.ending.was_held else Tone.UNKNOWN
    return Bar(left, width, height, tone, f"{said}: {figure}", figure if labelled else "")


def _ticks(lines: Sequence[DrillLine], wide: float) -> tuple[Tick, ...]:
    stride = -(-len(lines) // _MOST_TICKS)
    year = {line.at.year for line in lines}
    form = "%m-%d" if len(year) == 1 and stride == 1 else "%Y-%m-%d"
    return tuple(
        Tick(round((number + 0.5) * wide, 3), f"{line.at:{form}}")
        for number, line in enumerate(lines)
        if not number % stride
    )


def _mermaid(title: str, name: str, lines: Sequence[DrillLine], measures: Sequence[Measure | None]) -> str:
    """Mermaid has no gaps: drills without a figure are left out, and the title says how many there were."""
    known = [
        (line.at, measure.actual)
        for line, measure in zip(lines, measures, strict=True)
        if measure is not None and measure.actual is not None
    ]
    longest = max(actual for _, actual in known)
    unit, of = next(((unit, of) for least, unit, of in _UNITS if longest >= least), (timedelta(seconds=1), "s"))
    hidden = len(lines) - len(known)
    also = f", {words.count(hidden, 'drill')} without a figure" if hidden else ""
    top = max(longest / unit * _ROOM, 1.0)
    days = [f'"{at:%y.%m.%d}"' for at, _ in known]
    return "\n".join(
        [
            "xychart-beta",
            f'    title "{title}{also}"',
            f"    x-axis [{', '.join(days)}]",
            f'    y-axis "{name}, {of}" 0 --> {top:.2f}',
            f"    bar [{', '.join(f'{actual / unit:.2f}' for _, actual in known)}]",
        ]
    )
