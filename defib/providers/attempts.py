"""One vendor call that is tried again while the vendor is unavailable and the deadline allows."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from defib.clock import Deadline
from defib.errors import Unavailable

T = TypeVar("T")


@dataclass(frozen=True)
class Backoff:
    """How to try again: pauses double from `first` up to `cap`, shortened at random by up to half.

    One attempt may take `attempt`, so that a vendor who hangs leaves time for another.
    """

    first: timedelta = timedelta(milliseconds=200)
    cap: timedelta = timedelta(seconds=5)
    attempt: timedelta = timedelta(seconds=5)

    def pause(self, failures: int, chance: random.Random) -> timedelta:
        """The pause after so many failures in a row, the first being 1."""
        # An exponent of 32 is past any cap, and keeps the product inside what timedelta holds.
        longest = min(self.first * 2.0 ** min(failures - 1, 32), self.cap)
        return longest * chance.uniform(0.5, 1)


class Attempts:
    """Carries out one call of a port again and again, as a :class:`Backoff` says; `by_hand` ends its error messages."""

    def __init__(self, chance: random.Random, backoff: Backoff, by_hand: str) -> None:
        self._chance = chance
        self._backoff = backoff
        self._by_hand = by_hand

    def run(self, work: Callable[[Deadline], T], within: Deadline) -> T:
        """Give the first result of `work`; the last :class:`Unavailable` once another attempt has no time."""
        failures = 0
        while True:
            try:
                return work(within.sooner(self._backoff.attempt))
            except Unavailable as error:
                failures += 1
                self._pause(error, failures, within)

    def _pause(self, error: Unavailable, failures: int, within: Deadline) -> None:
        remaining = within.remaining()
        wish = error.retry_after or timedelta(0)
        if wish and wish >= remaining:
            raise Unavailable(
                f"{error.what}; the vendor asks to wait {_seconds(wish)}, and {_seconds(remaining)} are left",
                retry_after=error.retry_after,
                where=error.where,
                seen=error.seen,
                then=self._by_hand,
            ) from error
        pause = max(wish, self._backoff.pause(failures, self._chance))
        if pause >= remaining:
            tried = "once" if failures == 1 else f"{failures} times"
            raise Unavailable(
                f"{error.what}; tried {tried}, no time is left for more",
                retry_after=error.retry_after,
                where=error.where,
                expected=error.expected,
                seen=error.seen,
                then=error.then or self._by_hand,
            ) from error
        within.clock.sleep(pause)


def _seconds(duration: timedelta) -> str:
    return f"{round(duration.total_seconds(), 1):g} s"
