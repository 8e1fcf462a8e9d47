"""Cloudflare as an authoritative DNS vendor: a zone in full set-up, and its records."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from defib.clock import Deadline
from defib.errors import Conflict, NotFound, Unavailable
from defib.ports import Receipt, RecordChange, RecordKey, RecordSet
from defib.providers.cdn.cloudflare_api import CloudflareApi
from defib.providers.dns.cloudflare_format import (
    WRITABLE,
    HeldRecord,
    Wish,
    answers_as_written,
    record_set,
    wish_of,
    wishes_of,
)
from defib.providers.dns.records import canonical_key, check, compare, describe, same

# "Batch DNS record changes": 200 records in one action on the free plan, 3,500 on all others. Which plan a zone is on
# would cost a call to learn, and a batch above its plan's limit is refused as a whole.
# https://developers.cloudflare.com/dns/manage-dns-records/how-to/batch-record-changes/
_BATCH_AT_MOST = 3_500

# The description allows pages of 5,000,000; some plans give less, and a page tells how large it was made.
_PAGE = 5_000
_BY_NAME_AT_MOST = 3

_UNREAD = Receipt("unread")
"""Cloudflare took the batch, and did not answer when it was read back."""

_RECORDS = TypeAdapter(tuple[HeldRecord, ...])


def calls_to_read(keys: Sequence[RecordKey]) -> int:
    """How many calls reading `keys` costs, in a zone of up to 5,000 records."""
    names = {canonical_key(key).name for key in keys}
    return len(names) if len(names) <= _BY_NAME_AT_MOST else 1


def calls_to_replace(keys: Sequence[RecordKey]) -> int:
    """How many calls changing `keys` costs: reading, one batch, reading again."""
    return 2 * calls_to_read(keys) + 1


@dataclass(frozen=True)
class _Standing:
    """One record: its id, and what stands in it."""

    id: str
    wish: Wish


_Held = Mapping[RecordKey, Sequence[_Standing]]


class CloudflareDns:
    """Fulfils :class:`defib.ports.DnsZone` for one zone by its id; `zone_name` is what its names end with.

    *Record sets.* Several records of Cloudflare's make one; :mod:`defib.providers.dns.cloudflare_format` says how TTLs and
    attributes (proxied, comment, tags, settings) come across and back, so that an undo restores them exactly.

    *Compare-and-set.* Cloudflare has none. `replace` reads, compares, sends one batch and reads again. "The batched
    operations are executed in a single database transaction", in the order deletes, patches, puts, posts, and "if any of
    the individual action fails, no changes are applied"
    (https://developers.cloudflare.com/api/resources/dns/subresources/records/methods/batch/ and
    https://developers.cloudflare.com/dns/manage-dns-records/how-to/batch-record-changes/). Between the first read and
    the batch, some tens of milliseconds, somebody else may change the same record: no request carries a condition on
    what a record holds (there is no ``If-Match``, and a batch fails only for a record that is gone or one that clashes),
    so such a change is overwritten in the fields that we change. Their change to another field, a removed record, or
    any change between the batch and the second read raises :class:`Conflict`, and then ours may stand beside theirs.
    Writers that share this object take turns; runs of Defib on one site have the lease.

    *Never without an answer.* A record is patched under its id wherever one of the same name and type stands; only where
    a type is exchanged, or values become fewer or more, are records deleted or created, in the one transaction. Its name
    servers learn each record by itself ("the propagation of changes is not atomic"), so that an exchange of types may be
    seen half made by one of them for as long as its propagation takes.

    *What to watch for.* The API is ahead of the name servers by seconds and has nothing to ask for it, so `settled` is
    Cloudflare's word alone. The name servers answer a record set as it is written, except (see
    :func:`defib.providers.dns.cloudflare_format.answers_as_written`): where it is proxied, they
    answer A and AAAA with Cloudflare's own addresses and 300 s, whatever its type and values, and nothing for CNAME; a
    CNAME at the apex, or with ``settings.flatten_cname``, answers A and AAAA with the addresses of its target, under the
    smaller TTL of both, and nothing for CNAME
    (https://developers.cloudflare.com/dns/cname-flattening/cname-flattening-diagram/). A paid zone may also flatten all its
    aliases, by a setting of the zone that its records do not tell. Watch users there, or addresses.

    *Calls.* Reading up to three names costs a call each; more names cost one listing of the whole zone, in which 5,000
    records fit, or one call each in a larger one. Writing costs two such reads and one call.
    """

    def __init__(self, zone_id: str, zone_name: str, token: str, api: str) -> None:
        self._zone_id = zone_id
        self._origin = canonical_key(RecordKey(zone_name, "SOA")).name
        self._api = CloudflareApi(api, token, f"Cloudflare, zone {zone_id} ({self._origin})")
        self._writing = threading.Lock()

    @property
    def vendor(self) -> str:
        """``cloudflare``."""
        return "cloudflare"

    @property
    def zone(self) -> str:
        """The zone's id."""
        return self._zone_id

    def read(self, keys: Sequence[RecordKey], *, within: Deadline) -> tuple[RecordSet | None, ...]:
        """The record sets of `keys` as Cloudflare's API holds them, which may be ahead of its name servers."""
        wanted = [self._ours(key) for key in keys]
        held = self._list(wanted, within)
        return tuple(_set(held, key) for key in wanted)

    def replace(self, changes: Sequence[RecordChange], *, within: Deadline) -> Receipt:
        """Make all `changes` or none in one batch, and read back; nothing is written where all stands already."""
        check(changes, self._where)
        keys = [self._ours(change.key) for change in changes]
        wanted = [self._wishes(change) for change in changes]
        if not changes:
            return Receipt("")
        with self._one_at_a_time(within):
            held = self._list(keys, within)
            compare(changes, [_set(held, key) for key in keys], self._where)
            self._refuse_crowded_aliases(changes, held)
            batch = _Batch()
            for change, key, wishes in zip(changes, keys, wanted, strict=True):
                if not same(change.before, change.after):
                    batch.exchange(held.get(key, ()), wishes)
            if not batch.size:
                return Receipt("")
            if batch.size > _BATCH_AT_MOST:
                raise NotFound(
                    "more records than Cloudflare changes in one batch",
                    where=self._where,
                    expected=f"at most {_BATCH_AT_MOST:,}",
                    seen=f"{batch.size:,}",
                )
            self._api.post(f"{self._path}/batch", batch.body(), within)
            return self._read_back(changes, keys, within)

    def settled(self, receipt: Receipt, *, within: Deadline) -> bool:  # noqa: ARG002 - there is nothing to ask
        """Whether the change was seen in Cloudflare's API; it keeps no state of its propagation that could be asked for."""
        return receipt != _UNREAD

    @property
    def _where(self) -> str:
        return self._api.where

    @property
    def _path(self) -> str:
        return f"/zones/{self._zone_id}/dns_records"

    def _ours(self, key: RecordKey) -> RecordKey:
        key = canonical_key(key)
        # Cloudflare takes a foreign name as a relative one, and would make www.elsewhere.test.our-zone.test of it.
        if key.name != self._origin and not key.name.endswith(f".{self._origin}"):
            raise NotFound(f"{key.name} is not in the zone {self._origin}", where=self._where)
        return key

    def _wishes(self, change: RecordChange) -> tuple[Wish, ...]:
        if change.before is not None and change.before.key.type.upper() not in WRITABLE:
            raise NotFound(f"{change.key}: Defib could not put this back at Cloudflare", where=self._where)
        return wishes_of(change.after, self._where) if change.after is not None else ()

    @contextmanager
    def _one_at_a_time(self, within: Deadline) -> Iterator[None]:
        if not self._writing.acquire(timeout=within.remaining().total_seconds()):
            raise Unavailable("another change of this run did not end in time", where=self._where)
        try:
            yield
        finally:
            self._writing.release()

    def _list(self, keys: Sequence[RecordKey], within: Deadline) -> _Held:
        """All records at the names of `keys`, also those of other types, by the record set they belong to."""
        names = list(dict.fromkeys(key.name for key in keys))
        found: tuple[HeldRecord, ...] | None = None
        if len(names) > _BY_NAME_AT_MOST:
            found = self._whole_zone(within)
        if found is None:
            found = tuple(record for name in names for record in self._of_name(name, within))
        held: dict[RecordKey, list[_Standing]] = defaultdict(list)
        for record in found:
            if record.key.name in names:
                held[record.key].append(_Standing(record.id, wish_of(record)))
        return held

    def _whole_zone(self, within: Deadline) -> tuple[HeldRecord, ...] | None:
        """Every record of the zone, None where they are more than a page."""
        page = self._api.page(self._path, {}, 1, _PAGE, within)
        return self._parsed(page.items) if page.last else None

    def _of_name(self, name: str, within: Deadline) -> tuple[HeldRecord, ...]:
        found: list[object] = []
        for number in range(1, _PAGE + 1):
            page = self._api.page(self._path, {"name.exact": name.rstrip(".")}, number, _PAGE, within)
            found += page.items
            if page.last:
                return self._parsed(found)
        raise Unavailable("the list of records does not end", where=self._where)

    def _parsed(self, items: Sequence[object]) -> tuple[HeldRecord, ...]:
        try:
            return _RECORDS.validate_python(items)
        except ValidationError as error:
            raise Unavailable(
                "reading records: not the answer that Cloudflare documents", where=self._where, seen=str(items)[:200]
            ) from error

    def _refuse_crowded_aliases(self, changes: Sequence[RecordChange], held: _Held) -> None:
        """Keep a CNAME alone at its name unless it is flattened.

        Cloudflare refuses addresses beside a CNAME and takes other types, which nobody who follows the CNAME ever sees:
        https://developers.cloudflare.com/dns/manage-dns-records/troubleshooting/records-with-same-name/
        """
        standing = {key: _set(held, key) for key in held}
        standing |= {canonical_key(change.key): change.after for change in changes}
        for change in changes:
            key = canonical_key(change.key)
            if change.before is not None or change.after is None:
                continue
            here = {other.type: found for other, found in standing.items() if other.name == key.name and found is not None}
            alias = here.get("CNAME")
            if len(here) > 1 and alias is not None and answers_as_written(alias, self._origin):
                raise Conflict(
                    f"{key} cannot stand beside other types",
                    where=self._where,
                    seen=", ".join(sorted(here.keys() - {key.type})),
                )

    def _read_back(self, changes: Sequence[RecordChange], keys: Sequence[RecordKey], within: Deadline) -> Receipt:
        """See for ourselves what became of the batch; a success that Cloudflare only tells is none."""
        try:
            held = self._list(keys, within)
        except Unavailable:
            return _UNREAD  # the batch was taken and must not look as if it had failed: the name servers will tell
        seen = [_set(held, key) for key in keys]
        for change, found in zip(changes, seen, strict=True):
            if same(change.after, found):
                continue
            if same(change.before, found):
                raise Unavailable(
                    f"{change.key}: Cloudflare calls the change made, and does not show it",
                    where=self._where,
                    expected=describe(change.after),
                    seen=describe(found),
                )
            raise Conflict(
                f"{change.key}: somebody else changed it while it was being changed",
                where=self._where,
                expected=describe(change.after),
                seen=describe(found),
                then="look who changed it, then make a new plan",
            )
        return Receipt("")


class _Batch:
    """The operations that turn what stands into what is wanted."""

    def __init__(self) -> None:
        self._deletes: list[dict[str, object]] = []
        self._patches: list[dict[str, object]] = []
        self._posts: list[dict[str, object]] = []

    @property
    def size(self) -> int:
        """How many records it touches."""
        return len(self._deletes) + len(self._patches) + len(self._posts)

    def body(self) -> dict[str, object]:
        """The request's body, without the lists that are empty."""
        lists: dict[str, object] = {"deletes": self._deletes, "patches": self._patches, "posts": self._posts}
        return {name: operations for name, operations in lists.items() if operations}

    def exchange(self, held: Sequence[_Standing], wishes: Sequence[Wish]) -> None:
        """Patch records under their ids as far as they go; those whose value stays keep their id."""
        old = {standing.wish.value: standing for standing in held}
        new = {wish.value: wish for wish in wishes}
        pairs = [(old[value], new[value]) for value in old if value in new]
        kept = {standing.id for standing, _ in pairs}
        leaving = [standing for standing in held if standing.id not in kept]
        coming = [wish for wish in wishes if wish.value not in old]
        pairs += zip(leaving, coming, strict=False)
        for standing, wish in pairs:
            difference = wish.difference(standing.wish)
            if difference:
                self._patches.append({"id": standing.id} | difference)
        self._deletes += [{"id": standing.id} for standing in leaving[len(coming) :]]
        self._posts += [wish.whole() for wish in coming[len(leaving) :]]


def _set(held: _Held, key: RecordKey) -> RecordSet | None:
    return record_set([standing.wish for standing in held.get(key, ())])
