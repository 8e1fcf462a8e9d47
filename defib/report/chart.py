"""How far something was behind at each look, over time, against what it may be."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from html import escape

from defib.objectives import Measure
from defib.report import words
from defib.report.axis import axis_over
from defib.report.page import Bar, Chart, Tone, tone_of

_NARROWEST = 0.4
_LOWEST = 1.5
"""Per cent: a figure that is not zero can be seen."""

_WIDTH, _HEIGHT, _ABOVE, _BELOW = 760, 220, 36, 26
"""Points of a picture of its own, and what is left in it above and below for words."""

_FILLS = {
    Tone.GOOD: 'fill="#15703f"',
    Tone.BAD: 'fill="#b3261e"',
    Tone.UNKNOWN: 'fill="#ffffff" stroke="#6a707a" stroke-dasharray="3 3"',
    Tone.PLAIN: 'fill="#2857a8"',
}
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


def as_svg(chart: Chart) -> str:
    """The chart as a picture of its own, for places that show pictures and run nothing."""
    height = _HEIGHT - _ABOVE - _BELOW
    floor = _ABOVE + height
    drawn = [f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fcfcfa"/>']
    drawn.append(_text(10, 22, "start", f"{chart.title}; {chart.limit_said}", "font-weight:600"))
    for bar in chart.bars:
        left, wide, tall = bar.left / 100 * _WIDTH, bar.width / 100 * _WIDTH, bar.height / 100 * height
        drawn.append(
            f'<rect x="{left:.1f}" y="{floor - tall:.1f}" width="{wide:.1f}" height="{tall:.1f}" {_FILLS[bar.tone]}>'
            f"<title>{escape(bar.words)}</title></rect>"
        )
        if bar.label:
            drawn.append(_text(left + wide / 2, floor - tall - 5, "middle", bar.label))
    line = floor - chart.limit / 100 * height
    if line >= _ABOVE:
        drawn.append(f'<line x1="0" x2="{_WIDTH}" y1="{line:.1f}" y2="{line:.1f}" stroke="#1b1e23" stroke-width="2"/>')
    drawn += [_text(tick.left / 100 * _WIDTH, _HEIGHT - 8, "middle", tick.text) for tick in chart.ticks]
    size = f'width="{_WIDTH}" height="{_HEIGHT}" viewBox="0 0 {_WIDTH} {_HEIGHT}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif">{"".join(drawn)}</svg>'


def _text(left: float, top: float, anchor: str, text: str, style: str = "") -> str:
    place = f'x="{left:.1f}" y="{top:.1f}" text-anchor="{anchor}" font-size="12" fill="#575d67" style="{style}"'
    return f"<text {place}>{escape(words.plain(text))}</text>"


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
