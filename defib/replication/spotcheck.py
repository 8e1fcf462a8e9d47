"""Versions that a listing shows to be the same, asked for what no listing tells: headers, metadata, tags, status.

What is young is asked for each time, as far as the allowance goes; of the rest another part each time, so that everything
has had its turn after some checks: in a small bucket after each.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from zlib import crc32

from defib.clock import Deadline
from defib.errors import ProviderError
from defib.replication.allowance import Allowance
from defib.replication.findings import Finding, Kind
from defib.replication.port import Bucket, Details, Version
from defib.replication.sides import both

TURNS = 96
"""So many checks until everything has had its turn, where nobody says how many: those of a day."""

_QUESTIONS = 2
_EVERY = timedelta(minutes=15)


def turns_for(versions: int, requests: int) -> int:
    """After how many checks everything can have had its turn, if half of the `requests` of a check are for that.

    Of a bucket that nobody has looked at yet (0) everything is asked for, as far as these go: most are small.
    """
    return max(1, -(-versions * _QUESTIONS * 2 // requests))


@dataclass(frozen=True)
class Checked:
    """What was wrong with one version, None where nothing was; `whole` where all was asked that there was to ask."""

    finding: Finding | None = None
    whole: bool = True


@dataclass(frozen=True)
class SpotCheck:
    """Which versions have their turn now, and what is wrong with them."""

    source: Bucket
    replica: Bucket
    allowance: Allowance
    now: datetime
    young: timedelta
    turns: int = TURNS

    def wants(self, version: Version) -> bool:
        """Whether it is young, or has its turn."""
        if version.marker:
            return False
        return version.modified >= self._since or crc32(version.key.encode()) % self.turns == self._turn

    @cached_property
    def _since(self) -> datetime:
        return self.now - self.young

    @cached_property
    def _turn(self) -> int:
        return int(self.now.timestamp() // _EVERY.total_seconds()) % self.turns

    def checked(self, version: Version, within: Deadline) -> Checked:
        """What differs; `unknown` where nobody may tell."""
        try:
            here, there = both(
                lambda: self.source.details(version.key, version.id, within=within),
                lambda: self.replica.details(version.key, version.id, within=within),
            )
            if here is None or there is None:
                return Checked()  # removed meanwhile
            why = self._apart(version, here, there, within)
            if why is None:
                return Checked(whole=False)
            if not why or self._is_mended(version, here, within):
                return Checked()
        except ProviderError as error:
            return Checked(_found(Kind.UNKNOWN, version, str(error)))
        return Checked(_found(Kind.UNLIKE, version, why))

    def _is_mended(self, version: Version, here: Details, within: Deadline) -> bool:
        """Whether the replica's key holds a copy of it that is served as it must be, above the one that is not."""
        if not version.latest or not version.id or not self.allowance.requests(1):
            return False
        now = self.replica.details(version.key, "", within=within)
        if now is None or now.version == version.id or now.size != here.size:
            return False
        other = here.plain and now.plain and here.etag != now.etag  # where nothing tells, the comparison asks
        return not other and self._apart(version, here, now, within) == ""

    def _apart(self, version: Version, here: Details, there: Details, within: Deadline) -> str | None:
        """What differs in a person's words, "" where nothing does; None where the tags were not to be asked for."""
        names = sorted(here.headers.keys() | there.headers.keys())
        wrong = [name for name in names if here.headers.get(name) != there.headers.get(name)]
        if wrong:
            name = wrong[0]
            return f"{name} is {there.headers.get(name)!r}, and {here.headers.get(name)!r} at the source"
        if here.tagged or there.tagged:
            return self._other_tags(version, there.version or version.id, within)
        return ""

    def _other_tags(self, version: Version, theirs: str, within: Deadline) -> str | None:
        if not self.allowance.requests(_QUESTIONS):
            return None
        here, there = both(
            lambda: self.source.tags(version.key, version.id, within=within),
            lambda: self.replica.tags(version.key, theirs, within=within),
        )
        return "" if here == there else f"tags {dict(there)}, and {dict(here)} at the source"


def _found(kind: Kind, version: Version, why: str) -> Finding:
    return Finding(kind, version.key, version.id, version.modified, version.size, why)
