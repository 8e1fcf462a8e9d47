"""The ``Retry-After`` header: how long a vendor wants us to wait (RFC 9110, section 10.2.3)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime


def parse_retry_after(text: str | None, now: datetime) -> timedelta | None:
    """The wish in the header's `text`, seconds or an HTTP date, never negative; None where there is none to read."""
    if text is None:
        return None
    stripped = text.strip()
    if re.fullmatch(r"\d{1,9}(\.\d+)?", stripped):
        return timedelta(seconds=float(stripped))
    try:
        moment = parsedate_to_datetime(stripped)
    except ValueError:
        return None  # an unreadable wish is no wish: the caller's own back-off holds
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(aware - now, timedelta(0))
