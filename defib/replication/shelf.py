"""Versions that come in any order, put into that of S3: a listing that takes room on the disk and not in memory."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import takewhile

from defib.clock import Deadline
from defib.errors import HomeUnwritable
from defib.replication.port import Cursor, Page, Version

_PAGE = 1000

# SQLite compares text byte by byte in UTF-8, as S3 does. What the key holds comes first, then the newest; nobody tells the
# order of what was written in the same millisecond, and nobody needs one.
_TABLE = """
    CREATE TABLE shelf (key TEXT, old INTEGER, age INTEGER, id TEXT, size INTEGER, etag TEXT, marker INTEGER,
    PRIMARY KEY (key, old, age, id)) WITHOUT ROWID
"""
_PUT = (
    "INSERT OR IGNORE INTO shelf VALUES (?, ?, ?, ?, ?, ?, ?)"  # an inventory is no snapshot, and may list a version twice
)
_NEXT = "SELECT * FROM shelf WHERE (key, old, age, id) > (?, ?, ?, ?) ORDER BY key, old, age, id LIMIT ?"
_SETTINGS = ("page_size = 8192", "cache_size = -16000", "journal_mode = OFF", "synchronous = OFF")

_Row = tuple[str, int, int, str, int, str, int]


class Shelf:
    """Fulfils :class:`defib.replication.port.Listing`. Its file has no name, and is gone with the process, however it ends.

    SQLite makes it in the folder that ``TMPDIR`` names, else in ``/var/tmp``: about 130 bytes for each version.
    """

    def __init__(self, where: str) -> None:
        self._where = where
        self._lock = threading.Lock()
        with self._translated():
            self._file = sqlite3.connect("", isolation_level=None, check_same_thread=False)
            for setting in _SETTINGS:
                self._file.execute(f"PRAGMA {setting}")
            self._file.execute(_TABLE)

    @property
    def where(self) -> str:
        return self._where

    def put(self, versions: Iterable[Version]) -> None:
        """Put some more there, in any order."""
        rows = sorted(_row(version) for version in versions)
        with self._translated(), self._lock:
            self._file.execute("BEGIN")
            self._file.executemany(_PUT, rows)
            self._file.execute("COMMIT")

    def page(self, cursor: Cursor, *, within: Deadline) -> Page:
        del within
        with self._translated(), self._lock:
            rows: list[_Row] = self._file.execute(_NEXT, (*_start(cursor), _PAGE)).fetchall()
        wanted = rows if rows and _is_in(rows[-1][0], cursor) else list(takewhile(lambda row: _is_in(row[0], cursor), rows))
        found = [_version(row) for row in wanted]
        if len(wanted) < _PAGE:
            return Page(found, None)
        key, old, age, ident = wanted[-1][:4]
        return Page(found, Cursor(cursor.prefix, key, f"{old} {age} {ident}", cursor.until, cursor.versions))

    def close(self) -> None:
        """Give back the room."""
        with self._lock:
            self._file.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            then = "name a folder with more room in TMPDIR"
            raise HomeUnwritable("an inventory cannot be sorted", where=self._where, seen=str(error), then=then) from error


def _start(cursor: Cursor) -> tuple[str, int, int, str]:
    """What is right before the first version that is wanted."""
    if cursor.version:
        old, age, ident = cursor.version.split(" ", 2)
        return cursor.after, int(old), int(age), ident
    if cursor.after < cursor.prefix:
        return cursor.prefix, -1, 0, ""
    return cursor.after, 2, 0, ""


def _is_in(key: str, cursor: Cursor) -> bool:
    return key.startswith(cursor.prefix) and not (cursor.until and key > cursor.until)


def _row(version: Version) -> _Row:
    key, ident, size, etag, modified, marker, latest = version
    return key, not latest, -round(modified.timestamp() * 1000), ident, size, etag, marker


def _version(row: _Row) -> Version:
    key, old, age, ident, size, etag, marker = row
    return Version(key, ident, size, etag, datetime.fromtimestamp(-age / 1000, UTC), bool(marker), not old)
