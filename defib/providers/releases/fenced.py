"""Releases that are written to only while the run still holds what allows it to."""

from __future__ import annotations

from collections.abc import Sequence

from defib.clock import Deadline
from defib.providers.wrappers.fenced import Check
from defib.releases.store import Listed, ReleaseStore, Stored, Upload


class FencedReleases:
    """Fulfils :class:`ReleaseStore` around another one; `check` is called right before each write, and raises to stop it."""

    def __init__(self, inner: ReleaseStore, check: Check) -> None:
        self._inner, self._check = inner, check

    @property
    def where(self) -> str:
        return self._inner.where

    def folders(self, prefix: str, *, within: Deadline) -> tuple[str, ...]:
        return self._inner.folders(prefix, within=within)

    def list(self, prefix: str, *, within: Deadline) -> tuple[Listed, ...]:
        return self._inner.list(prefix, within=within)

    def head(self, key: str, *, within: Deadline) -> Stored | None:
        return self._inner.head(key, within=within)

    def read(self, key: str, *, within: Deadline) -> bytes | None:
        return self._inner.read(key, within=within)

    def put(self, upload: Upload, *, within: Deadline) -> str:
        self._check()
        return self._inner.put(upload, within=within)

    def copy(self, source: str, target: str, *, within: Deadline) -> None:
        self._check()
        self._inner.copy(source, target, within=within)

    def delete(self, keys: Sequence[str], *, within: Deadline) -> None:
        self._check()
        self._inner.delete(keys, within=within)
