"""Commands of other people, run so that nothing of them outlives their time."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

from defib.clock import Deadline, SystemClock
from defib.errors import BudgetSpent, StepFailed
from defib.family import MARK, Family
from defib.lines import Output

GRACE = timedelta(seconds=1)
"""Between SIGTERM and SIGKILL, and again for the kernel to carry out the latter."""

_POLL = timedelta(milliseconds=20)
_SOON = timedelta(milliseconds=1)
"""The same where nobody can write any more: most commands end then."""

_LOOK = timedelta(seconds=1)
"""Between two looks at who belongs to the family: whoever was seen once is found also when every trace is gone."""

TAIL = 4000
"""Characters of output that are kept, the last ones."""


@dataclass(frozen=True)
class Finished:
    """How a command ended: its exit status, and the end of what it wrote to stdout and stderr together.

    `left` are the processes of it that could not be ended: of another user, or stuck in the kernel.
    """

    status: int
    output: str
    left: tuple[int, ...] = ()


def run_command(
    command: Sequence[str],
    environment: Mapping[str, str],
    within: Deadline,
    *,
    folder: Path | None = None,
    closed: bool = False,
    line: Callable[[str], None] | None = None,
    given: BinaryIO | None = None,
    into: BinaryIO | None = None,
) -> Finished:
    """Run `command` in a session of its own, in `folder`, and wait for it.

    It sees our environment and `environment`, of `closed` ones the latter alone (and :data:`defib.family.MARK`, by which
    its children are found). Each line of its output goes to `line` as it comes, up to what :mod:`defib.lines` lets pass;
    memory is bounded whatever it prints. `given` is a file that it reads from where that stands now, nothing where there is
    none. Where stdout is no text for people, it goes as it is to the file `into`, and the output is stderr alone; both are
    files and no pipes, so that neither side ever waits for the other.

    However this ends, by the command's own end, the deadline, an interruption or an error in `line`, the command's whole
    family is ended before (SIGTERM, then SIGKILL, which nobody can ignore; see :mod:`defib.family` for who is found).
    :class:`BudgetSpent` has the end of the output in `seen`, :class:`StepFailed` says that it cannot be started. With no
    time left nothing is started: what a command does in its first moments may be all that it does.
    """
    if within.expired():
        raise BudgetSpent(f"{command[0]} was not started: no time was left")
    mark = secrets.token_hex(16)
    process = _start(command, {**({} if closed else os.environ), **environment, MARK: mark}, folder, given, into)
    told = process.stderr if into is not None else process.stdout
    assert told is not None, "asked for in _start"
    with told as pipe:
        output = Output(pipe.fileno(), line)
        family = Family(process.pid, mark)
        try:
            in_time = _wait(process, family, output, within)
        finally:
            left = _end(process, family, output)
    if not in_time:
        raise BudgetSpent(
            f"{command[0]} did not end in its time; its process group was ended{_all_but(left)}",
            seen=output.end(TAIL),
        )
    return Finished(process.returncode, output.end(TAIL), left)


def _start(
    command: Sequence[str],
    environment: Mapping[str, str],
    folder: Path | None,
    given: BinaryIO | None,
    into: BinaryIO | None,
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(  # noqa: S603 - the site's owners wrote it into their site file
            list(command),
            bufsize=0,
            cwd=folder,
            env=environment,
            stdin=given if given is not None else subprocess.DEVNULL,
            stdout=into if into is not None else subprocess.PIPE,
            stderr=subprocess.PIPE if into is not None else subprocess.STDOUT,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:  # the latter for a NUL in it
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise StepFailed(f"cannot start {command[0]}: {why}", expected="a command that exists") from error


def _wait(process: subprocess.Popen[bytes], family: Family, output: Output, within: Deadline) -> bool:
    """Whether it ended by itself before the deadline."""
    next_look = Deadline.after(within.clock, _LOOK)
    while process.poll() is None:
        if within.expired():
            return False
        if next_look.expired():
            family.alive()
            next_look = Deadline.after(within.clock, _LOOK)
        within.clock.sleep(timedelta(0) if output.take() else _SOON if output.over else _POLL)
    while output.take() and not within.expired():  # what it wrote last; its children may write for ever
        within.clock.sleep(timedelta(0))
    return True


def _end(process: subprocess.Popen[bytes], family: Family, output: Output) -> tuple[int, ...]:
    """End what is left of the family; also children that outlived a command that ended by itself. Gives what remains."""
    clock = SystemClock()  # one of our own: whoever interrupted the wait does not interrupt this
    for kind in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None and not family.alive():
            output.take(quietly=True)
            return ()
        family.send(kind)
        grace = Deadline.after(clock, GRACE)
        while not grace.expired() and (process.poll() is None or family.alive()):
            if kind is signal.SIGKILL:
                family.send(kind)  # also to those that were born since
            if not output.take(quietly=True):
                clock.sleep(_POLL)
    output.take(quietly=True)
    return tuple(sorted(relative.pid for relative in family.alive()))


def _all_but(left: tuple[int, ...]) -> str:
    return f", all but {', '.join(map(str, left))}, which the kernel does not let us end" if left else ""
