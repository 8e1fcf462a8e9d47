"""Where releases are kept, as seen by a deploy: a few calls to an object store.

Terminology:

*key*
    The whole name of an object in its bucket, as ``releases/<commit>/index.html``.
*within*
    The deadline of the whole call. A call that cannot end by then raises :class:`Unavailable`; a write may have landed.

Adapters raise :class:`Unavailable`, :class:`Denied`, :class:`NotFound` and :class:`Conflict` only. They neither retry nor
wait: :mod:`defib.providers.releases.retrying` does. They are called from several threads at once. Every write may be
repeated: it leaves the same object.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Protocol

from defib.clock import Deadline
from defib.releases.rules import Headers


class Listed(NamedTuple):
    """An object as a listing gives it; `etag` is without quotes, and changes with the content, not with the headers."""

    key: str
    size: int
    etag: str
    modified: datetime


@dataclass(frozen=True)
class Stored:
    """What only the object itself tells: its headers, and the SHA-256 in hexadecimal that it was put with, "" if none."""

    key: str
    size: int
    etag: str
    sha256: str
    headers: Headers


@dataclass(frozen=True)
class Upload:
    """What is to be stored. `source` is a file, or the content itself; `sha256` in hexadecimal is what it must have."""

    key: str
    source: Path | bytes
    size: int
    sha256: str
    headers: Headers


HELD = 32 * 1024 * 1024
"""Bytes of one source that a store holds in memory at most, however large the source is."""


class ReleaseReader(Protocol):
    """Reads."""

    @property
    def where(self) -> str:
        """The store as people name it, such as ``s3://bucket``."""
        ...

    def folders(self, prefix: str, *, within: Deadline) -> tuple[str, ...]:
        """The prefixes one level below `prefix`, each with its trailing slash, sorted. Both end with a slash."""
        ...

    def list(self, prefix: str, *, within: Deadline) -> tuple[Listed, ...]:
        """Every object below `prefix`, however many pages that takes, sorted by key; none where there is none."""
        ...

    def head(self, key: str, *, within: Deadline) -> Stored | None:
        """One object without its content, None where there is none."""
        ...

    def read(self, key: str, *, within: Deadline) -> bytes | None:
        """The content of one small object, None where there is none."""
        ...


class ReleaseStore(ReleaseReader, Protocol):
    """Reads and writes."""

    def put(self, upload: Upload, *, within: Deadline) -> str:
        """Store the object in place of any other under its key, and give its ETag.

        The object appears whole or not at all, and at most :data:`HELD` bytes of it are in memory at a time. A source that
        no longer has the SHA-256 it should have raises :class:`Conflict`, and nothing is stored.
        """
        ...

    def copy(self, source: str, target: str, *, within: Deadline) -> None:
        """Store a copy under another key, with the same headers; NotFound where `source` is gone."""
        ...

    def delete(self, keys: Sequence[str], *, within: Deadline) -> None:
        """Delete the objects, however many; what is gone already is no error. Some may be gone after an error."""
        ...
