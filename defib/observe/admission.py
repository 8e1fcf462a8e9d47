"""Whether a recovery may start by itself now.

The last automatic start of each site is on disk under an exclusive lock, so that the same alert a hundred times over, from
any number of threads and processes, starts one run. Detection never asks here: it goes on and
says what it would have done. Runs that a person starts do not ask either.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from defib.errors import HomeUnwritable
from defib.observe.killswitch import kill_switch

RETRY = timedelta(minutes=1)
"""Between two starts that come to nothing: often enough for users who are out, and no storm."""


@dataclass(frozen=True)
class Admission:
    """Whether an automatic start is admitted; `reason` says why not, and is "" if it is."""

    admitted: bool
    reason: str = ""


@dataclass(frozen=True)
class AutomaticStart:
    """The last automatic start of a site. A `withdrawn` one came to nothing, and cools down for :data:`RETRY` only."""

    procedure: str
    at: datetime
    withdrawn: bool = False


def admit(home: Path, site: str, procedure: str, at: datetime, cool_down: timedelta) -> Admission:
    """Admit an automatic start at `at` and record it durably, or say why not.

    Not idempotent: the first of many callers within the cool-down is admitted, the others are not. The cool-down is the
    site's, whatever the procedure; but a start of which nothing came holds back no other procedure. A record that cannot be
    read, or lies in the future, keeps the door shut.
    :class:`HomeUnwritable` if the start cannot be recorded; it must then not happen.
    """
    switch = kill_switch(home, site)
    if switch is not None:
        return Admission(admitted=False, reason=str(switch))
    folder = home / "sites" / site
    try:
        with _exclusively(folder):
            try:
                last = last_automatic_start(home, site)
            except ValueError as error:
                return Admission(admitted=False, reason=f"the last automatic start is unknown: {error}")
            if last is not None and at < _open_again(last, cool_down, procedure):
                return Admission(admitted=False, reason=_cooling(last, cool_down, procedure))
            _record(folder, AutomaticStart(procedure, at))
    except OSError as error:
        raise HomeUnwritable(f"cannot record the automatic start: {error}", where=str(folder)) from error
    return Admission(admitted=True)


def withdraw(home: Path, site: str, at: datetime) -> bool:
    """Take back the start that was admitted at `at`, because nothing came of it: the next may follow after :data:`RETRY`.

    False where the last start is another one, which then stands. Idempotent. :class:`HomeUnwritable` if it cannot be
    recorded; the cool-down then goes on.
    """
    folder = home / "sites" / site
    try:
        with _exclusively(folder):
            try:
                last = last_automatic_start(home, site)
            except ValueError:
                return False  # it keeps the door shut, whatever it was
            if last is None or last.at != at:
                return False
            _record(folder, replace(last, withdrawn=True))
    except OSError as error:
        raise HomeUnwritable(f"cannot withdraw the automatic start: {error}", where=str(folder)) from error
    return True


def last_automatic_start(home: Path, site: str) -> AutomaticStart | None:
    """The last automatic start of `site`, None if there was none; ValueError if its record cannot be understood."""
    path = home / "sites" / site / "automatic.json"
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        withdrawn = record.get("withdrawn") is True
        start = AutomaticStart(str(record["procedure"]), datetime.fromisoformat(record["at"]), withdrawn)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} cannot be understood") from error
    if start.at.tzinfo is None:
        raise ValueError(f"{path} names a time without its zone")
    return start


def _open_again(last: AutomaticStart, cool_down: timedelta, procedure: str) -> datetime:
    if last.withdrawn:
        return last.at + (min(RETRY, cool_down) if last.procedure == procedure else timedelta(0))
    return last.at + cool_down


def _cooling(last: AutomaticStart, cool_down: timedelta, procedure: str) -> str:
    until = _open_again(last, cool_down, procedure)
    nothing = ", and nothing came of it" if last.withdrawn else ""
    started = f"{last.procedure} started by itself at {last.at:%Y-%m-%d %H:%M:%SZ}{nothing}"
    return f"cooling until {until:%Y-%m-%d %H:%M:%SZ}: {started}"


@contextmanager
def _exclusively(folder: Path) -> Iterator[None]:
    """Alone among all threads and processes: the lock belongs to the open file, and ends with the process."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "automatic.lock").open("a", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _record(folder: Path, start: AutomaticStart) -> None:
    """Replace the record as a whole, on disk before the start happens."""
    fresh = folder / "automatic.json.new"
    words = {"procedure": start.procedure, "at": start.at.isoformat(), "withdrawn": start.withdrawn}
    with fresh.open("w", encoding="utf-8") as file:
        file.write(json.dumps(words) + "\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(folder / "automatic.json")
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
