"""One object of a release, as it must be."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from defib.releases.rules import ASK, Headers, is_html


class Piece(NamedTuple):
    """One object that the release must have: a file of the build, or a copy of what an earlier release has.

    `path` is relative to the site's root, with slashes. `source` is the folder of the build, in which the file has the same
    path, or the key that it is copied from.
    """

    path: str
    size: int
    sha256: str
    headers: Headers
    source: Path | str
    carried: datetime | None = None

    @property
    def rank(self) -> int:
        """Its turn: what names nothing else (0), what does (1), pages (2), so that no page names what is not there."""
        if is_html(self.path):
            return 2
        return 1 if self.headers.cache_control == ASK else 0
