"""Which versions and markers one run made, by the ids that S3 gave them: what it may take back, and nothing else.

A copy has the bytes of what others may upload too, and a delete marker is like any other: what they are called alone tells
whose they are. A line is written before each write and one after it, beside the run's journal, so that a process that dies
between the two leaves an object of which it is known that one write may have landed.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from defib.errors import EvidenceBroken, HomeUnwritable
from defib.ports import RecordKey

MADE = "made"
"""How the names of such files begin, one for each pair."""

_Place = tuple[str, str, str]
"""The bucket, the key, and the version that is wanted of it."""

_Kept = dict[_Place, tuple[str, ...]]
"""The ids of what was made of what was begun."""


@dataclass(frozen=True)
class Written:
    """What was written of one object: whether a write was `begun`, and the ids of what was made."""

    begun: bool = False
    ids: tuple[str, ...] = ()

    @property
    def unnamed(self) -> int:
        """So many versions may be ours whose ids nobody has told us: the one whose answer never came."""
        return 1 if self.begun and not self.ids else 0


class Made:
    """What one run made; in memory until it is told where to keep it. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._path: Path | None = None
        self._kept: _Kept | None = {}

    def keep_in(self, path: Path) -> None:
        """From now on what is made is written to `path`, by nobody else, and what stands there was made, too.

        A line that a crash has torn is cut off: it was of a write that nobody was told of.
        """
        with self._lock:
            self._path, self._kept = path, None
            try:
                content = path.read_bytes()
                if not content.endswith(b"\n"):
                    os.truncate(path, content.rfind(b"\n") + 1)
            except FileNotFoundError:
                return
            except OSError as error:
                raise self._unwritable(error) from error

    def begin(self, bucket: str, key: RecordKey) -> None:
        """A write is about to go out; :class:`HomeUnwritable` where that cannot be written down, and it must not."""
        self._tell(bucket, key, "")

    def tell(self, bucket: str, key: RecordKey, version: str) -> None:
        """It made `version`."""
        self._tell(bucket, key, version)

    def flush(self) -> None:
        """What was told so far is on the disk when this returns."""
        with self._lock:
            if self._path is None or not self._path.exists():
                return
            try:
                with self._path.open("rb") as file:
                    os.fsync(file.fileno())
            except OSError as error:
                raise self._unwritable(error) from error

    def of(self, bucket: str, key: RecordKey) -> Written:
        """What was written of one object."""
        with self._lock:
            if self._kept is None:
                self._kept = self._read()
            ids = self._kept.get(_place(bucket, key))
            return Written() if ids is None else Written(begun=True, ids=ids)

    def _tell(self, bucket: str, key: RecordKey, version: str) -> None:
        line = json.dumps([*_place(bucket, key), version], ensure_ascii=True)
        with self._lock:
            if self._kept is not None:
                _add(self._kept, _place(bucket, key), version)
            if self._path is not None:
                self._append(self._path, line.encode() + b"\n")

    def _append(self, path: Path, line: bytes) -> None:
        # Opened for each line: a write to S3 takes far longer, and nobody has to close it.
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                written = os.write(descriptor, line)
                if written != len(line):
                    os.ftruncate(descriptor, os.fstat(descriptor).st_size - written)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise self._unwritable(error) from error
        if written != len(line):
            raise HomeUnwritable("what the run made cannot be written down: the disk is full", where=str(path))

    def _unwritable(self, error: OSError) -> HomeUnwritable:
        return HomeUnwritable(f"what the run made cannot be written down: {error.strerror}", where=str(self._path))

    def _read(self) -> _Kept:
        """All that was told."""
        assert self._path is not None, "in memory there is nothing to read"
        found: _Kept = {}
        try:
            lines = self._path.read_bytes().split(b"\n")[:-1]
        except FileNotFoundError:
            return found
        except OSError as error:
            raise EvidenceBroken(f"what the run made cannot be read: {error.strerror}", where=str(self._path)) from error
        for number, line in enumerate(lines, start=1):
            bucket, name, wanted, version = self._told(line, number)
            _add(found, (bucket, name, wanted), version)
        return found

    def _told(self, line: bytes, number: int) -> Sequence[str]:
        try:
            told = json.loads(line)
        except ValueError as error:
            raise EvidenceBroken("what the run made is not as it was written", where=f"{self._path}:{number}") from error
        if not isinstance(told, list) or len(told) != 4 or not all(isinstance(part, str) for part in told):  # noqa: PLR2004
            raise EvidenceBroken("what the run made is not as it was written", where=f"{self._path}:{number}")
        return told


def _place(bucket: str, key: RecordKey) -> _Place:
    return bucket, key.name, key.set_identifier


def _add(kept: _Kept, place: _Place, version: str) -> None:
    ids = kept.get(place, ())
    kept[place] = (*ids, version) if version and version not in ids else ids
