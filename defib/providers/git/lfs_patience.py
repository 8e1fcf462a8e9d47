"""How long an LFS server is waited for, and how often it is asked again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from defib.clock import Deadline
from defib.errors import Unavailable

T = TypeVar("T")

TRIES = 4
"""Failures in a row for which a server gives no time to come back; there, the last is the end."""

_FIRST = timedelta(milliseconds=250)


def patiently(work: Callable[[], T], within: Deadline) -> T:
    """The first result of `work`, which is tried again while it is :class:`Unavailable`.

    A server's wish to wait (``Retry-After``) is kept to, as often as it has it; one that leads past the deadline ends this
    at once. Without one, pauses double, and the last of :data:`TRIES` failures is raised.
    """
    failures = 0
    while True:
        try:
            return work()
        except Unavailable as error:
            failures += 1 if error.retry_after is None else 0
            pause = _pause(error, failures, within)
        within.clock.sleep(pause)


def _pause(error: Unavailable, failures: int, within: Deadline) -> timedelta:
    remaining = within.remaining()
    if error.retry_after is not None and error.retry_after >= remaining:
        raise Unavailable(
            f"{error.what} {_seconds(error.retry_after)}, and {_seconds(remaining)} are left",
            where=error.where,
            seen=error.seen,
            then="try again later, or give it more time",
            retry_after=error.retry_after,
        ) from error
    pause = max(error.retry_after or timedelta(0), _FIRST * 2.0 ** max(failures - 1, 0))
    if failures >= TRIES or pause >= remaining:
        raise error
    return pause


def _seconds(duration: timedelta) -> str:
    return f"{round(duration.total_seconds(), 1):g} s"
