"""Retry-After is read in both forms that RFC 9110 gives it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from defib.providers.retry_after import parse_retry_after

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, None),
        ("7", timedelta(seconds=7)),
        (" 0 ", timedelta(0)),
        ("1.5", timedelta(seconds=1.5)),
        ("Sun, 01 Mar 2026 12:05:00 GMT", timedelta(minutes=5)),
        ("Sun, 01 Mar 2026 11:00:00 GMT", timedelta(0)),
        ("Sun, 01 Mar 2026 12:00:10 -0000", timedelta(seconds=10)),
        ("soon", None),
        ("-5", None),
        ("", None),
        ("1e400", None),
        ("99999999999999999999", None),
    ],
)
def test_both_forms(text: str | None, expected: timedelta | None) -> None:
    """Seconds and dates are waits, never negative; what cannot be read is no wish."""
    assert parse_retry_after(text, NOW) == expected
