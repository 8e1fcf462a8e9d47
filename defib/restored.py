"""How long objects were wrong, and how much of what was written meanwhile was put aside with it, for a restored bucket.

Since when they were wrong only people know (``--since``). Without them the versions tell bounds: they were not wrong before
the first version was written that was put aside, and nothing was put aside that was written after the last. A bound within
the objective says that it was met; one beyond it says nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from defib.copyentries import ObjectsRestored
from defib.objectives import Measure

_ASK = "nobody said since when the objects were wrong (--since)"
_ELSEWHERE = "it was put where no user is sent"
_NOTHING = timedelta(0)


def rto_of_restore(target: timedelta, since: datetime | None, proved: datetime, told: ObjectsRestored) -> Measure:
    """From when users got wrong objects until the bucket was seen to hold the right ones."""
    if told.apart:
        return Measure(target, None, f"{told.apart} objects are not as they were")
    if told.elsewhere:
        return Measure(target, _NOTHING, _ELSEWHERE)
    if since is not None:
        return Measure(target, max(proved - since, _NOTHING))
    if not _changed(told):
        return Measure(target, _NOTHING, "nothing had to change")
    if told.first is None:
        return Measure(target, None, _ASK)
    return _bound(target, proved - told.first, "no longer: the first version that was put aside is as old")


def rpo_of_restore(target: timedelta, since: datetime | None, told: ObjectsRestored) -> Measure:
    """How much of what was written between the moment and the damage was put aside together with the damage."""
    if told.left:
        return Measure(target, None, f"{told.left} objects could not be restored")
    if told.elsewhere:
        return Measure(target, _NOTHING, _ELSEWHERE)
    if told.last is None or not _changed(told):
        return Measure(target, _NOTHING, "nothing that was written after the moment was put aside")
    if since is not None:
        return Measure(target, max(since - told.at, _NOTHING), "what was written in that time was put aside")
    return _bound(target, told.last - told.at, "no more: nothing that was written later was put aside")


def _bound(target: timedelta, most: timedelta, why: str) -> Measure:
    most = max(most, _NOTHING)
    return Measure(target, most, why) if most <= target else Measure(target, None, _ASK)


def _changed(told: ObjectsRestored) -> int:
    return told.returned + told.replaced + told.deleted
