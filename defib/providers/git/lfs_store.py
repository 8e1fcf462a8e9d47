"""Objects of Git LFS on this machine, each under the SHA-256 of its bytes: ``objects/ab/cd/OID``, as git-lfs has them.

An object has its name only when it is whole, checked and on the disk. What is on its way is in ``incoming``, on the same
file system, and is removed by whoever next is alone with the store.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import NamedTemporaryFile, _TemporaryFileWrapper

from defib.clock import Deadline
from defib.errors import BudgetSpent, HomeUnwritable, StepFailed
from defib.providers.git.lfs_pointers import Pointer

PIECE = 256 * 1024
"""Bytes that are read, written or sent at once."""

_POLL = timedelta(milliseconds=20)


class Incoming:
    """One object on its way to the disk; `received` bytes have come."""

    def __init__(self, file: _TemporaryFileWrapper[bytes], pointer: Pointer) -> None:
        self._file = file
        self._pointer = pointer
        self._digest = hashlib.sha256()
        self.received = 0

    def begin_anew(self) -> None:
        """Forget what has come."""
        self._file.seek(0)
        self._file.truncate()
        self._digest = hashlib.sha256()
        self.received = 0

    def write(self, piece: bytes) -> None:
        """Add to it; what comes beyond its size is counted alone. :class:`HomeUnwritable` where the disk is full."""
        self.received += len(piece)
        if not self.excess:
            self._digest.update(piece)
            with _writing(self._file.name):
                self._file.write(piece)

    @property
    def excess(self) -> bool:
        """Whether more has come than it is long."""
        return self.received > self._pointer.size

    @property
    def problem(self) -> str:
        """What is wrong with the bytes that came; empty where they are the object."""
        if self.received < self._pointer.size:
            return f"{self.received} bytes came in place of {self._pointer.size}"
        if self.excess:
            return f"more than its {self._pointer.size} bytes came"
        seen = self._digest.hexdigest()
        return "" if seen == self._pointer.oid else f"other bytes came: their SHA-256 is {seen}"

    def settle(self) -> None:
        """Bring it onto the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())


class LfsStore:
    """The objects in `folder`, which is made where it is missing. Several processes may use it at the same time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._incoming = folder / "incoming"

    @contextmanager
    def open(self, within: Deadline) -> Iterator[None]:
        """Hold it while objects come; whoever is alone removes what killed processes left.

        :class:`HomeUnwritable` where it cannot be made, :class:`BudgetSpent` where another process clears it all the time.
        """
        with _writing(str(self.folder)):
            self._incoming.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = os.open(self.folder / "defib.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            if _take(lock, fcntl.LOCK_EX):
                for left in self._incoming.iterdir():
                    left.unlink(missing_ok=True)
            while not _take(lock, fcntl.LOCK_SH):  # whoever is alone is clearing
                go_on(within)
                within.clock.sleep(_POLL)
            yield
        finally:
            os.close(lock)

    def path(self, oid: str) -> Path:
        """Where the object is, or would be."""
        return self.folder / "objects" / oid[:2] / oid[2:4] / oid

    def holds(self, pointer: Pointer) -> bool:
        """Whether it is here in full length; its bytes were checked when they came, see :meth:`is_sound`."""
        path = self.path(pointer.oid)
        return path.is_file() and path.stat().st_size == pointer.size

    def is_sound(self, pointer: Pointer, within: Deadline) -> bool:
        """Whether it is here and its bytes still are what they were; a damaged one loses its name, so that it comes anew.

        :class:`BudgetSpent` when time is up before it is read.
        """
        if not self.holds(pointer):
            return False
        digest = hashlib.sha256()
        for piece in self.read(pointer, within):
            digest.update(piece)
        sound = digest.hexdigest() == pointer.oid
        if not sound:
            self.path(pointer.oid).unlink(missing_ok=True)
        return sound

    def read(self, pointer: Pointer, within: Deadline) -> Iterator[bytes]:
        """Its bytes in pieces. :class:`BudgetSpent` when time is up, :class:`Interrupted` by a signal.

        :class:`StepFailed` where the disk does not give them.
        """
        path = self.path(pointer.oid)
        try:
            with path.open("rb") as file:
                while piece := file.read(PIECE):
                    go_on(within)
                    yield piece
        except OSError as error:
            raise StepFailed(f"an LFS object cannot be read: {error.strerror}", where=str(path)) from error

    @contextmanager
    def incoming(self, pointer: Pointer) -> Iterator[Incoming]:
        """A place for its bytes; it is gone afterwards, and the object has its name where :attr:`Incoming.problem` is empty.

        :class:`HomeUnwritable` where the disk does not take it.
        """
        # Its name is no object's, so that a process that is killed leaves nothing that passes for one.
        with _writing(str(self._incoming)):
            file = NamedTemporaryFile(dir=self._incoming, prefix=f"{pointer.oid[:16]}.", delete=False)  # noqa: SIM115 - below
        with file:
            try:
                coming = Incoming(file, pointer)
                yield coming
                if not coming.problem:
                    with _writing(str(self.folder)):
                        coming.settle()
                        self._name(Path(file.name), self.path(pointer.oid))
            finally:
                Path(file.name).unlink(missing_ok=True)

    def _name(self, file: Path, path: Path) -> None:
        made = [path.parent]
        while not made[-1].is_dir():
            made.append(made[-1].parent)
        path.parent.mkdir(parents=True, exist_ok=True)
        file.replace(path)
        for folder in made:
            _sync(folder)


def go_on(within: Deadline) -> None:
    """Return as long as there is time. :class:`BudgetSpent` where there is none, :class:`Interrupted` by a signal."""
    if within.expired():
        raise BudgetSpent("no time was left for LFS objects")
    within.clock.sleep(timedelta(0))


@contextmanager
def _writing(where: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise HomeUnwritable(f"cannot keep LFS objects: {error.strerror}", where=where) from error


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _take(lock: int, kind: int) -> bool:
    """Whether the lock could be had, alone (LOCK_EX) or with others (LOCK_SH)."""
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
