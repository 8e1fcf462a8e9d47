"""Files that are read again only where they have changed since."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

_Stamp = tuple[int, int, int] | None


class Files:
    """What was read of files. Whoever keeps one and asks again pays for what changed alone."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, Path], tuple[tuple[_Stamp, ...], Any]] = {}

    def read(self, what: str, path: Path, read: Callable[[Path], T], *besides: Path) -> T:
        """What `read` makes of `path`, anew where that or one of `besides` is not as it was; `what` tells readings apart."""
        stamps = tuple(stamp(each) for each in (path, *besides))
        known = self._known.get((what, path))
        if known is None or known[0] != stamps:
            known = self._known[what, path] = (stamps, read(path))
        result: T = known[1]
        return result


def stamp(path: Path) -> _Stamp:
    """What changes when a file does: its number, its size, and when it was written; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
