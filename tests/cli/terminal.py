"""A terminal of a given size with ``defib`` in it, as a person sits before it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from defib.clock import Deadline, SystemClock
from tests.conftest import Defib

PATIENCE = timedelta(seconds=180)
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """A running command on a terminal; `text` is all that it ever showed, without colours and moves of the cursor."""

    def __init__(self, defib: Defib, arguments: tuple[str, ...], columns: int, lines: int) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "defib", *arguments],
            env={**defib.environment(), "TERM": "xterm-256color"},
            cwd=defib.home,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        self.text = ""

    def until(self, text: str, after: int = 0) -> str:
        """Wait until `text` is shown, beyond the first `after` characters; gives all that was shown."""
        limit = Deadline.after(SystemClock(), PATIENCE)
        while text not in self.text[after:]:
            assert not limit.expired(), self.text
            assert self._read(), self.text
        return self.text

    def type(self, text: str) -> int:
        """Type a line; gives how much was shown before."""
        shown = len(self.text)
        os.write(self._ours, f"{text}\n".encode())
        return shown

    def interrupt(self) -> None:
        """Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def end(self) -> int:
        """Wait for the end of the command; its exit code."""
        limit = Deadline.after(SystemClock(), PATIENCE)
        while self._read():
            assert not limit.expired(), self.text
        return self.process.wait(timeout=120)

    def close(self) -> None:
        """Leave nothing behind."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._ours)

    def _read(self) -> bool:
        """Take what is shown within a moment; False once the command has let go of the terminal."""
        if select.select([self._ours], [], [], 0.2)[0]:
            try:
                shown = os.read(self._ours, 65536)
            except OSError:  # Linux tells so that nobody holds the other end any more
                return False
            self.text += _ESCAPES.sub("", shown.decode(errors="replace")).replace("\r", "")
        return True


@contextmanager
def terminal(defib: Defib, *arguments: str, columns: int = 100, lines: int = 30) -> Iterator[Terminal]:
    """``defib`` on a terminal, ended for sure."""
    running = Terminal(defib, arguments, columns, lines)
    try:
        yield running
    finally:
        running.close()
