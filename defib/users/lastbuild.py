"""The build that users were last seen to have, kept for the hour when their host is down and nobody can ask it any more."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import AwareDatetime, TypeAdapter, ValidationError

from defib.errors import EvidenceBroken, HomeUnwritable
from defib.ports import Build, Health, Observation

FILE = "users-build.json"

AGAIN_AFTER = timedelta(minutes=1)


@dataclass(frozen=True)
class _Remembered:
    id: str
    built: AwareDatetime
    seen_at: AwareDatetime


_ADAPTER = TypeAdapter(_Remembered)


def remember(folder: Path, build: Build, seen_at: datetime) -> None:
    """Write into `folder` (``$DEFIB_HOME/sites/SITE``) that users had `build` at `seen_at`; what was seen later stays.

    Idempotent, and atomic: who reads meanwhile gets the one or the other. :class:`HomeUnwritable` where it cannot be kept.
    """
    known = _present(folder)
    if known is not None and known[1] > seen_at:
        return
    path = folder / FILE
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with new.open("wb") as file:
            file.write(_ADAPTER.dump_json(_Remembered(build.id, build.built, seen_at)))
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError as error:
        with suppress(OSError):
            new.unlink(missing_ok=True)
        raise HomeUnwritable(f"cannot keep the build that users have: {error.strerror}", where=str(path)) from error


class BuildKeeper:
    """Remembers what users have from the looks at them: each new build at once, a known one every :data:`AGAIN_AFTER`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept: tuple[Build, datetime] | None = None

    def saw(self, look: Observation) -> None:
        """Take one look into account; errors are those of :func:`remember`."""
        if look.health is not Health.GOOD or look.build is None:
            return
        if self._kept is None or self._kept[0] != look.build or look.at - self._kept[1] >= AGAIN_AFTER:
            self._kept = look.build, look.at
            remember(self._folder, look.build, look.at)


def last_build(folder: Path) -> tuple[Build, datetime] | None:
    """The build that users were last seen to have, and when; None where nobody has looked yet.

    :class:`EvidenceBroken` where a file is there and says neither.
    """
    path = folder / FILE
    try:
        found = _ADAPTER.validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise EvidenceBroken(
            "what is kept of the build that users had cannot be read",
            where=str(path),
            seen=type(error).__name__,
            then="remove the file; the next readiness check writes it anew",
        ) from error
    return Build(found.id, found.built), found.seen_at


def _present(folder: Path) -> tuple[Build, datetime] | None:
    """As :func:`last_build`, but a file that nobody can read is no reason to keep it."""
    try:
        return last_build(folder)
    except EvidenceBroken:
        return None
