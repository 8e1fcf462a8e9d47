"""What keys of a bucket hold, as a plan can change it: each is to hold a version of another bucket, or of its own past.

The key of a record is the object's, its set identifier the version that it is to hold, "" where it is to hold nothing. Its
value says what it holds: ``as <version>`` where those bytes are what was wanted, else ``version <id>``; nothing is None. A
plan says exactly which object becomes which version, and a run that was killed among a hundred copies sees which are made.

The bucket keeps versions, so that nothing is ever written over. Taking a change back removes the version that it made, or
the marker, and what was there before stands again.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from defib.clock import Deadline
from defib.errors import Conflict, ForeignChange, NotFound
from defib.plan import OBJECT_VENDOR
from defib.ports import Receipt, RecordChange, RecordKey, RecordSet
from defib.replication.port import Cursor, Details, Version, WritableBucket
from defib.replication.sameness import Same, Sameness

OBJECT = "OBJECT"
"""The type under which an object stands in a plan."""

_AT_ONCE = 16


def object_key(key: str, wanted: str) -> RecordKey:
    """The key under which an object stands in a plan that wants the version `wanted` of it, "" for none."""
    return RecordKey(key, OBJECT, wanted)


def holding(key: RecordKey, version: str) -> RecordSet:
    """An object that holds a version of its own."""
    return RecordSet(key, timedelta(0), (f"version {version}",))


def restored(key: RecordKey) -> RecordSet | None:
    """An object as the plan wants it."""
    return RecordSet(key, timedelta(0), (f"as {key.set_identifier}",)) if key.set_identifier else None


class ObjectsZone:
    """Fulfils :class:`defib.ports.DnsZone` for the objects of `target`, which are to hold versions of `source`.

    A change is piecemeal: each object by itself. It compares what the object holds and then writes; whoever writes between
    the two keeps their version below the new one.
    """

    def __init__(self, target: WritableBucket, source: WritableBucket, sameness: Sameness) -> None:
        self._target, self._source, self._sameness = target, source, sameness

    @property
    def vendor(self) -> str:
        return OBJECT_VENDOR

    @property
    def zone(self) -> str:
        """Which bucket becomes as which."""
        return f"{self._target.name} as {self._source.name}"

    def read(self, keys: Sequence[RecordKey], *, within: Deadline) -> tuple[RecordSet | None, ...]:
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="defib-objects") as pool:
            return tuple(pool.map(lambda key: self._read(key, within), keys))

    def replace(self, changes: Sequence[RecordChange], *, within: Deadline) -> Receipt:
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="defib-objects") as pool:
            for future in [pool.submit(self._make, change, within) for change in changes]:
                future.result()
        return Receipt("")

    def settled(self, receipt: Receipt, *, within: Deadline) -> bool:
        """S3 is consistent as soon as it has answered: https://docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html."""
        del receipt, within
        return True

    def _read(self, key: RecordKey, within: Deadline) -> RecordSet | None:
        present = self._target.details(key.name, "", within=within)
        if present is None:
            return None
        return restored(key) if self._is_wanted(key, present, within) else holding(key, present.version)

    def _is_wanted(self, key: RecordKey, present: Details, within: Deadline) -> bool:
        if not key.set_identifier:
            return False
        if self._target.name == self._source.name and present.version == key.set_identifier:
            return True
        wanted = self._source.details(key.name, key.set_identifier, within=within)
        if wanted is None:
            raise NotFound("the version that is wanted is gone", where=self._source.where, seen=str(key))
        if wanted.headers != present.headers or wanted.tagged != present.tagged:
            return False
        ours, theirs = _listed(key.name, key.set_identifier, wanted), _listed(key.name, present.version, present)
        answer = self._sameness.of(ours, theirs, within)
        if answer.same is Same.UNKNOWN:
            raise Conflict("nobody can tell what the object holds", where=self._target.where, seen=f"{key}: {answer.why}")
        return answer.same is Same.YES

    def _make(self, change: RecordChange, within: Deadline) -> None:
        key = change.key
        present = self._read(key, within)
        if present == change.after:
            return
        if present != change.before:
            raise ForeignChange(
                f"somebody else changed {key.name}",
                where=self._target.where,
                expected=str(change.before or "nothing"),
                seen=str(present or "nothing"),
                then="find out who; then plan again",
            )
        if change.after is not None and change.after == restored(key):
            self._target.copy(key.name, self._source.name, key.set_identifier, within=within)
        elif change.before == restored(key):
            self._take_back(key, within)
        else:
            self._target.mark_deleted(key.name, within=within)

    def _take_back(self, key: RecordKey, within: Deadline) -> None:
        """Remove the version, or the marker, that a change has made: it is the newest, and what was wanted."""
        page = self._target.page(Cursor(key.name), within=within)
        newest = next((version for version in page.versions if version.key == key.name and version.latest), None)
        if newest is None or newest.marker != (not key.set_identifier):
            raise ForeignChange(
                f"somebody else changed {key.name}", where=self._target.where, expected=key.set_identifier or "a marker"
            )
        self._target.remove(key.name, newest.id, within=within)


def _listed(key: str, version: str, told: Details) -> Version:
    return Version(key, version, told.size, told.etag, told.modified, marker=False, latest=True)
