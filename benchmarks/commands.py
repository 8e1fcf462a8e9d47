"""Commands that are started, timed and, whatever happens, ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from defib.clock import SystemClock
from defib.errors import LabDown

_GRACE = 20
"""Seconds between SIGTERM and SIGKILL: a drill that is stopped heals and puts back first."""


@dataclass(frozen=True)
class Ended:
    """How a command ended, what it wrote, and how long it took from its start to its end."""

    status: int
    output: str
    errors: str
    took: timedelta


def timed(command: Sequence[str], environment: Mapping[str, str] | None = None, within: float = 180) -> Ended:
    """Run `command` in a process group of its own and time it; TimeoutExpired once `within` seconds have passed."""
    clock = SystemClock()
    started = clock.monotonic()
    process = subprocess.Popen(
        list(command),
        env={**_as_installed(), **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        output, errors = process.communicate(timeout=within)
    except BaseException:
        end(process)
        raise
    return Ended(process.returncode, output, errors, clock.monotonic() - started)


def _as_installed() -> dict[str, str]:
    """This environment, without what would make every Python compile its modules again: an installed one has kept them."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


@contextmanager
def listening(module: str, *arguments: str) -> Iterator[int]:
    """A server of ours in a process of its own: the port, which it prints once it listens."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        env=_as_installed(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        told = process.stdout.readline()
        if not told:
            raise LabDown(f"{module} does not listen", expected="its port", seen="nothing")
        yield int(told)
    finally:
        end(process)


def end(process: subprocess.Popen[str]) -> None:
    """End a process and its group: SIGTERM, then SIGKILL. Idempotent."""
    for kind in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            break
        os.killpg(process.pid, kind)
        try:
            process.communicate(timeout=_GRACE)
        except subprocess.TimeoutExpired:
            continue
    process.wait()
