"""A distribution in memory, for whole procedures under a simulated clock; its failures and delays come on schedule."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import timedelta

from defib.clock import Deadline
from defib.errors import NotFound
from defib.ports import EdgeStatus, Receipt
from defib.providers.failures import Failures, meet, refuse_if_spent


class MemoryCdn:
    """Fulfils :class:`defib.ports.Cdn`, safely for threads.

    A purge is settled once `settles_after` has passed. `edge` is what :meth:`status` tells and may be set at any time;
    `purged` lists the paths of every purge that was made, also of those whose answer was lost.
    """

    def __init__(self, distribution: str, edge: EdgeStatus, *, settles_after: timedelta = timedelta(0)) -> None:
        self.failures = Failures()
        self.edge = edge
        self._distribution = distribution
        self._settles_after = settles_after
        self._settled_at: list[timedelta] = []
        self._purged: list[tuple[str, ...]] = []
        self._lock = threading.Lock()

    @property
    def vendor(self) -> str:
        """The name of this adapter."""
        return "memory"

    @property
    def distribution(self) -> str:
        """The distribution's id."""
        return self._distribution

    @property
    def purged(self) -> tuple[tuple[str, ...], ...]:
        """The paths of every purge, in order."""
        with self._lock:
            return tuple(self._purged)

    def status(self, *, within: Deadline) -> EdgeStatus:
        """What `edge` holds."""
        self._meet_failures("status", within)
        return self.edge

    def purge(self, paths: Sequence[str], *, within: Deadline) -> Receipt:
        """Note that `paths` were forgotten."""
        refuse_if_spent(within, self._distribution)
        if not paths:
            return Receipt("")
        with self._lock:
            failure = self.failures.take("purge")
            if failure is None or failure.lands_after is not None:
                self._purged.append(tuple(paths))
                self._settled_at.append(within.clock.monotonic() + self._settles_after)
            receipt = Receipt(str(len(self._settled_at)))
        if failure is not None:
            meet(failure, within)
        return receipt

    def settled(self, receipt: Receipt, *, within: Deadline) -> bool:
        """Whether `settles_after` has passed since the purge."""
        self._meet_failures("settled", within)
        if not receipt.id:
            return True
        with self._lock:
            if not receipt.id.isdecimal() or not 1 <= int(receipt.id) <= len(self._settled_at):
                raise NotFound(f"no purge has the id {receipt.id!r}", where=self._distribution)
            return within.clock.monotonic() >= self._settled_at[int(receipt.id) - 1]

    def _meet_failures(self, method: str, within: Deadline) -> None:
        refuse_if_spent(within, self._distribution)
        with self._lock:
            failure = self.failures.take(method)
        if failure is not None:
            meet(failure, within)
