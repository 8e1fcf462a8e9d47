"""Releases whose calls are tried again while the store is unavailable and the deadline allows."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

from defib.clock import Deadline
from defib.errors import Unavailable
from defib.providers.attempts import Attempts, Backoff
from defib.releases.store import Listed, ReleaseStore, Stored, Upload

T = TypeVar("T")

_BACKOFF = Backoff(attempt=timedelta(seconds=16))
_LISTING = timedelta(seconds=60)
"""Time for all pages of a listing, of which each is a request, and for a manifest, which is as long as all of them."""

_SLOWEST = 64 * 1024
"""Bytes a second of a line that is slow and still worth waiting for."""

_BY_HAND = "upload the build by hand, as the step's section in the runbook says"


class RetryingReleases:
    """Fulfils :class:`ReleaseStore` around another one. Every call may be repeated: it leaves the same objects.

    `repeated` is how many attempts failed so far and were not the last.
    """

    def __init__(self, inner: ReleaseStore, chance: random.Random, backoff: Backoff = _BACKOFF) -> None:
        self._inner, self._chance, self._backoff = inner, chance, backoff
        self._lock = threading.Lock()
        self.repeated = 0

    @property
    def where(self) -> str:
        return self._inner.where

    def folders(self, prefix: str, *, within: Deadline) -> tuple[str, ...]:
        return self._run(lambda soon: self._inner.folders(prefix, within=soon), within)

    def list(self, prefix: str, *, within: Deadline) -> tuple[Listed, ...]:
        return self._run(lambda soon: self._inner.list(prefix, within=soon), within, _LISTING)

    def head(self, key: str, *, within: Deadline) -> Stored | None:
        return self._run(lambda soon: self._inner.head(key, within=soon), within)

    def read(self, key: str, *, within: Deadline) -> bytes | None:
        return self._run(lambda soon: self._inner.read(key, within=soon), within, _LISTING)

    def put(self, upload: Upload, *, within: Deadline) -> str:
        extra = timedelta(seconds=upload.size / _SLOWEST)
        return self._run(lambda soon: self._inner.put(upload, within=soon), within, self._backoff.attempt + extra)

    def copy(self, source: str, target: str, *, within: Deadline) -> None:
        self._run(lambda soon: self._inner.copy(source, target, within=soon), within)

    def delete(self, keys: Sequence[str], *, within: Deadline) -> None:
        self._run(lambda soon: self._inner.delete(keys, within=soon), within)

    def _run(self, work: Callable[[Deadline], T], within: Deadline, attempt: timedelta | None = None) -> T:
        failed = 0

        def once(soon: Deadline) -> T:
            nonlocal failed
            try:
                return work(soon)
            except Unavailable:
                failed += 1
                raise

        backoff = replace(self._backoff, attempt=attempt) if attempt is not None else self._backoff
        result = Attempts(self._chance, backoff, _BY_HAND).run(once, within)
        if failed:
            with self._lock:
                self.repeated += failed
        return result
