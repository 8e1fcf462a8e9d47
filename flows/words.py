"""What a command says that writes into a file, line by line, as it comes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from defib.errors import HomeUnwritable

_TAIL = 1500
"""Bytes of its last words."""


class Words:
    """The lines of a file that grows, each once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """The file, for the command that speaks; :class:`HomeUnwritable` where there can be none."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = self._path.open("ab")
        except OSError as error:
            raise HomeUnwritable(f"its words cannot be kept: {error.strerror}", where=str(self._path)) from error
        with file:
            yield file

    def new(self) -> list[str]:
        """Whole lines that were said since the last call."""
        said = self._read(self._offset)
        whole, newline, _ = said.rpartition(b"\n")
        self._offset += len(whole) + len(newline)
        return whole.decode(errors="replace").split("\n") if newline else []

    def end(self) -> str:
        """Its last words."""
        return self._read(0)[-_TAIL:].decode(errors="replace").strip()

    def _read(self, offset: int) -> bytes:
        try:
            with self._path.open("rb") as file:
                file.seek(offset)
                return file.read()
        except FileNotFoundError:
            return b""
