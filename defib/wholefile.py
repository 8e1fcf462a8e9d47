"""A file put in the place of another, whole or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from defib.errors import HomeUnwritable


def put(path: Path, content: bytes, what: str) -> None:
    """Put `content` at `path`, on disk before it stands there; :class:`HomeUnwritable` where `what` cannot be written."""
    fresh = path.with_name(f"{path.name}.new")
    try:
        _write(fresh, content)
        fresh.replace(path)
    except OSError as error:
        raise HomeUnwritable(f"cannot write {what}: {error.strerror}", where=str(path)) from error


def put_once(path: Path, content: bytes, what: str) -> None:
    """The same where nothing stands yet: :class:`FileExistsError` where something does, however close the race was."""
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    try:
        _write(fresh, content)
        taken = _link(path, fresh)
    except OSError as error:
        raise HomeUnwritable(f"cannot write {what}: {error.strerror}", where=str(path)) from error
    if taken:
        raise FileExistsError(str(path))


def _link(path: Path, fresh: Path) -> bool:
    """Whether something stood at `path` already; else `fresh` stands there now."""
    try:
        path.hardlink_to(fresh)
    except FileExistsError:
        return True
    finally:
        fresh.unlink()
    return False


def _write(fresh: Path, content: bytes) -> None:
    fresh.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with fresh.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
