"""How far a comparison came, so that it goes on from there after a kill -9: a line a range, each on disk before the next.

What was compared long ago says nothing of what was written since: such lines are left out, and their ranges compared again.
"""

from __future__ import annotations

import os
import threading
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import AwareDatetime, TypeAdapter, ValidationError

from defib.errors import HomeUnwritable
from defib.replication.findings import Tally
from defib.replication.port import Cursor

_LINE = TypeAdapter(tuple[AwareDatetime, Cursor, Tally])


class Progress:
    """The ranges of one comparison that are done, kept in one file until it is over.

    This process began with it at `now`; what was begun longer ago than `good_for` does not count any more.
    """

    def __init__(self, path: Path, now: datetime, good_for: timedelta) -> None:
        self._path, self._now = path, now
        self._lock = threading.Lock()
        self.done: dict[Cursor, Tally] = {part: tally for at, part, tally in _read(path) if now - at <= good_for}

    def tell(self, part: Cursor, tally: Tally) -> None:
        """This range is done."""
        self.done[part] = tally
        line = _LINE.dump_json((self._now, part, tally)) + b"\n"
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with self._lock, self._path.open("ab") as file:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise HomeUnwritable(
                f"how far the comparison came cannot be written: {error.strerror}", where=str(self._path)
            ) from error

    def over(self) -> None:
        """The comparison is over, and nobody goes on with it."""
        self._path.unlink(missing_ok=True)


def _read(path: Path) -> list[tuple[datetime, Cursor, Tally]]:
    """Whole lines alone: the last may have been cut off, and its range is compared again."""
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    found = []
    for line in lines:
        try:
            found.append(_LINE.validate_json(line))
        except ValidationError:
            break
    return found
