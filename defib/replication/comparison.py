"""Two buckets compared: their keys in ranges, each range on its own, so that it may be done anywhere and is done once.

A range is the unit of work: of a thread here, of a worker elsewhere, of going on after a kill -9.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import BoundedSemaphore

from defib.clock import Deadline
from defib.replication.allowance import Allowance
from defib.replication.findings import Finding, Tally, total
from defib.replication.judging import Judge
from defib.replication.listing import pieces, ranges
from defib.replication.merge import Counted, Unlike, merged
from defib.replication.pair import Pair
from defib.replication.port import Cursor, Listing, Version
from defib.replication.progress import Progress
from defib.replication.rules import BucketSettings
from defib.replication.sameness import Sameness
from defib.replication.spotcheck import TURNS, SpotCheck
from defib.replication.spread import Spread

RANGES = 32
"""Into so many parts or fewer the keys below a prefix are cut where others compare them."""

_RANGES_HERE = 16
"""The same where this process does: each part ends within a page, whose rest is read for nothing."""

_AT_ONCE = 16
_LISTING = BoundedSemaphore(_AT_ONCE)
"""Held by each range of this process while its pages come, whatever pair it is of: some of them are in memory then."""

_ASKING_AT_ONCE = 16
"""Over all ranges; with a page of each, not more requests to a bucket than its client keeps connections."""

_WAITING = 256
"""So many keys wait for an answer at most: what is in memory does not grow with what is wrong."""


@dataclass(frozen=True)
class Comparer:
    """Compares ranges of one pair. `settings` are those of the source, None where nobody may read them.

    `listings` tell what both sides hold, where they do not tell it themselves.
    """

    pair: Pair
    settings: BucketSettings | None
    allowance: Allowance
    now: datetime
    young: timedelta
    turns: int = TURNS
    listings: tuple[Listing, Listing] | None = None

    def parts(self, within: Deadline) -> tuple[Cursor, ...]:
        """The ranges that make up what is to be in the replica."""
        config = self.pair.config
        most = RANGES if self.pair.spread else _RANGES_HERE
        found = [ranges(self.pair.source, prefix, most, within) for prefix in config.prefixes or ("",)]
        return tuple(
            Cursor(each.prefix, each.after, "", each.until, versions=not config.unversioned)
            for cursors in found
            for each in cursors
        )

    def compare(self, parts: Iterable[Cursor], progress: Progress, within: Deadline, spread: Spread | None = None) -> Tally:
        """Every range that was not compared before, here or as `spread` does, and what was found in all.

        The first error ends it; what was compared by then is not compared again. What was compared as a part of other cuts,
        because folders came or went meanwhile, does not count.
        """
        parts = tuple(parts)
        wanted = [part for part in parts if part not in progress.done]
        for part, tally in (spread or self.in_threads)(wanted, within):
            progress.tell(part, tally)
        return total(progress.done[part] for part in parts)

    def in_threads(self, parts: Sequence[Cursor], within: Deadline) -> Iterator[tuple[Cursor, Tally]]:
        """Some ranges at a time, in this process, as each is done; after an error none is begun, and what is done counts."""
        failed: Exception | None = None
        with _asking() as asking, ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="defib-ranges") as pool:
            futures = {pool.submit(self._range, part, asking, within): part for part in parts}
            for future in as_completed(futures):
                if future.cancelled():
                    continue
                try:
                    found = future.result()
                except Exception as error:  # raised once all that had begun is told
                    failed = failed or error
                    for each in futures:  # not pool.shutdown(cancel_futures=True): of those nobody hears any more
                        each.cancel()
                else:
                    yield futures[future], found
        if failed is not None:
            raise failed

    def range(self, part: Cursor, within: Deadline) -> Tally:
        """One range; raises what the listing of either side raises."""
        with _asking() as asking:
            return self._range(part, asking, within)

    def _range(self, part: Cursor, asking: ThreadPoolExecutor, within: Deadline) -> Tally:
        tally, waiting = Tally(), deque[Future[list[Finding]]]()
        with _LISTING:
            chosen = self._listed(part, tally, waiting, asking, within)
        checks = [asking.submit(chosen.spot.checked, version, within) for version in chosen.versions]
        while waiting:
            _add(tally, waiting.popleft().result())
        for check in checks:
            checked = check.result()
            _add(tally, filter(None, (checked.finding,)))
            tally.checked += checked.whole
        return tally

    def _listed(
        self, part: Cursor, tally: Tally, waiting: deque[Future[list[Finding]]], asking: ThreadPoolExecutor, within: Deadline
    ) -> _Chosen:
        counted, chosen = Counted(), _Chosen(self._spot_check())
        sides = self.listings or (self.pair.source, self.pair.replica)
        source, replica = [self._without_canaries(pieces(side, part, within)) for side in sides]
        for unlike in merged(source, replica, counted, chosen):
            if self.allowance.spent:  # nobody is asked any more: that would be done a million times where a replica is empty
                _add(tally, self._judged(unlike, within))
                continue
            waiting.append(asking.submit(self._judged, unlike, within))
            if len(waiting) > _WAITING:
                _add(tally, waiting.popleft().result())
        tally.source, tally.replica, tally.size, tally.same = counted.source, counted.replica, counted.size, counted.same
        return chosen

    def _judged(self, unlike: Unlike, within: Deadline) -> list[Finding]:
        judge = Judge(self.pair.source, self.pair.replica, self.settings, self._sameness(), self.now)
        return list(judge.findings(unlike, within))

    def _sameness(self) -> Sameness:
        return Sameness(self.pair.source, self.pair.replica, self.allowance, self.pair.proofs)

    def _spot_check(self) -> SpotCheck:
        return SpotCheck(self.pair.source, self.pair.replica, self.allowance, self.now, self.young, self.turns)

    def _without_canaries(self, keys: Iterator[tuple[str, list[Version]]]) -> Iterator[tuple[str, list[Version]]]:
        canary = self.pair.config.canary
        return (each for each in keys if not each[0].startswith(canary))


class _Chosen:
    """Those of the same versions that are asked for more; called with each of them."""

    def __init__(self, spot: SpotCheck) -> None:
        self.spot = spot
        self.versions: list[Version] = []

    def __call__(self, version: Version) -> None:
        if self.spot.wants(version) and self.spot.allowance.spare_requests(2):
            self.versions.append(version)


def _asking() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_ASKING_AT_ONCE, thread_name_prefix="defib-asking")


def _add(tally: Tally, findings: Iterable[Finding]) -> None:
    for finding in findings:
        tally.add(finding)
