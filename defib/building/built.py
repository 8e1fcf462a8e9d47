"""What a build takes and what it gives."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

from defib import ports


class Kind(StrEnum):
    """What made the files, because it decides which names carry a hash of what they hold."""

    FLUTTER = "flutter"
    STATIC = "static"


@dataclass(frozen=True)
class Checkout:
    """A commit's files in a work tree of their own, with nothing else in it. `commit` is the full id, `committed` aware."""

    commit: str
    committed: datetime
    folder: Path


@dataclass(frozen=True, order=True)
class BuiltFile:
    """One file to be served: its path with slashes, its size in bytes, its SHA-256 in hexadecimal."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, order=True)
class Skipped:
    """What is in the output and is not served, by which rule. A folder's path ends with a slash."""

    path: str
    reason: str


@dataclass(frozen=True)
class Output:
    """A build's output that passed every check; `notes` are what nobody could compare, for people to read."""

    files: tuple[BuiltFile, ...]
    skipped: tuple[Skipped, ...]
    build: ports.Build
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Built:
    """The files of one commit in `folder`, each a regular file under its path, in the order of their paths.

    With `cached` they come from an earlier build of the same commit by the same command, and `why_cached` says why.
    """

    commit: str
    folder: Path
    kind: Kind
    files: tuple[BuiltFile, ...]
    skipped: tuple[Skipped, ...]
    cached: bool
    why_cached: str
    build: ports.Build | None
    took: timedelta
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """The bytes of all files together."""
        return sum(file.size for file in self.files)

    @property
    def count(self) -> int:
        """How many files there are."""
        return len(self.files)
