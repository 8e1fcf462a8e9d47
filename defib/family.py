"""Which processes a command has brought into the world, also those that do not want to be found.

A process group is what POSIX offers to end a command with all its children, and a child leaves it with one call of
``setsid``, as every daemon does. On Linux ``/proc`` tells more. A process belongs to a command's family if it

- is in the command's process group or session (``setpgid`` leaves the first, ``setsid`` both),
- carries the command's mark in the environment it was started with (children inherit it, whatever they call),
- or is the child of one of those, or was seen to be one before.

What escapes all of it is a process that has left the session *and* was started with another environment *and* lost its
parent, all between two looks a second apart (``env -i setsid`` in a shell that ends at once). Only a container or a control
group holds such a one, and neither is there without privileges. Nor can a process be ended that runs as another user
(``sudo``) or waits in the kernel for a disk that is gone: those are told. Where there is no ``/proc``, the process group
is all there is.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

MARK = "DEFIB_FAMILY"
"""The variable that a command's whole family carries."""

_PROC = Path("/proc")


@dataclass(frozen=True)
class Relative:
    """One process; `started`, in clock ticks since boot, tells it from a later one with the same number."""

    pid: int
    started: str


@dataclass(frozen=True)
class _Seen:
    """What ``/proc/PID/stat`` says of a process that runs."""

    who: Relative
    parent: int
    group: int
    session: int


class Family:
    """The processes of the command that was started as the leader of a session, with `mark` in its environment."""

    def __init__(self, leader: int, mark: str) -> None:
        self._leader = leader
        self._born = _born(leader)
        self._mark = f"{MARK}={mark}".encode()
        self._known: frozenset[Relative] = frozenset()

    def alive(self) -> frozenset[Relative]:
        """Those that run now; zombies do not."""
        seen = _running()
        found = {each.who for each in seen if self._is_one(each)}
        while more := {each.who for each in seen if each.parent in {who.pid for who in found}} - found:
            found |= more
        self._known |= found
        return frozenset(found)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to all that run now, the whole group at once; what we may not signal is left as it is."""
        others = self.alive()
        with suppress(ProcessLookupError, PermissionError):  # nothing is left, or nothing of ours
            os.killpg(self._leader, number)
        for other in others:
            _send(other, number)

    def _is_one(self, seen: _Seen) -> bool:
        if self._leader in (seen.group, seen.session) or seen.who in self._known:
            return True
        # Nobody is older than who brought them into the world, and most processes of a machine are.
        return int(seen.who.started) >= self._born and self._mark in _environment(seen.who.pid)


def _send(who: Relative, number: signal.Signals) -> None:
    """Through a descriptor: between the look and the signal the number may have gone to somebody else."""
    try:
        descriptor = os.pidfd_open(who.pid)
    except ProcessLookupError:
        return
    try:
        now = _seen(who.pid)
        if now is not None and now.who == who:
            signal.pidfd_send_signal(descriptor, number)
    except (ProcessLookupError, PermissionError):  # it is gone, or runs as another user
        return
    finally:
        os.close(descriptor)


def _running() -> Collection[_Seen]:
    try:
        pids = [int(folder.name) for folder in _PROC.iterdir() if folder.name.isdecimal()]
    except OSError:  # no such thing here
        return ()
    return [seen for pid in pids if (seen := _seen(pid)) is not None and pid != os.getpid()]


def _seen(pid: int) -> _Seen | None:
    fields = _stat(pid)
    if not fields or fields[0] in (b"Z", b"X"):
        return None
    return _Seen(Relative(pid, fields[19].decode()), int(fields[1]), int(fields[2]), int(fields[3]))


def _born(pid: int) -> int:
    """When it was started, also of one that has ended and was not waited for yet; 0 where nobody can tell."""
    fields = _stat(pid)
    return int(fields[19]) if fields else 0


def _stat(pid: int) -> Sequence[bytes]:
    """What ``/proc/PID/stat`` says after the name (https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html)."""
    try:
        return (_PROC / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return ()


def _environment(pid: int) -> Collection[bytes]:
    try:
        return (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:  # it is gone, or not ours to read
        return ()
