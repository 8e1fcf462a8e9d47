"""A process that outlives whoever started it, and its end."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from defib.clock import Clock, Deadline
from defib.errors import DefibError, HomeUnwritable
from defib.processid import ProcessId

_STEPS = (
    (signal.SIGTERM, timedelta(seconds=5)),
    # A server waits for every page that somebody has open, until it is told a second time.
    (signal.SIGINT, timedelta(seconds=10)),
    (signal.SIGKILL, timedelta(seconds=5)),
)
"""How a process is ended, and how long each word of it is given."""

_POLL = timedelta(milliseconds=50)
_LINES = 15


class Started:
    """A process in a session of its own, which this one watches while it comes up."""

    def __init__(self, what: str, command: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
        self.what = what
        self.log = folder / f"{what}.log"
        try:
            if self.log.exists():
                self.log.replace(self.log.with_suffix(".log.before"))
            with self.log.open("wb") as log:
                self._process = subprocess.Popen(  # noqa: S603 - our own interpreter
                    list(command),
                    cwd=folder,
                    env=dict(environment),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        except OSError as error:
            text = f"Prefect's {what} cannot be started: {error.strerror}"
            raise HomeUnwritable(text, where=str(error.filename or folder)) from error
        self.id = ProcessId.of(self._process.pid)

    def must_live(self) -> None:
        """Say that it has ended, and what it said last, if it has."""
        if (code := self._process.poll()) is not None:
            raise DefibError(
                f"Prefect's {self.what} ended as soon as it was started",
                where=str(self.log),
                seen=f"exit code {code}: {words_of(self.log.read_text(encoding='utf-8', errors='replace'))}",
                then=f"cat {self.log}",
            )

    def end(self, clock: Clock) -> None:
        """End it, and wait for it."""
        end(self.id, clock)
        self._process.wait()


def end(process: ProcessId, clock: Clock) -> None:
    """End exactly this process, in good order where it can; comes back when it is gone."""
    for number, patience in _STEPS:
        process.send(number)
        within = Deadline.after(clock, patience)
        while process.alive() and not within.expired():
            clock.sleep(_POLL)
    if process.alive():
        raise DefibError(f"process {process.pid} does not end", seen="it survives SIGKILL", then=f"ps -fp {process.pid}")


def words_of(text: str) -> str:
    """The last lines of what a process said, on one line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " / ".join(lines[-_LINES:]) or "nothing"
