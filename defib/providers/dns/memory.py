"""A DNS zone in memory, for whole procedures under a simulated clock; its failures and delays come on schedule."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from datetime import timedelta

from defib.clock import Deadline
from defib.errors import Conflict, NotFound
from defib.ports import Receipt, RecordChange, RecordKey, RecordSet
from defib.providers.dns.records import canonical, canonical_key, check, compare
from defib.providers.failures import Failure, Failures, meet, refuse_if_spent


class MemoryZone:
    """Fulfils :class:`defib.ports.DnsZone`, atomically and safely for threads.

    A change is settled once `settles_after` has passed on the clock of the call that made it. `failures` holds what is
    to go wrong; `applied` tells every batch that was made, and `records` what stands now.
    """

    def __init__(
        self,
        zone: str,
        records: Iterable[RecordSet] = (),
        *,
        vendor: str = "memory",
        settles_after: timedelta = timedelta(0),
    ) -> None:
        self.failures = Failures()
        self._vendor = vendor
        self._zone = zone
        self._records = {canonical_key(record.key): canonical(record) for record in records}
        self._settles_after = settles_after
        self._settled_at: list[timedelta] = []
        self._applied: list[tuple[RecordChange, ...]] = []
        self._late: list[tuple[timedelta, tuple[RecordChange, ...]]] = []
        self._lock = threading.Lock()

    @property
    def vendor(self) -> str:
        """The name of this adapter, or of the one that it stands in for."""
        return self._vendor

    @property
    def zone(self) -> str:
        """The zone's name."""
        return self._zone

    @property
    def records(self) -> tuple[RecordSet, ...]:
        """All that stands in the zone, sorted by key."""
        with self._lock:
            return tuple(self._records[key] for key in sorted(self._records))

    @property
    def applied(self) -> tuple[tuple[RecordChange, ...], ...]:
        """Every batch that was made, in order."""
        with self._lock:
            return tuple(self._applied)

    def read(self, keys: Sequence[RecordKey], *, within: Deadline) -> tuple[RecordSet | None, ...]:
        """The record sets of `keys`, None where absent."""
        self._meet_failures("read", within)
        with self._lock:
            self._catch_up(within)
            return self._present(keys)

    def replace(self, changes: Sequence[RecordChange], *, within: Deadline) -> Receipt:
        """Make all `changes` or none, each only if its `before` is what stands."""
        refuse_if_spent(within, self._zone)
        batch = tuple(changes)
        check(batch, self._zone)
        failure = self._next_failure("replace")
        if failure is not None:
            self._let_land(batch, failure, within)
            meet(failure, within)
        with self._lock:
            self._catch_up(within)
            compare(batch, self._present([change.key for change in batch]), self._zone)
            self._refuse_crowded_aliases(batch)
            self._apply(batch)
            self._settled_at.append(within.clock.monotonic() + self._settles_after)
            return Receipt(str(len(self._settled_at)))

    def settled(self, receipt: Receipt, *, within: Deadline) -> bool:
        """Whether `settles_after` has passed since the change."""
        self._meet_failures("settled", within)
        if not receipt.id:
            return True
        with self._lock:
            if not receipt.id.isdecimal() or not 1 <= int(receipt.id) <= len(self._settled_at):
                raise NotFound(f"no change has the id {receipt.id}", where=self._zone)
            return within.clock.monotonic() >= self._settled_at[int(receipt.id) - 1]

    def _meet_failures(self, method: str, within: Deadline) -> None:
        refuse_if_spent(within, self._zone)
        failure = self._next_failure(method)
        if failure is not None:
            meet(failure, within)

    def _next_failure(self, method: str) -> Failure | None:
        with self._lock:
            return self.failures.take(method)

    def _let_land(self, batch: tuple[RecordChange, ...], failure: Failure, within: Deadline) -> None:
        if failure.lands_after is None:
            return
        with self._lock:
            self._late.append((within.clock.monotonic() + failure.lands_after, batch))
            self._catch_up(within)

    def _catch_up(self, within: Deadline) -> None:
        """Let the writes land whose answer was lost and whose time has come; a vendor compares then as ever."""
        now = within.clock.monotonic()
        due = [batch for at, batch in self._late if at <= now]
        self._late = [(at, batch) for at, batch in self._late if at > now]
        for batch in due:
            if all(self._records.get(canonical_key(change.key)) == _side(change.before) for change in batch):
                self._apply(batch)

    def _present(self, keys: Sequence[RecordKey]) -> tuple[RecordSet | None, ...]:
        return tuple(self._records.get(canonical_key(key)) for key in keys)

    def _refuse_crowded_aliases(self, batch: tuple[RecordChange, ...]) -> None:
        """Keep a CNAME alone at its name (RFC 1034, section 3.6.2), as every name server does."""
        gone = {canonical_key(change.key) for change in batch if change.after is None}
        made = {canonical_key(change.key) for change in batch if change.after is not None}
        standing = (set(self._records) - gone) | made
        for key in made:
            beside = {other.type for other in standing if other.name == key.name} - {key.type}
            if beside and "CNAME" in {key.type, *beside}:
                raise Conflict(f"{key} cannot stand beside other types", where=self._zone, seen=", ".join(sorted(beside)))

    def _apply(self, batch: tuple[RecordChange, ...]) -> None:
        for change in batch:
            if change.after is None:
                del self._records[canonical_key(change.key)]
            else:
                self._records[canonical_key(change.key)] = canonical(change.after)
        self._applied.append(batch)


def _side(record: RecordSet | None) -> RecordSet | None:
    return canonical(record) if record is not None else None
