"""The words for figures: what people read must not say more than what is known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from defib.objectives import Measure, Status
from defib.report import words


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 s"),
        (0.0001, "under 1 ms"),
        (0.25, "250 ms"),
        (0.9996, "1 s"),
        (6.4, "6.4 s"),
        (6.413, "6.41 s"),
        (9.999, "10 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min"),
        (200, "3 min 20 s"),
        (3599.7, "1 h"),
        (7500, "2 h 5 min"),
        (14400, "4 h"),
        (90_000, "1 d 1 h"),
        (400 * 86_400, "400 d"),
        (-2, "-2 s"),
    ],
)
def test_duration_says_the_two_units_that_matter(seconds: float, expected: str) -> None:
    """A length of time is rounded to what people read, and never to a unit that overflows (60 s, 60 min)."""
    assert expected == words.duration(timedelta(seconds=seconds))


def test_unknown_is_said() -> None:
    """What is not known is said to be unknown in every form, never blank, zero or a dash."""
    said = [words.duration(None), words.exact(None), words.stamp(None), words.time_of_day(None)]

    assert ["unknown"] * 4 == said
    assert "unknown share of the RTO" == words.share(None, "the RTO")


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (0, "0 %"),
        (0.00001, "under 0.01 %"),
        (0.000444, "0.04 %"),
        (0.0123, "1.2 %"),
        (0.5, "50 %"),
        (0.9999, "under 100 %"),
        (1, "100 %"),
        (1.0001, "over 100 %"),
        (1.67, "167 %"),
        (123_456, "12345600 %"),
    ],
)
def test_percent_never_rounds_across_the_whole(part: float, expected: str) -> None:
    """A share of just below or above the target is not shown as the target."""
    assert expected == words.percent(part)


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        (6.4, "met, 0.04 % of the RTO used, 3 h 59 min left"),
        (14400, "met, 100 % of the RTO used, 0 s left"),
        (14400.4, "missed, over 100 % of the RTO used, 400 ms beyond 4 h"),
        (None, "unknown against 4 h: nobody looked"),
    ],
)
def test_objective_is_said_with_its_margin(actual: float | None, expected: str) -> None:
    """The sentence on an objective has verdict, share and margin, and its time left is never more than there is."""
    reached = None if actual is None else timedelta(seconds=actual)

    assert expected == words.objective(Measure(timedelta(hours=4), reached, "nobody looked"), "RTO")


def test_zero_target_has_no_share() -> None:
    """A target of zero is judged without dividing by it."""
    none = timedelta(0)

    assert "met, 0 s left" == words.objective(Measure(none, none), "RPO")
    assert "missed, 1 s beyond 0 s" == words.objective(Measure(none, timedelta(seconds=1)), "RPO")


def test_exact_keeps_milliseconds() -> None:
    """Whoever checks finds milliseconds, and beyond a minute also what people read."""
    assert "6.400 s" == words.exact(timedelta(seconds=6.4))
    assert "200.000 s (3 min 20 s)" == words.exact(timedelta(seconds=200))


def test_stamps_are_utc_and_rounded_to_milliseconds() -> None:
    """A moment in any zone is shown in UTC, and 999.6 ms is the next second, not 1000 ms."""
    east = datetime(2026, 1, 1, 2, 0, 5, 999_600, tzinfo=timezone(timedelta(hours=2)))

    assert "2026-01-01 00:00:06.000 UTC" == words.stamp(east)
    assert "00:00:06.400" == words.time_of_day(datetime(2026, 1, 1, 0, 0, 6, 400_499, tzinfo=UTC))


def test_control_and_direction_characters_are_shown() -> None:
    """Text from outside can neither move the cursor of a terminal nor turn the reading direction."""
    assert "a\\u001b[31m\\u202eb\\u0000" == words.plain("a\x1b[31m\u202eb\x00")
    assert "two\nlines, é 中" == words.plain("two\nlines, é 中")


def test_status_without_an_end_is_not_finished() -> None:
    """A run without an end is never called by the name of an end."""
    assert "not finished" == words.status(None)
    assert "rolled back" == words.status(Status.ROLLED_BACK)


@pytest.mark.parametrize(("number", "expected"), [(0, "no changes"), (1, "1 change"), (2, "2 changes")])
def test_count_agrees_with_its_noun(number: int, expected: str) -> None:
    """A number and its noun agree."""
    assert expected == words.count(number, "change")
