"""Releases in memory: the same promises as S3's, and failures on schedule."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from defib.clock import Clock, Deadline
from defib.errors import Conflict, NotFound
from defib.providers.failures import Failures, meet, refuse_if_spent
from defib.releases.rules import Headers
from defib.releases.store import Listed, Stored, Upload


@dataclass(frozen=True)
class _Object:
    content: bytes
    sha256: str
    headers: Headers
    modified: datetime

    @property
    def etag(self) -> str:
        return hashlib.md5(self.content, usedforsecurity=False).hexdigest()


class MemoryReleases:
    """Fulfils :class:`ReleaseStore`. `calls` counts calls by the name of the method; `failures` come as scheduled."""

    def __init__(self, clock: Clock, name: str = "memory") -> None:
        self._clock, self._name = clock, name
        self._objects: dict[str, _Object] = {}
        self._lock = threading.Lock()
        self.failures = Failures()
        self.calls: dict[str, int] = {}

    @property
    def where(self) -> str:
        return f"memory://{self._name}"

    def folders(self, prefix: str, *, within: Deadline) -> tuple[str, ...]:
        with self._called("folders", within):
            below = (key.removeprefix(prefix).partition("/") for key in self._objects if key.startswith(prefix))
            return tuple(sorted({f"{prefix}{name}/" for name, slash, _ in below if slash}))

    def list(self, prefix: str, *, within: Deadline) -> tuple[Listed, ...]:
        with self._called("list", within):
            return tuple(
                Listed(key, len(each.content), each.etag, each.modified)
                for key, each in sorted(self._objects.items())
                if key.startswith(prefix)
            )

    def head(self, key: str, *, within: Deadline) -> Stored | None:
        with self._called("head", within):
            each = self._objects.get(key)
            return Stored(key, len(each.content), each.etag, each.sha256, each.headers) if each else None

    def read(self, key: str, *, within: Deadline) -> bytes | None:
        with self._called("read", within):
            each = self._objects.get(key)
            return each.content if each else None

    def put(self, upload: Upload, *, within: Deadline) -> str:
        source = upload.source
        content = source.read_bytes() if isinstance(source, Path) else source
        with self._called("put", within):
            if hashlib.sha256(content).hexdigest() != upload.sha256:
                raise Conflict("the source is not what it was", where=upload.key, expected=upload.sha256)
            stored = _Object(content, upload.sha256, upload.headers, self._clock.now())
            self._objects[upload.key] = stored
            return stored.etag

    def copy(self, source: str, target: str, *, within: Deadline) -> None:
        with self._called("copy", within):
            if source not in self._objects:
                raise NotFound("there is no such object", where=source)
            self._objects[target] = replace(self._objects[source], modified=self._clock.now())

    def delete(self, keys: Sequence[str], *, within: Deadline) -> None:
        with self._called("delete", within):
            for key in keys:
                self._objects.pop(key, None)

    def _called(self, method: str, within: Deadline) -> threading.Lock:
        """Count the call, let it fail where that is due, and give the lock under which it is done."""
        with self._lock:
            self.calls[method] = self.calls.get(method, 0) + 1
            failure = self.failures.take(method)
        refuse_if_spent(within, self.where)
        if failure is not None:
            meet(failure, within)
        return self._lock
