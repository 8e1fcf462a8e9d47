"""The one string that Prefect's API asks for: made here, kept in a file for its owner alone, never on a command line."""

from __future__ import annotations

import secrets
from pathlib import Path

from defib.errors import InputError
from defib.wholefile import PRIVATE, put

FILE = "auth-string"
USER = "defib"
_BYTES = 32
_OTHERS = 0o077


def password(folder: Path) -> str:
    """The string kept in `folder`, made when it is asked for first; :class:`InputError` where others may read it."""
    path = folder / FILE
    if not path.exists():
        put(path, f"{USER}:{secrets.token_urlsafe(_BYTES)}\n".encode(), "the password of Prefect's API", mode=PRIVATE)
    if path.stat().st_mode & _OTHERS:
        raise InputError(
            "others may read the password of Prefect's API",
            where=str(path),
            expected="mode 600",
            seen=f"mode {path.stat().st_mode & 0o777:o}",
            then=f"rm {path}, and start again: it was not a secret any more",
        )
    text = path.read_text(encoding="utf-8").strip()
    if not all(text.partition(":")):
        raise InputError(
            "the password of Prefect's API is none",
            where=str(path),
            expected="USER:PASSWORD",
            then=f"rm {path}, and start again",
        )
    return text
