"""What is read into the figures of a rule, and what is not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from defib.replication.metrics import Reading, RuleMetrics

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
ZERO, SOME = Reading(0, NOON), Reading(90, NOON)


def test_nothing_told_is_not_zero() -> None:
    """S11: metrics that are missing are unknown, and not empty either."""
    missing = RuleMetrics("all", why="CloudWatch in eu-west-1: refused")
    assert (missing.behind, missing.known, missing.empty) == (None, False, False)


@pytest.mark.parametrize(
    "zeros",
    [
        RuleMetrics("all", latency=ZERO, bytes_pending=ZERO, operations_pending=ZERO),
        RuleMetrics("all", latency=ZERO),
        RuleMetrics("all", bytes_pending=ZERO, operations_pending=ZERO),
    ],
)
def test_a_minute_in_which_nothing_was_on_its_way(zeros: RuleMetrics) -> None:
    """S12: a latency of zero with an empty minute says that nothing was copied, not that anything would arrive."""
    assert (zeros.known, zeros.empty) == (True, True)


@pytest.mark.parametrize(
    "some",
    [
        RuleMetrics("all", latency=SOME, bytes_pending=ZERO),
        RuleMetrics("all", latency=ZERO, bytes_pending=SOME),
        RuleMetrics("all", latency=ZERO, operations_pending=SOME),
    ],
)
def test_a_minute_in_which_something_was_on_its_way(some: RuleMetrics) -> None:
    """Then the figure is about something."""
    assert (some.known, some.empty) == (True, False)


def test_failures_are_no_progress() -> None:
    """They come from another region, and say nothing of what is on its way."""
    assert not RuleMetrics("all", operations_failed=SOME).known


def test_latency_is_a_duration() -> None:
    """S3 tells it in seconds."""
    assert RuleMetrics("all", latency=SOME).behind == timedelta(seconds=90)
