"""What an edge is to forget, in the words that both vendors' APIs come down to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from fnmatch import fnmatchcase


@dataclass(frozen=True)
class Purge:
    """Forget what was stored before `due` (monotonic) and matches; an empty `host` means every host."""

    due: timedelta
    paths: tuple[str, ...]
    host: str = ""

    def matches(self, host: str, target: str) -> bool:
        """Whether the copy of `target` (path and query) under `host` is to be forgotten."""
        if self.host and self.host != host:
            return False
        # Brackets are literal in both vendors' patterns; only the star is not.
        return any(fnmatchcase(target, path.replace("[", "[[]").replace("?", "[?]")) for path in self.paths)
