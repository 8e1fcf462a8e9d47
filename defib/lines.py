"""The output of a command, read as it comes and never held as a whole."""

from __future__ import annotations

import os
import re
import select
from collections.abc import Callable

SHOWN = 16 * 1024 * 1024
"""Bytes that are given on line by line; of what comes after, the end alone is kept."""

LONGEST = 16 * 1024
"""Bytes of one line; the rest of a longer one is left out. No line is given in pieces: a secret could stand on the seam."""

_KEPT = 16 * 1024
_CHUNK = 64 * 1024
_WAIT = 5
_CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def plain(line: str) -> str:
    """A line as a terminal would leave it standing: what follows the last carriage return, without colours."""
    return _CONTROL.sub("", line.rstrip("\r").rpartition("\r")[2])


class Output:
    """What comes out of a pipe: each line to `line`, the end for whoever asks later."""

    def __init__(self, descriptor: int, line: Callable[[str], None] | None) -> None:
        self._descriptor = descriptor
        self._line = line
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)
        self._tail = b""
        self._begun = b""
        self._given = 0
        self._left_out = 0
        self.over = False
        """Whether nobody can write any more."""

    def take(self, *, quietly: bool = False) -> bool:
        """Read once what is there, waiting 5 ms for it; False where nothing was. `quietly` gives no lines."""
        if self.over or not self._poll.poll(_WAIT):
            return False
        chunk = os.read(self._descriptor, _CHUNK)
        self.over = not chunk
        self._tail = (self._tail + chunk)[-_KEPT:]
        if self._line is not None and not quietly:
            self._give(self._line, chunk)
        return not self.over

    def end(self, most: int) -> str:
        """The last `most` characters."""
        return self._tail.decode(errors="replace")[-most:]

    def _give(self, line: Callable[[str], None], chunk: bytes) -> None:
        if self._given > SHOWN:
            return
        self._given += len(chunk)
        *whole, rest = chunk.split(b"\n")
        for part in whole:
            self._add(part)
            line(self._finish())
        self._add(rest)
        if self.over and self._begun:
            line(self._finish())
        if self._given > SHOWN:
            line(f"… more than {SHOWN // 1024**2} MiB of output; the rest is not shown")

    def _add(self, part: bytes) -> None:
        room = LONGEST - len(self._begun)
        self._begun += part[:room]
        self._left_out += max(len(part) - room, 0)

    def _finish(self) -> str:
        text = plain(self._begun.decode(errors="replace"))
        missing = f" … {self._left_out} more bytes" if self._left_out else ""
        self._begun, self._left_out = b"", 0
        return text + missing
