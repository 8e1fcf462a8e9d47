"""Which alarms a site has had, on disk, so that the same one twice is one, from any number of threads and processes.

``$DEFIB_HOME/sites/<site>/alarms.jsonl`` has a line for each; the newest :data:`KEPT` stay.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import AwareDatetime, TypeAdapter, ValidationError

from defib.alarms.alarm import Alarm
from defib.errors import HomeUnwritable

KEPT = 200
"""So many alarms are remembered; a source that sends more within one outage says nothing new."""

_ROOM = 2 * KEPT


@dataclass(frozen=True)
class Entry:
    """An alarm and when it came, or with `came_to_nothing` when its answer ended so."""

    at: AwareDatetime
    alarm: Alarm
    came_to_nothing: bool = False


_ADAPTER = TypeAdapter(Entry)


def note(folder: Path, alarm: Alarm, now: datetime) -> bool:
    """Remember an alarm, on disk when this returns; False where it was known, and nothing is written.

    One whose answer came to nothing is not known: whoever sends it again is right to. :class:`HomeUnwritable` where it
    cannot be remembered; it must then start nothing.
    """
    with _alone(folder):
        known = list(_read(folder))
        same = [entry for entry in known if entry.alarm.key == alarm.key]
        if same and not same[-1].came_to_nothing:
            return False
        _append(folder, Entry(now, alarm), known)
    return True


def is_known(folder: Path, alarm: Alarm) -> bool:
    """Whether :func:`note` would say so now; nothing is written."""
    same = [entry for entry in _read(folder) if entry.alarm.key == alarm.key]
    return bool(same) and not same[-1].came_to_nothing


def is_begun_since(folder: Path, alarm: Alarm, since: datetime) -> bool:
    """Whether somebody has begun to answer it since then, whatever came of that."""
    return any(entry.alarm.key == alarm.key and entry.at >= since for entry in _read(folder))


def came_to_nothing(folder: Path, alarm: Alarm, now: datetime) -> None:
    """Let the same alarm be answered when it comes again."""
    with _alone(folder):
        _append(folder, Entry(now, alarm, came_to_nothing=True), list(_read(folder)))


def noted(folder: Path) -> tuple[Entry, ...]:
    """What is remembered, oldest first."""
    return tuple(_read(folder))


def _read(folder: Path) -> Iterator[Entry]:
    """Lines that nobody can read, such as the torn last one of a killed process, are nothing."""
    try:
        lines = _book(folder).read_bytes().splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        try:
            yield _ADAPTER.validate_json(line)
        except ValidationError:
            continue


def _append(folder: Path, entry: Entry, known: list[Entry]) -> None:
    book = _book(folder)
    if len(known) >= _ROOM:
        fresh = book.with_suffix(".new")
        fresh.write_bytes(b"".join(_line(each) for each in known[-KEPT:]))
        fresh.replace(book)
    with book.open("ab") as file:
        # A torn line of a killed process must not take the next one with it.
        torn = file.tell() > 0 and not book.read_bytes().endswith(b"\n")
        file.write((b"\n" if torn else b"") + _line(entry))
        file.flush()
        os.fsync(file.fileno())


def _line(entry: Entry) -> bytes:
    return json.dumps(_ADAPTER.dump_python(entry, mode="json")).encode() + b"\n"


def _book(folder: Path) -> Path:
    return folder / "alarms.jsonl"


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "alarms.lock").open("a", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
    except OSError as error:
        raise HomeUnwritable(f"cannot remember an alarm: {error.strerror}", where=str(folder)) from error
