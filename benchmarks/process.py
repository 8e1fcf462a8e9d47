"""What a process that is timed needs beside its job."""

from __future__ import annotations

from pathlib import Path

KEYS = ("AKIABENCHBENCHBENCH0", "a secret that nobody checks")
LISTS = "lists"
"""The bucket of inventories."""

_KIB = 1024


def most_memory() -> int:
    """The most that this process ever held, in bytes."""
    # Not getrusage: ru_maxrss begins with what the process that started this one held, proc_pid_status(5) does not.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * _KIB
