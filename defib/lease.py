"""The exclusive right to change one site, with a fencing number.

The lease of a site is a small file in ``$DEFIB_HOME/sites/<site>/``, changed under an exclusive lock of the operating
system. Every taking gives a higher number. The holder renews it while it lives; whoever finds it expired, or finds its
process dead on the same machine, may take it. A run checks its number before each outside write: one that was suspended,
lost its lease and woke up finds a higher number and writes no more.
"""

from __future__ import annotations

import fcntl
import getpass
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from pydantic import AwareDatetime, TypeAdapter, ValidationError

from defib.clock import Clock
from defib.errors import DefibError, EvidenceBroken, HomeUnwritable, LeaseHeld, LeaseLost

LIFETIME = timedelta(seconds=30)
"""How long a holder that cannot be asked is believed to be alive."""

RENEWAL = timedelta(seconds=5)


@dataclass(frozen=True)
class Holder:
    """Who holds a lease: enough to find the person and to tell whether the process still lives."""

    run_id: str
    user: str
    host: str
    pid: int
    started: str
    """The process's start time as the kernel counts it, so that a reused pid is not taken for the holder."""

    @classmethod
    def me(cls, run_id: str) -> Holder:
        """This process, on behalf of `run_id`."""
        return cls(run_id, _user(), socket.gethostname(), os.getpid(), _start_of(os.getpid()))

    def is_dead(self) -> bool:
        """True only where this machine can tell for sure."""
        return not self.is_elsewhere() and _start_of(self.pid) != self.started

    def is_elsewhere(self) -> bool:
        """Whether the process runs on another machine, so that its number says nothing on this one."""
        return self.host != socket.gethostname()

    def __str__(self) -> str:
        return f"run {self.run_id} of {self.user}@{self.host}, process {self.pid}"


@dataclass(frozen=True)
class _Held:
    number: int
    holder: Holder | None = None
    until: AwareDatetime | None = None


_ADAPTER = TypeAdapter(_Held)


def operator() -> str:
    """Who is at the keyboard, for the journal."""
    return f"{_user()}@{socket.gethostname()}"


class Lease:
    """The lease of one site as this run holds it."""

    def __init__(self, folder: Path, clock: Clock, holder: Holder, number: int, lifetime: timedelta) -> None:
        self._folder = folder
        self._clock = clock
        self._holder = holder
        self._lifetime = lifetime
        self.number = number
        self._stop_renewing: Callable[[], None] = lambda: None

    @classmethod
    def take(cls, folder: Path, clock: Clock, holder: Holder, lifetime: timedelta = LIFETIME) -> Lease:
        """Take the lease kept in `folder`, or raise :class:`LeaseHeld` naming the holder."""
        with _locked(folder):
            held = _read(folder)
            if held.holder and held.until and held.until > clock.now() and not held.holder.is_dead():
                raise LeaseHeld(
                    "another run holds this site",
                    where=str(folder / "lease.json"),
                    expected="one run at a time",
                    seen=f"{held.holder}, until {held.until:%H:%M:%S} UTC unless it renews",
                    then="defib runs",
                )
            lease = cls(folder, clock, holder, held.number + 1, lifetime)
            _write(folder, _Held(lease.number, holder, clock.now() + lifetime))
        return lease

    def keep(self) -> None:
        """Renew in the background until :meth:`release`."""
        self._stop_renewing = self._clock.every(min(RENEWAL, self._lifetime / 3), self._renew_if_possible)

    def check(self) -> None:
        """Raise :class:`LeaseLost` unless this run still holds the site; renews it otherwise."""
        held = self._renew()
        if not self._is_ours(held):
            raise LeaseLost(
                "this run has lost the site to another and makes no further write",
                where=str(self._folder / "lease.json"),
                expected=f"fencing number {self.number}",
                seen=f"{held.number}, {held.holder or 'released'}",
                then="defib runs",
            )

    def release(self) -> None:
        """Give the site back, if it is still ours."""
        self._stop_renewing()
        with _locked(self._folder):
            held = _read(self._folder)
            if self._is_ours(held):
                _write(self._folder, replace(held, holder=None, until=None))

    def _renew(self) -> _Held:
        with _locked(self._folder):
            held = _read(self._folder)
            if self._is_ours(held):
                held = replace(held, until=self._clock.now() + self._lifetime)
                _write(self._folder, held)
            return held

    def _renew_if_possible(self) -> None:
        # What keeps this from renewing keeps `check` from passing; the next renewal may go well.
        with suppress(DefibError):
            self._renew()

    def _is_ours(self, held: _Held) -> bool:
        # The number alone would not do: it starts again where the file was lost.
        return held.number == self.number and held.holder == self._holder


def current_holder(folder: Path) -> Holder | None:
    """Who holds the lease kept in `folder`, or None; a dead process holds nothing."""
    if not folder.is_dir():
        return None
    with _locked(folder):
        holder = _read(folder).holder
    return None if holder is None or holder.is_dead() else holder


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lease.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
    except OSError as error:
        raise HomeUnwritable(f"cannot keep the lease: {error.strerror}", where=str(folder)) from error


def _read(folder: Path) -> _Held:
    path = folder / "lease.json"
    if not path.exists():
        return _Held(number=0)
    try:
        return _ADAPTER.validate_json(path.read_bytes())
    except ValidationError as error:
        # Starting again at number 0 would let an old run write beside a new one.
        raise EvidenceBroken(
            "the lease file is not readable, so nobody can tell who holds the site",
            where=str(path),
            then=f"make sure that no run is alive (defib runs), then remove {path}",
        ) from error


def _write(folder: Path, held: _Held) -> None:
    path = folder / "lease.json"
    fresh = path.with_suffix(".new")
    with fresh.open("wb") as file:
        file.write(_ADAPTER.dump_json(held))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name; that must not stop a recovery
        return f"uid {os.getuid()}"


def _start_of(pid: int) -> str:
    """Field 22 of ``/proc/<pid>/stat``; "" when there is no such process (a zombie counts as none)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]
