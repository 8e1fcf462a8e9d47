"""Ports that try again within the deadline of the call, and never write blindly twice."""

from __future__ import annotations

import random
from collections.abc import Sequence

from defib.clock import Deadline
from defib.errors import Conflict
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
from defib.providers.attempts import Attempts, Backoff
from defib.providers.dns.records import compare, same
from defib.providers.wrappers.around import CdnAround, HostAround, ZoneAround

UNCONFIRMED = Receipt("unconfirmed")
"""The receipt of a change that is in place while the vendor's answer to it was lost.

Nobody can ask the vendor whether it is everywhere, so `settled` is False for it: ask the name servers.
"""

_BACKOFF = Backoff()
_BY_HAND = "do the step by hand, as its section in the runbook says"


class RetryingZone(ZoneAround):
    """A zone whose calls are tried again while it is :class:`Unavailable` and the deadline allows."""

    def __init__(
        self,
        inner: DnsZone,
        chance: random.Random,
        backoff: Backoff = _BACKOFF,
        by_hand: str = _BY_HAND,
    ) -> None:
        super().__init__(inner)
        self._attempts = Attempts(chance, backoff, by_hand)

    def read(self, keys: Sequence[RecordKey], *, within: Deadline) -> tuple[RecordSet | None, ...]:
        """Read, again if need be."""
        return self._attempts.run(lambda soon: self._inner.read(keys, within=soon), within)

    def replace(self, changes: Sequence[RecordChange], *, within: Deadline) -> Receipt:
        """Write once; after a lost answer read first, and write again only where nothing has changed.

        Where the lost write is found in place the change stands, and its receipt is :data:`UNCONFIRMED`: to undo or to
        repeat a good change for want of a receipt would harm.
        """
        writing = _Writing(self._inner, changes)
        return self._attempts.run(writing.attempt, within)

    def settled(self, receipt: Receipt, *, within: Deadline) -> bool:
        """Ask, again if need be; of an unconfirmed receipt the vendor cannot say so."""
        if receipt == UNCONFIRMED:
            return False
        return self._attempts.run(lambda soon: self._inner.settled(receipt, within=soon), within)


class _Writing:
    """One batch on its way, over several attempts."""

    def __init__(self, zone: DnsZone, changes: Sequence[RecordChange]) -> None:
        self._zone = zone
        self._changes = tuple(changes)
        self._sent = False

    def attempt(self, within: Deadline) -> Receipt:
        """Write, or find out what became of the last attempt and do what is left."""
        if self._sent and self._in_place(within):
            return UNCONFIRMED
        again, self._sent = self._sent, True
        try:
            return self._zone.replace(self._changes, within=within)
        except Conflict:
            # Between our look and this write the earlier one may have landed after all.
            if again and self._in_place(within):
                return UNCONFIRMED
            raise

    def _in_place(self, within: Deadline) -> bool:
        """True where every `after` stands, False where every `before` does, :class:`Conflict` for anything else."""
        seen = self._zone.read([change.key for change in self._changes], within=within)
        if all(same(change.after, found) for change, found in zip(self._changes, seen, strict=True)):
            return True
        compare(self._changes, seen, f"{self._zone.vendor}, zone {self._zone.zone}, after a lost answer")
        return False


class RetryingCdn(CdnAround):
    """A distribution whose calls are tried again while it is :class:`Unavailable` and the deadline allows."""

    def __init__(
        self,
        inner: Cdn,
        chance: random.Random,
        backoff: Backoff = _BACKOFF,
        by_hand: str = _BY_HAND,
    ) -> None:
        super().__init__(inner)
        self._attempts = Attempts(chance, backoff, by_hand)

    def status(self, *, within: Deadline) -> EdgeStatus:
        """Read, again if need be."""
        return self._attempts.run(lambda soon: self._inner.status(within=soon), within)

    def purge(self, paths: Sequence[str], *, within: Deadline) -> Receipt:
        """Purge, again if need be: forgetting twice does no harm."""
        return self._attempts.run(lambda soon: self._inner.purge(paths, within=soon), within)

    def settled(self, receipt: Receipt, *, within: Deadline) -> bool:
        """Ask, again if need be."""
        return self._attempts.run(lambda soon: self._inner.settled(receipt, within=soon), within)


class RetryingHost(HostAround):
    """A host whose calls are tried again while it is :class:`Unavailable` and the deadline allows.

    Adapters look before they attach or publish, so a call that is repeated after a lost answer finds what it did.
    """

    def __init__(
        self,
        inner: Host,
        chance: random.Random,
        backoff: Backoff = _BACKOFF,
        by_hand: str = _BY_HAND,
    ) -> None:
        super().__init__(inner)
        self._attempts = Attempts(chance, backoff, by_hand)

    def live(self, *, within: Deadline) -> Deployment | None:
        """Read, again if need be."""
        return self._attempts.run(lambda soon: self._inner.live(within=soon), within)

    def attachment(self, name: str, *, within: Deadline) -> Attachment:
        """Read, again if need be."""
        return self._attempts.run(lambda soon: self._inner.attachment(name, within=soon), within)

    def attach(self, name: str, *, within: Deadline) -> Attachment:
        """Attach, again if need be."""
        return self._attempts.run(lambda soon: self._inner.attach(name, within=soon), within)

    def publish(self, deployment: str, *, within: Deadline) -> Deployment:
        """Publish, again if need be."""
        return self._attempts.run(lambda soon: self._inner.publish(deployment, within=soon), within)

    def quota(self, *, within: Deadline) -> Quota:
        """Read, again if need be."""
        return self._attempts.run(lambda soon: self._inner.quota(within=soon), within)
