"""What one observer's looks amount to, and when the trouble began that several of them report."""

from __future__ import annotations

import math
from bisect import insort
from collections import deque
from collections.abc import Collection, Sequence
from datetime import datetime
from itertools import takewhile

from defib.ports import Health
from defib.sites.site import Detection


def looks_under_way(settings: Detection) -> int:
    """How many looks of one observer can be under way at once: answers may come in another order than questions."""
    return math.ceil(settings.probe_deadline / settings.interval) + 1


class Witness:
    """One observer's vote: bad after `fall` bad looks in a row, good again after `rise` good ones.

    Looks count in the order in which they were started. An unknown look counts neither way, but `fall` of them in
    a row end the vote, as nobody knows any longer what it would be.
    """

    def __init__(self, settings: Detection) -> None:
        self._fall, self._rise = settings.fall, settings.rise
        self._memory = 4 * (max(self._fall, self._rise) + looks_under_way(settings))
        self._looks: list[tuple[datetime, Health]] = []
        self.vote = Health.UNKNOWN
        self.since: datetime | None = None
        self.reason = ""

    def record(self, at: datetime, health: Health, reason: str) -> None:
        """Take one more look into account."""
        insort(self._looks, (at, health))
        del self._looks[: -self._memory]
        if health is Health.BAD:
            self.reason = reason
        self._count()

    def void(self) -> None:
        """Declare the bad looks since the last good one unknown: the observer itself was cut off."""
        for index in range(len(self._looks) - 1, -1, -1):
            at, health = self._looks[index]
            if health is Health.GOOD:
                break
            self._looks[index] = (at, Health.UNKNOWN)
        if self.vote is Health.BAD:
            self.vote, self.since = Health.UNKNOWN, None
        self._count()

    @property
    def newest(self) -> datetime | None:
        """When its newest look was started."""
        return self._looks[-1][0] if self._looks else None

    @property
    def sees(self) -> bool:
        """Whether its newest look was good, which also proves that it is not cut off."""
        return bool(self._looks) and self._looks[-1][1] is Health.GOOD

    def _count(self) -> None:
        told = [look for look in self._looks if look[1] is not Health.UNKNOWN]
        silent = _run([health for _, health in self._looks], Health.UNKNOWN)
        outcomes = [health for _, health in told]
        if silent >= self._fall:
            self.vote, self.since = Health.UNKNOWN, None
        elif (bad := _run(outcomes, Health.BAD)) >= self._fall:
            if self.vote is not Health.BAD:
                self.vote, self.since = Health.BAD, told[-bad][0]
        elif _run(outcomes, Health.GOOD) >= (self._rise if self.vote is Health.BAD else 1):
            self.vote, self.since = Health.GOOD, None


def _run(outcomes: Sequence[Health], wanted: Health) -> int:
    """How many of the last outcomes in a row are `wanted`."""
    return sum(1 for _ in takewhile(lambda outcome: outcome is wanted, reversed(outcomes)))


class Onset:
    """When the trouble began that a group of observers reports together.

    It is the first bad look of one of them after the last good look of any of them: as long as one of the group was
    still served, it had not begun. Kept as one instant for each pair of observers, so that it stays exact however long
    a single observer has been complaining before the others join.
    """

    def __init__(self, names: Collection[str], memory: int) -> None:
        self._first: dict[str, dict[str, datetime | None]] = {a: dict.fromkeys(names) for a in names}
        self._last_good: dict[str, datetime | None] = dict.fromkeys(names)
        self._recent: dict[str, deque[datetime]] = {name: deque(maxlen=memory) for name in names}

    def bad(self, observer: str, at: datetime) -> None:
        """A bad look of `observer`, started at `at`."""
        insort_recent(self._recent[observer], at)
        firsts = self._first[observer]
        for other, known in firsts.items():
            good = self._last_good[other]
            if (good is None or at > good) and (known is None or at < known):
                firsts[other] = at

    def good(self, observer: str, at: datetime) -> None:
        """A good look of `observer`, started at `at`: whatever was bad before is over for it."""
        good = self._last_good[observer]
        self._last_good[observer] = at if good is None else max(good, at)
        for name, firsts in self._first.items():
            known = firsts[observer]
            if known is not None and known <= at:
                firsts[observer] = min((bad for bad in self._recent[name] if bad > at), default=None)

    def void(self, observer: str) -> None:
        """The bad looks of `observer` were about itself."""
        self._recent[observer].clear()
        self._first[observer] = dict.fromkeys(self._first[observer])

    def of(self, group: Collection[str]) -> datetime | None:
        """When it began for `group`; None if none of them had a bad look since."""
        starts = []
        for name in group:
            firsts = [self._first[name][other] for other in group]
            told = [first for first in firsts if first is not None]
            if len(told) == len(firsts):
                starts.append(max(told))
        return min(starts, default=None)


def insort_recent(recent: deque[datetime], at: datetime) -> None:
    """Add `at` and drop the oldest where there is no more room."""
    if recent and at < recent[-1]:
        ordered = sorted([*recent, at])
        recent.clear()
        recent.extend(ordered)
    else:
        recent.append(at)
