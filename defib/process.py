"""Commands of other people, run so that nothing of them outlives their time."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from defib.clock import Deadline
from defib.errors import BudgetSpent, StepFailed

GRACE = timedelta(seconds=1)
"""Between SIGTERM and SIGKILL."""

_POLL = timedelta(milliseconds=20)
_TAIL = 4000


@dataclass(frozen=True)
class Finished:
    """How a command ended: its exit status, and the end of what it wrote to stdout and stderr together."""

    status: int
    output: str


def run_command(command: Sequence[str], environment: Mapping[str, str], within: Deadline) -> Finished:
    """Run `command` in a process group of its own and wait for it.

    When the deadline passes, or the wait is interrupted, the whole group is ended (SIGTERM, then SIGKILL, which nobody can
    ignore) before this returns: :class:`BudgetSpent` or the interruption is raised after that.
    """
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(  # noqa: S603 - the site's owners wrote it into their site file
                list(command),
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise StepFailed(f"cannot start {command[0]}: {error.strerror}", expected="a command that exists") from error
        try:
            while process.poll() is None:
                if within.expired():
                    raise BudgetSpent(f"{command[0]} did not end in its time; its process group was ended")
                within.clock.sleep(_POLL)
        finally:
            _end_group(process)
        output.seek(0)
        return Finished(process.returncode, output.read().decode(errors="replace")[-_TAIL:])


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End what is left of the group; also children that outlived a command that ended by itself."""
    for kind in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, kind)
        except (ProcessLookupError, PermissionError):  # nothing is left, or nothing of ours
            break
        try:
            process.wait(GRACE.total_seconds())
        except subprocess.TimeoutExpired:
            continue
    process.wait()
