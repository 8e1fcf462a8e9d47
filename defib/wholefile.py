"""A file put in the place of another, whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from defib.errors import HomeUnwritable


def put(path: Path, content: bytes, what: str) -> None:
    """Put `content` at `path`, on disk before it stands there; :class:`HomeUnwritable` where `what` cannot be written."""
    fresh = path.with_name(f"{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with fresh.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as error:
        raise HomeUnwritable(f"cannot write {what}: {error.strerror}", where=str(path)) from error
