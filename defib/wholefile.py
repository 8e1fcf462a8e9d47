"""A file put in the place of another, whole or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from defib.errors import HomeUnwritable

PRIVATE = 0o600
"""The mode of a file that its owner alone may read, from its first moment."""

_ORDINARY = 0o666


def put(path: Path, content: bytes, what: str, *, mode: int = _ORDINARY) -> None:
    """Put `content` at `path`, on disk before it stands there; :class:`HomeUnwritable` where `what` cannot be written."""
    fresh = path.with_name(f"{path.name}.new")
    try:
        _write(fresh, content, mode)
        fresh.replace(path)
    except OSError as error:
        raise HomeUnwritable(f"cannot write {what}: {error.strerror}", where=str(path)) from error


def put_once(path: Path, content: bytes, what: str, *, mode: int = _ORDINARY) -> None:
    """The same where nothing stands yet: :class:`FileExistsError` where something does, however close the race was."""
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    try:
        _write(fresh, content, mode)
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


def _write(fresh: Path, content: bytes, mode: int) -> None:
    fresh.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        if mode == PRIVATE:
            os.fchmod(file.fileno(), mode)  # whoever was killed here may have left it with another
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
