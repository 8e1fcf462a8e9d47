"""Ports that keep to a vendor's limit of calls, so that an incident does not begin with being throttled."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from defib.clock import Deadline
from defib.errors import Unavailable
from defib.ports import (
    Attachment,
    Cdn,
    Deployment,
    DnsZone,
    EdgeStatus,
    Host,
    Quota,
    Receipt,
    RecordChange,
    RecordKey,
    RecordSet,
)
from defib.providers.wrappers.around import CdnAround, HostAround, ZoneAround


class Rate:
    """At most `calls` calls in any span of `per`; one rate may be shared by all that a vendor counts together.

    With one call a span it is a minimum spacing. More calls let a run that has been idle act at once. Safe for threads.
    """

    def __init__(self, calls: int, per: timedelta) -> None:
        self._per = per
        self._taken: deque[timedelta] = deque(maxlen=calls)
        self._lock = threading.Lock()

    def wait(self, within: Deadline, where: str, calls: int = 1) -> None:
        """Wait on the deadline's clock until `calls` are free, or raise :class:`Unavailable` if they will not be in time."""
        with self._lock:
            now = free = within.clock.monotonic()
            taken = self._taken.copy()
            for _ in range(calls):
                full = len(taken) == taken.maxlen
                free = max(taken[0] + self._per, now) if full else now
                taken.append(free)
            if free > within.at:
                raise Unavailable("the limit of calls leaves none before the deadline", where=where, retry_after=free - now)
            self._taken = taken
        if free > now:
            within.clock.sleep(free - now)


Counted = Callable[[Sequence[RecordKey]], int]
"""How many of the vendor's calls one call of a zone may need for these keys."""


@dataclass(frozen=True)
class Cost:
    """What the calls of a zone cost whose vendor gives several record sets in one call, or needs several for one."""

    read: Counted
    replace: Counted
    settled: int


class RateLimitedZone(ZoneAround):
    """A zone whose calls keep to `rate`; without a `cost` a read counts and waits key by key, and all else is one call."""

    def __init__(self, inner: DnsZone, rate: Rate, cost: Cost | None = None) -> None:
        super().__init__(inner)
        self._rate = rate
        self._cost = cost

    def read(self, keys: Sequence[RecordKey], *, within: Deadline) -> tuple[RecordSet | None, ...]:
        """Read when calls are free: key by key, or all keys together where the vendor gives them so."""
        if self._cost is not None:
            self._wait(within, self._cost.read(keys))
            return self._inner.read(keys, within=within)
        found: list[RecordSet | None] = []
        for key in keys:
            self._wait(within, 1)
            found += self._inner.read([key], within=within)
        return tuple(found)

    def replace(self, changes: Sequence[RecordChange], *, within: Deadline) -> Receipt:
        """Write when a call is free."""
        self._wait(within, self._cost.replace([change.key for change in changes]) if self._cost is not None else 1)
        return self._inner.replace(changes, within=within)

    def settled(self, receipt: Receipt, *, within: Deadline) -> bool:
        """Ask when a call is free."""
        self._wait(within, self._cost.settled if self._cost is not None else 1)
        return self._inner.settled(receipt, within=within)

    def _wait(self, within: Deadline, calls: int) -> None:
        self._rate.wait(within, f"{self.vendor}, zone {self.zone}", calls)


class RateLimitedCdn(CdnAround):
    """A distribution whose calls keep to `rate`."""

    def __init__(self, inner: Cdn, rate: Rate) -> None:
        super().__init__(inner)
        self._rate = rate

    def status(self, *, within: Deadline) -> EdgeStatus:
        """Read when a call is free."""
        self._wait(within)
        return self._inner.status(within=within)

    def purge(self, paths: Sequence[str], *, within: Deadline) -> Receipt:
        """Purge when a call is free."""
        self._wait(within)
        return self._inner.purge(paths, within=within)

    def settled(self, receipt: Receipt, *, within: Deadline) -> bool:
        """Ask when a call is free."""
        self._wait(within)
        return self._inner.settled(receipt, within=within)

    def _wait(self, within: Deadline) -> None:
        self._rate.wait(within, f"{self.vendor}, distribution {self.distribution}")


class RateLimitedHost(HostAround):
    """A host whose calls keep to `every`, and of them those that attach a name to `attaching` as well."""

    def __init__(self, inner: Host, every: Rate | None = None, attaching: Rate | None = None) -> None:
        super().__init__(inner)
        self._every = every
        self._attaching = attaching

    def live(self, *, within: Deadline) -> Deployment | None:
        """Read when a call is free."""
        self._wait(self._every, within)
        return self._inner.live(within=within)

    def attachment(self, name: str, *, within: Deadline) -> Attachment:
        """Read when a call is free."""
        self._wait(self._every, within)
        return self._inner.attachment(name, within=within)

    def attach(self, name: str, *, within: Deadline) -> Attachment:
        """Attach when a call is free by both rates."""
        self._wait(self._attaching, within)
        self._wait(self._every, within)
        return self._inner.attach(name, within=within)

    def publish(self, deployment: str, *, within: Deadline) -> Deployment:
        """Publish when a call is free."""
        self._wait(self._every, within)
        return self._inner.publish(deployment, within=within)

    def quota(self, *, within: Deadline) -> Quota:
        """Read when a call is free."""
        self._wait(self._every, within)
        return self._inner.quota(within=within)

    def _wait(self, rate: Rate | None, within: Deadline) -> None:
        if rate is not None:
            rate.wait(within, f"{self.vendor}, project {self.project}")
