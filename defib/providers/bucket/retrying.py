"""A bucket whose calls are tried again while it is unavailable and the deadline allows."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TypeVar

from defib.clock import Deadline
from defib.providers.attempts import Attempts, Backoff
from defib.providers.wrappers.fenced import Check
from defib.replication.port import Cursor, Details, Original, Page, WritableBucket
from defib.replication.rules import BucketSettings

T = TypeVar("T")

_BACKOFF = Backoff(attempt=timedelta(seconds=16))
_PATIENCE = timedelta(seconds=60)
"""A region that has not answered one request for so long does not answer: see ``unreachable``."""

_READING = timedelta(minutes=10)
_BY_HAND = "look at https://health.aws.amazon.com/, or do the step by hand"


class RetryingBucket:
    """Fulfils :class:`WritableBucket` around another one; `check` is called right before each write, and raises to stop it.

    Every read may be repeated, and so may a removal. A write that nobody has answered may have landed, and is not: a second
    version would stand beside the first.
    """

    def __init__(self, inner: WritableBucket, check: Check, chance: random.Random, backoff: Backoff = _BACKOFF) -> None:
        self._inner, self._check, self._chance, self._backoff = inner, check, chance, backoff

    @property
    def name(self) -> str:
        return self._inner.name

    @property
    def where(self) -> str:
        return self._inner.where

    def page(self, cursor: Cursor, *, within: Deadline) -> Page:
        return self._run(lambda soon: self._inner.page(cursor, within=soon), within)

    def folders(self, prefix: str, *, within: Deadline) -> tuple[str, ...]:
        return self._run(lambda soon: self._inner.folders(prefix, within=soon), within)

    def details(self, key: str, version: str, *, within: Deadline) -> Details | None:
        return self._run(lambda soon: self._inner.details(key, version, within=soon), within)

    def tags(self, key: str, version: str, *, within: Deadline) -> Mapping[str, str]:
        return self._run(lambda soon: self._inner.tags(key, version, within=soon), within)

    def digest(self, key: str, version: str, *, within: Deadline) -> str:
        reading = Backoff(self._backoff.first, self._backoff.cap, _READING)
        attempts = Attempts(self._chance, reading, _BY_HAND)
        return attempts.run(lambda soon: self._inner.digest(key, version, within=soon), within)

    def settings(self, *, within: Deadline) -> BucketSettings:
        return self._run(lambda soon: self._inner.settings(within=soon), within)

    def put(self, key: str, content: bytes, *, within: Deadline) -> str:
        self._check()
        return self._inner.put(key, content, within=within)

    def copy(self, original: Original, *, within: Deadline) -> str:
        self._check()
        return self._inner.copy(original, within=within)

    def mark_deleted(self, key: str, *, within: Deadline) -> str:
        self._check()
        return self._inner.mark_deleted(key, within=within)

    def remove(self, key: str, version: str, *, within: Deadline) -> None:
        def once(soon: Deadline) -> None:
            self._check()
            self._inner.remove(key, version, within=soon)

        self._run(once, within)

    def _run(self, work: Callable[[Deadline], T], within: Deadline) -> T:
        return Attempts(self._chance, self._backoff, _BY_HAND).run(work, within.sooner(_PATIENCE))
