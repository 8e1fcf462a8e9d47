"""How much would be lost if the source's region burned now: the recovery point of the assets."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from defib.replication.findings import AT_RISK, Kind, Tally


@dataclass(frozen=True)
class Exposure:
    """How old the oldest version is that the replica does not hold; None where nobody knows, and `why` says why."""

    lag: timedelta | None
    why: str


def exposure(tally: Tally | None, now: datetime, rpo: timedelta) -> Exposure:
    """From what was found at `now`.

    A version of which it is not known whether the replica holds it makes all of it unknown, unless what is known to be
    missing is beyond the RPO already: then the answer is that it is missed, by so much at least.
    """
    if tally is None:
        return Exposure(None, "the replica could not be compared")
    oldest = tally.oldest_of(AT_RISK)
    known = max(now - oldest, timedelta(0)) if oldest is not None else timedelta(0)
    unknown = tally.counts.get(Kind.UNKNOWN, 0)
    if unknown and known <= rpo:
        return Exposure(None, f"of {unknown} versions nobody can tell whether the replica holds them")
    if oldest is None:
        return Exposure(known, "the replica holds everything")
    lost = [f"{tally.counts[kind]} {kind.value}" for kind in AT_RISK if kind in tally.counts]
    return Exposure(known, f"{', '.join(sorted(lost))}; the oldest was written at {oldest:%Y-%m-%d %H:%M:%S} UTC")
