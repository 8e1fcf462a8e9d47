"""How far something was behind at each look, over time, against what it may be."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from defib.objectives import Measure
from defib.report import words
from defib.report.axis import axis_over
from defib.report.page import Bar, Chart, Tone, tone_of

_NARROWEST = 0.4
_LOWEST = 1.5
"""Per cent: a figure that is not zero can be seen."""

_MOST = 96
"""So many bars fit."""

_UNITS = ((timedelta(hours=2), timedelta(hours=1), "h"), (timedelta(minutes=2), timedelta(minutes=1), "min"))


def chart_over(title: str, points: Sequence[tuple[datetime, timedelta | None]], limit: timedelta) -> Chart:
    """A bar for each of the last looks; one at which nobody knew is as high as the chart, and hollow."""
    shown = points[-_MOST:]
    moments = [at for at, _ in shown]
    axis = axis_over([*moments, moments[-1] + (moments[-1] - moments[0]) / max(1, len(moments))], moments[0])
    top = max([limit, *(figure for _, figure in shown if figure is not None)]) * 1.1
    ends = [*moments[1:], axis.end]
    bars = []
    for (at, figure), end in zip(shown, ends, strict=True):
        left = axis.place(at)
        height = 100.0 if figure is None else max(figure / top * 100, _LOWEST if figure else 0)
        tone = Tone.UNKNOWN if figure is None else tone_of(Measure(limit, figure).verdict)
        said = f"{words.time_of_day(at)}: {words.duration(figure)}"
        bars.append(Bar(left, max(axis.place(end) - left, _NARROWEST), round(height, 2), tone, said))
    return Chart(
        title,
        tuple(bars),
        round(limit / top * 100, 2),
        f"RPO {words.duration(limit)}",
        axis.ticks(),
        _mermaid(title, shown, limit),
    )


def _mermaid(title: str, points: Sequence[tuple[datetime, timedelta | None]], limit: timedelta) -> str:
    """Mermaid has no gaps: a look at which nobody knew is left out, and the title says how many there were."""
    known = [(at, figure) for at, figure in points if figure is not None]
    if not known:
        return ""
    longest = max([limit, *(figure for _, figure in known)])
    unit, name = next(((unit, name) for least, unit, name in _UNITS if longest >= least), (timedelta(seconds=1), "s"))
    hidden = len(points) - len(known)
    also = f", unknown at {words.count(hidden, 'look')}" if hidden else ""
    figures = ", ".join(f"{figure / unit:.2f}" for _, figure in known)
    times = ", ".join(f'"{at:%H.%M}"' for at, _ in known)
    return "\n".join(
        [
            "xychart-beta",
            f'    title "{_plain(title)}{also}"',
            f"    x-axis [{times}]",
            f'    y-axis "{name}, the line is the RPO" 0 --> {longest / unit * 1.1:.2f}',
            f"    bar [{figures}]",
            f"    line [{', '.join([f'{limit / unit:.2f}'] * len(known))}]",
        ]
    )


def _plain(text: str) -> str:
    return "".join(character if character.isalnum() or character in " .,()-" else " " for character in text)
