"""How figures are said to people: the same words in the reports and on the terminal. Unknown is said, never left blank."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime, timedelta

from defib.objectives import Measure, Status, Verdict

UNKNOWN = "unknown"
_SECOND = timedelta(seconds=1)
_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_SMALLEST_SHARE = 0.0001


def duration(span: timedelta | None) -> str:
    """A length of time in the two largest units that matter: 250 ms, 6.4 s, 3 min 20 s, 2 h 5 min; unknown for None."""
    if span is None:
        return UNKNOWN
    if span < timedelta(0):
        return f"-{duration(-span)}"
    milliseconds = round(span / timedelta(milliseconds=1))
    if milliseconds == 0:
        return "0 s" if not span else "under 1 ms"
    if milliseconds < 1000:  # noqa: PLR2004 - milliseconds in a second
        return f"{milliseconds} ms"
    for unit, digits in ((10 * _SECOND, 2), (_MINUTE, 1)):
        seconds = round(span / _SECOND, digits)
        if seconds < unit / _SECOND:
            return f"{seconds:g} s"
    return _long(span)


def _long(span: timedelta) -> str:
    for limit, large, small, names in (
        (_HOUR, _MINUTE, _SECOND, ("min", "s")),
        (_DAY, _HOUR, _MINUTE, ("h", "min")),
        (None, _DAY, _HOUR, ("d", "h")),
    ):
        whole = round(span / small) * small
        if limit is None or whole < limit:
            rest = whole % large // small
            return f"{whole // large} {names[0]}" + (f" {rest} {names[1]}" if rest else "")
    raise AssertionError("the last unit has no limit")


def exact(span: timedelta | None) -> str:
    """A length of time in seconds to the millisecond, for whoever checks: 6.400 s, 200.000 s (3 min 20 s)."""
    if span is None:
        return UNKNOWN
    told = f"{span / _SECOND:.3f} s"
    return told if span < _MINUTE else f"{told} ({duration(span)})"


def seconds(span: timedelta | None) -> float | None:
    """Seconds with millisecond precision, for machines."""
    return None if span is None else round(span.total_seconds(), 3)


def offset(span: timedelta) -> str:
    """A time on an axis, from its zero: 0, +6.4 s, -2 s."""
    if not span:
        return "0"
    return duration(span) if span < timedelta(0) else f"+{duration(span)}"


def share(part: float | None, of: str) -> str:
    """A part of something: 0.04 % of the RTO; unknown for None. Never rounds across the whole."""
    if part is None:
        return f"{UNKNOWN} share of {of}"
    return f"{percent(part)} of {of}"


def percent(part: float) -> str:
    """A part as per cent with two or three digits: 0.04 %, 5.2 %, 87 %; never exactly 100 % unless it is."""
    if 0 < part < _SMALLEST_SHARE:
        return "under 0.01 %"
    digits = 2 if part < 0.01 else 1 if part < 0.1 else 0  # noqa: PLR2004 - one and ten per cent
    figure = round(part * 100, digits)
    if figure == 100 and part != 1:  # noqa: PLR2004 - the whole
        return "under 100 %" if part < 1 else "over 100 %"
    return f"{figure:g} %" if figure < 1_000_000 else f"{figure:.0f} %"  # noqa: PLR2004 - where :g turns to 1e+06


def stamp(at: datetime | None) -> str:
    """A moment in UTC to the millisecond: 2026-01-01 00:00:06.400 UTC; unknown for None."""
    return UNKNOWN if at is None else f"{_milliseconds(at):%Y-%m-%d} {time_of_day(at)} UTC"


def time_of_day(at: datetime | None) -> str:
    """The time of a moment in UTC to the millisecond: 00:00:06.400; unknown for None."""
    if at is None:
        return UNKNOWN
    rounded = _milliseconds(at)
    return f"{rounded:%H:%M:%S}.{rounded.microsecond // 1000:03d}"


def _milliseconds(at: datetime) -> datetime:
    return at.astimezone(UTC) + timedelta(microseconds=500 - (at.microsecond + 500) % 1000)


def status(value: Status | None) -> str:
    """How a run ended in one or two words; a run without an end is not finished."""
    return "not finished" if value is None else value.value.replace("-", " ")


def objective(measure: Measure, name: str) -> str:
    """One objective and how it was kept: met, 0.04 % of the RTO used, 3 h 59 min left."""
    if measure.actual is None:
        return f"{UNKNOWN} against {duration(measure.target)}: {used(measure, name)}"
    return f"{measure.verdict}, {used(measure, name)}"


def used(measure: Measure, name: str) -> str:
    """How much of an objective was used, and what was left or is beyond it; why, where that is unknown."""
    if measure.actual is None:
        return measure.why or "it was not measured"
    part = f"{percent(measure.actual / measure.target)} of the {name} used" if measure.target else ""
    if measure.verdict is Verdict.MISSED:
        rest = f"{duration(measure.actual - measure.target)} beyond {duration(measure.target)}"
    else:
        rest = f"{_at_least(measure.target - measure.actual)} left"
    return f"{part}, {rest}" if part else rest


def _at_least(span: timedelta) -> str:
    """A length of time that is never said to be longer than it is."""
    unit = _MINUTE if span >= _HOUR else _SECOND if span >= _MINUTE else timedelta(milliseconds=1)
    return duration(span // unit * unit)


def count(number: int, one: str, many: str = "") -> str:
    """A number with its noun: 1 change, 2 changes, no changes."""
    plural = many or f"{one}s"
    return f"no {plural}" if number == 0 else f"{number} {one if number == 1 else plural}"


def plain(text: str) -> str:
    """`text` with control and direction-changing characters made visible, so that it cannot hide or rewrite anything."""
    return "".join(_visible(character) for character in text)


def _visible(character: str) -> str:
    if character in "\n\t" or unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Zl", "Zp"}:
        return character
    # As JSON writes it, so that JSON that was made visible says the same: beyond the first plane that is a pair.
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
