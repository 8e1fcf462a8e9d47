"""Which two versions were once proved to hold the same bytes, though no listing shows it.

A version never changes, so the proof holds for good: what is encrypted with keys of KMS is asked for once and not each time.
"""

from __future__ import annotations

import sqlite3
import threading
from hashlib import blake2b
from pathlib import Path

from defib.errors import HomeUnwritable
from defib.replication.port import Version

_WAIT = 10.0
"""Seconds for another process that is writing."""


class Proofs:
    """Proofs in one file, which is opened when it is first asked; :class:`HomeUnwritable` where it cannot be used."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._file: sqlite3.Connection | None = None

    def holds(self, ours: Version, theirs: Version) -> bool:
        """Whether these two were proved to hold the same bytes."""
        return self._run("SELECT 1 FROM same WHERE pair = ?", ours, theirs)

    def learn(self, ours: Version, theirs: Version) -> None:
        """From now on they are known to. Idempotent."""
        self._run("INSERT OR IGNORE INTO same VALUES (?)", ours, theirs)

    def close(self) -> None:
        """Close the file; it is opened again where it is asked again."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None

    def _run(self, statement: str, ours: Version, theirs: Version) -> bool:
        try:
            with self._lock:
                self._file = self._file or self._opened()
                return self._file.execute(statement, (_pair(ours, theirs),)).fetchone() is not None
        except (OSError, sqlite3.Error) as error:
            raise HomeUnwritable(
                "what was proved of replicas cannot be kept",
                where=str(self._path),
                seen=str(error),
                then=f"remove {self._path}: what it holds is proved anew",
            ) from error

    def _opened(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = sqlite3.connect(self._path, timeout=_WAIT, check_same_thread=False, isolation_level=None)
        file.execute("PRAGMA journal_mode=WAL")
        file.execute("CREATE TABLE IF NOT EXISTS same (pair BLOB PRIMARY KEY) WITHOUT ROWID")
        return file


def _pair(ours: Version, theirs: Version) -> bytes:
    """A digest of what identifies both: their ids where they have one, and the ETags, which change with the bytes."""
    hashed = blake2b(digest_size=16)
    for version in (ours, theirs):
        for part in (version.key, version.id, version.etag, str(version.size)):
            hashed.update(part.encode())
            hashed.update(b"\0")
    return hashed.digest()
