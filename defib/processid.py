"""Which process, for sure: a pid together with when it started, so that a reused pid is never taken for it."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ProcessId:
    """One process of this machine; `started` is field 22 of ``/proc/PID/stat``, in clock ticks since boot."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> ProcessId:
        """The process that has `pid` now; one that is gone gives an id that is never alive."""
        return cls(pid, _started(pid))

    def alive(self) -> bool:
        """Whether this very process still runs; a zombie does not."""
        return self.started != "" and _started(self.pid) == self.started

    def send(self, number: signal.Signals) -> None:
        """Send a signal if it is still this process; one that is gone has no need of it."""
        if not self.alive():
            return
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return


def _started(pid: int) -> str:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in ("Z", "X") else fields[19]
