"""``defib run`` with a journal that kills its own process, without any chance to clean up, after its nth entry.

``python -m tests.kill_driver N PROCEDURE SITE_FILE`` (as a program: ``python tests/kill_driver.py …``).
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from defib.approval import Automatic
from defib.cli.desk import runbooks_folder
from defib.cli.recover import by_flow, carry_out
from defib.clock import SystemClock
from defib.home import Home
from defib.journal import FileSink
from defib.objectives import Mode
from defib.outside import open_outside
from defib.start import Desk, Order, new_run


class Killing:
    """A sink that is killed right after its nth entry is on disk."""

    def __init__(self, path: Path, after: int) -> None:
        self._file = FileSink(path)
        self._left = after

    def append(self, line: bytes, *, durable: bool) -> None:
        """Write, count, and die."""
        self._file.append(line, durable=durable)
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Run until killed, or to the end if the journal is shorter."""
    after, procedure, site, follows = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
    desk = Desk(Home.open(), runbooks_folder(), SystemClock(), open_outside, sink=lambda path: Killing(path, after))
    run = new_run(desk, Order(procedure, site, Mode.REHEARSAL, Automatic("test"), follows=follows))
    print(run.id, flush=True)  # noqa: T201
    carry_out(desk, run, by_flow(prefect=False))
    os._exit(0)


main()
