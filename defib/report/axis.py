"""An axis of time: from moments to per cent of a width, with few and round ticks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from defib.report import words
from defib.report.page import Tick

_STEPS = (
    *(timedelta(milliseconds=n) for n in (1, 2, 5, 10, 20, 50, 100, 200, 500)),
    *(timedelta(seconds=n) for n in (1, 2, 5, 10, 15, 30)),
    *(timedelta(minutes=n) for n in (1, 2, 5, 10, 15, 30)),
    *(timedelta(hours=n) for n in (1, 2, 3, 6, 12)),
    *(timedelta(days=n) for n in (1, 2, 7, 30, 90, 365)),
)
_MOST_TICKS = 6
_TOUCHING = 4.0
"""Per cent of the width within which two labels would touch on a narrow screen."""


@dataclass(frozen=True)
class Axis:
    """From `begin` to `end`, told as the time since `zero`. `end` is after `begin`."""

    begin: datetime
    end: datetime
    zero: datetime

    @property
    def length(self) -> timedelta:
        """The whole of it."""
        return self.end - self.begin

    def place(self, at: datetime) -> float:
        """Where a moment is, in per cent; what lies outside is put at the edge."""
        return round(min(max((at - self.begin) / self.length * 100, 0.0), 100.0), 3)

    def ticks(self) -> tuple[Tick, ...]:
        """At most six ticks at round times from zero."""
        step = next((step for step in _STEPS if self.length / step <= _MOST_TICKS), _STEPS[-1])
        first = -((self.zero - self.begin) // step)
        last = (self.end - self.zero) // step
        stride = max(1, -(-(last - first + 1) // (_MOST_TICKS + 1)))
        numbers = [number for number in range(first, last + 1) if number % stride == 0]
        return tuple(Tick(self.place(self.zero + n * step), words.offset(n * step)) for n in numbers)


def axis_over(moments: list[datetime], zero: datetime) -> Axis:
    """The axis that holds all `moments` with a little room on both sides."""
    begin, end = min(moments), max(moments)
    room = max((end - begin) * 0.02, timedelta(milliseconds=5))
    return Axis(begin - room, end + room, zero)


def spread(letters: list[tuple[str, float]]) -> tuple[Tick, ...]:
    """Labels at their places, those that would touch put together: ``C`` and ``D`` become ``CD``."""
    ticks: list[Tick] = []
    for letter, left in sorted(letters, key=lambda pair: pair[1]):
        if ticks and left - ticks[-1].left < _TOUCHING:
            ticks[-1] = Tick(ticks[-1].left, ticks[-1].text + letter)
        else:
            ticks.append(Tick(left, letter))
    return tuple(ticks)
