"""The kill switch: a file that keeps everything automatic from starting, for one site or for all.

``touch $DEFIB_HOME/kill-switch`` is enough to set it. Runs that a person starts are not its business.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from defib.errors import HomeUnwritable, InputError

_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
"""As in site files: nothing that leads out of the home folder."""


@dataclass(frozen=True)
class KillSwitch:
    """A switch that is on: since when, by whom and why ("" where the file does not say)."""

    path: Path
    since: datetime
    who: str = ""
    why: str = ""

    def __str__(self) -> str:
        by = f" by {self.who}" if self.who else ""
        why = f": {self.why}" if self.why else ""
        return f"kill switch is on since {self.since.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}{by}{why} ({self.path})"


def switch_path(home: Path, site: str = "") -> Path:
    """The file of the switch of `site`, or of the one for all sites; :class:`InputError` for what is no site's name."""
    if site and not _NAME.fullmatch(site):
        raise InputError("this cannot be the name of a site", expected="such as pulse-trading", seen=repr(site))
    return home / "sites" / site / "kill-switch" if site else home / "kill-switch"


def kill_switch(home: Path, site: str = "") -> KillSwitch | None:
    """The switch that holds `site` back: the global one, else its own; None if neither is on.

    A switch that is there and cannot be read is on.
    """
    for path in dict.fromkeys((switch_path(home), switch_path(home, site))):
        try:
            found = path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            return KillSwitch(path, datetime.fromtimestamp(0, UTC), why=f"it cannot be looked at: {error}")
        return _read(path, datetime.fromtimestamp(found.st_mtime, UTC))
    return None


def set_kill_switch(home: Path, *, who: str, why: str, at: datetime, site: str = "") -> KillSwitch:
    """Set the switch and say who and why. Idempotent: one that is on keeps its first words."""
    path = switch_path(home, site)
    words = json.dumps({"since": at.isoformat(), "who": who, "why": why})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(words + "\n")
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        pass  # already on: that is what was wanted
    except OSError as error:
        raise _unwritable(path, error) from error
    _log(home, "set", path, who, why, at)
    return _read(path, at)


def clear_kill_switch(home: Path, *, who: str, why: str, at: datetime, site: str = "") -> KillSwitch | None:
    """Clear the switch and give back what it said; None if it was not on. Idempotent."""
    path = switch_path(home, site)
    try:
        before = _read(path, at) if path.exists() else None
        path.unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from error
    if before is not None:
        _log(home, "cleared", path, who, why, at)
    return before


def _read(path: Path, touched: datetime) -> KillSwitch:
    try:
        words = json.loads(path.read_text(encoding="utf-8"))
        return KillSwitch(path, datetime.fromisoformat(words["since"]), str(words["who"]), str(words["why"]))
    except (OSError, ValueError, KeyError, TypeError):
        # Set by hand, or unreadable: it is on all the same, and its age is the file's.
        return KillSwitch(path, touched)


def _log(home: Path, what: str, path: Path, who: str, why: str, at: datetime) -> None:
    """Who did what to which switch stays on record after the switch is gone."""
    log = home / "kill-switch.log"
    line = {"at": at.isoformat(), "what": what, "switch": str(path.relative_to(home)), "who": who, "why": why}
    try:
        with log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
    except OSError as error:
        raise _unwritable(log, error) from error


def _unwritable(path: Path, error: OSError) -> HomeUnwritable:
    return HomeUnwritable(f"cannot write the kill switch: {error}", where=str(path))
