"""A shared cache as RFC 9111 wants it, for as much as an edge of the lab needs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from http import HTTPStatus

from defib.clock import Clock
from defib.lab.purge import Purge
from defib.lab.web import Response

_MAX_COPIES = 2_000


@dataclass(frozen=True)
class CacheKey:
    """Whose copy: the distribution or zone, the host asked for, and path with query."""

    tenant: str
    host: str
    target: str


@dataclass(frozen=True)
class Copy:
    """A stored answer. `stored` is when it came in, `checked` when the origin last vouched for it."""

    response: Response
    stored: timedelta
    checked: timedelta
    fresh_for: timedelta

    def fresh(self, now: timedelta) -> bool:
        """Whether it may be served without asking the origin."""
        return now - self.checked < self.fresh_for

    def age(self, now: timedelta) -> int:
        """Seconds since the origin last vouched for it, as in the header ``Age``."""
        return int((now - self.checked).total_seconds())


class EdgeCache:
    """Copies by key; the oldest makes room when there are too many."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._copies: dict[CacheKey, Copy] = {}

    def get(self, key: CacheKey, purges: Sequence[Purge]) -> Copy | None:
        """The copy under `key`, unless a purge that is due came after it."""
        copy = self._copies.get(key)
        if copy is None:
            return None
        now = self._clock.monotonic()
        if any(copy.stored <= purge.due <= now and purge.matches(key.host, key.target) for purge in purges):
            del self._copies[key]
            return None
        return copy

    def put(self, key: CacheKey, response: Response) -> Copy | None:
        """Store an answer if it may be stored."""
        lifetime = freshness(response)
        self._copies.pop(key, None)
        if lifetime is None:
            return None
        now = self._clock.monotonic()
        copy = Copy(response, now, now, lifetime)
        while len(self._copies) >= _MAX_COPIES:
            self._copies.pop(next(iter(self._copies)))
        self._copies[key] = copy
        return copy

    def vouch(self, key: CacheKey, copy: Copy) -> Copy:
        """Make a copy fresh again after the origin said that it is unchanged."""
        vouched = replace(copy, checked=self._clock.monotonic())
        self._copies[key] = vouched
        return vouched


def freshness(response: Response) -> timedelta | None:
    """How long a shared cache may serve `response` without asking; None where it must not keep it."""
    if response.status != HTTPStatus.OK:
        return None
    directives = _directives(response.header("Cache-Control"))
    if "no-store" in directives or "private" in directives:
        return None
    if "no-cache" in directives:
        return timedelta(0)
    given = directives.get("s-maxage", directives.get("max-age", "0"))
    return timedelta(seconds=int(given)) if given.isdigit() else timedelta(0)


def _directives(header: str) -> dict[str, str]:
    found = re.findall(r'([a-z-]+)(?:\s*=\s*"?([^",\s]*)"?)?', header.lower())
    return dict(found)
