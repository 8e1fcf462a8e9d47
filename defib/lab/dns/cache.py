"""What a resolver remembers, and for how long: exactly the TTL, counted from the arrival of the answer.

Times are seconds on the event loop's clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from dns.name import Name
from dns.rcode import Rcode
from dns.rdataset import Rdataset
from dns.rdatatype import RdataType

from defib.lab.dns.zone import Placed

_MOST = 10_000
"""Entries beyond this number push the oldest one out."""


@dataclass(frozen=True)
class Entry:
    """One record set, or a denial: no `rdataset`, and `rcode` NOERROR or NXDOMAIN.

    It holds while the clock is before `expires`.
    """

    name: Name
    rcode: Rcode
    rdataset: Rdataset | None
    soa: Placed | None
    ttl: float
    expires: float

    def left(self, asked: float) -> int:
        """The TTL to tell one who asked at `asked`: whole seconds, rounded down, so that nobody keeps it too long.

        Who asked before the answer was here is told the whole TTL.
        """
        return max(0, int(min(self.ttl, self.expires - asked)))


class Cache:
    """Entries by name and type. A type of ANY stands for "no such name", which holds for every type."""

    def __init__(self, minimum_ttl: timedelta = timedelta(0)) -> None:
        self.minimum_ttl = minimum_ttl
        self._entries: dict[tuple[Name, RdataType], Entry] = {}

    def get(self, name: Name, rdtype: RdataType, now: float) -> Entry | None:
        """The entry that answers the question at `now`: the set itself, a CNAME, or a denial."""
        for kind in (rdtype, RdataType.CNAME, RdataType.ANY):
            entry = self._entries.get((name, kind))
            if entry is not None and entry.expires > now and _answers(entry, kind, rdtype):
                return entry
        return None

    def keep(self, entry: Entry, rdtype: RdataType) -> None:
        """Remember `entry` as the answer for its name and `rdtype`."""
        denied = entry.rcode == Rcode.NXDOMAIN
        key = (entry.name, RdataType.ANY if denied else rdtype)
        self._entries.pop(key, None)
        self._entries[key] = entry
        if len(self._entries) > _MOST:
            self._entries.pop(next(iter(self._entries)))

    def lifetime(self, ttl: int) -> float:
        """Seconds for which an answer with `ttl` is kept here."""
        return max(float(ttl), self.minimum_ttl.total_seconds())


def _answers(entry: Entry, kind: RdataType, rdtype: RdataType) -> bool:
    """Whether the entry under `kind` says something about `rdtype`: "no CNAME here" says nothing about other types."""
    return entry.rdataset is not None or kind == rdtype or entry.rcode == Rcode.NXDOMAIN
