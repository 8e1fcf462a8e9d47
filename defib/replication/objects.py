"""What keys of a bucket hold, as a plan can change it: each is to hold a version of another bucket, or of its own past.

The key of a record is the object's, its set identifier the version that it is to hold, "" where it is to hold nothing. Its
value says what it holds: ``as <version>`` where those bytes are what was wanted, else ``version <id>``; nothing is None. A
plan says exactly which object becomes which version, and a run that was killed among a hundred copies sees which are made.

The bucket keeps versions, so that nothing is ever written over. Taking a change back removes the version that it made, or
the marker, and what was there before stands again: nothing is removed that somebody else made, though it be exactly alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from shlex import quote

from defib.clock import Deadline
from defib.errors import Conflict, ForeignChange, Interrupted, NotFound, ProviderError, Unavailable
from defib.plan import OBJECT_VENDOR
from defib.ports import Receipt, RecordChange, RecordKey, RecordSet
from defib.replication.allowance import Allowance
from defib.replication.made import Made
from defib.replication.port import NULL, Cursor, Details, Original, Version, WritableBucket
from defib.replication.sameness import Same, Sameness

OBJECT = "OBJECT"
"""The type under which an object stands in a plan."""

_AT_ONCE = 16

_FOLLOWING = timedelta(seconds=30)
"""For removing in the other region what was removed here."""

_AHEAD = timedelta(seconds=5)
"""For the same of one version before it is removed here: what is not removed by then is removed afterwards."""

_PAUSES = tuple(timedelta(seconds=seconds) for seconds in (0.5, 1, 2, 4, 8, 16))
"""Between two attempts to write one object: S3 asks for less, and says so with 503, whenever there is much to do.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html
"""


_ANY = 2**62
_VERSION = "version "


def object_key(key: str, wanted: str) -> RecordKey:
    """The key under which an object stands in a plan that wants the version `wanted` of it, "" for none."""
    return RecordKey(key, OBJECT, wanted)


def holding(key: RecordKey, version: str) -> RecordSet:
    """An object that holds a version of its own."""
    return RecordSet(key, timedelta(0), (f"{_VERSION}{version or NULL}",))


def restored(key: RecordKey) -> RecordSet | None:
    """An object as the plan wants it."""
    return RecordSet(key, timedelta(0), (f"as {key.set_identifier}",)) if key.set_identifier else None


class ObjectsZone:
    """Fulfils :class:`defib.ports.DnsZone` for the objects of `target`, which are to hold versions of `source`.

    A change is piecemeal: each object by itself. It compares what the object holds and then writes; whoever writes between
    the two keeps their version below the new one. What is made is told to `made`, and that alone is taken back. It is
    replicated to the `followers` under the same id, and its removal is not, so that it is removed there as well:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-what-is-isnot-replicated.html
    """

    def __init__(
        self,
        target: WritableBucket,
        source: WritableBucket,
        sameness: Sameness,
        made: Made,
        followers: Sequence[WritableBucket] = (),
    ) -> None:
        self._target, self._source, self._sameness, self._followers = target, source, sameness, followers
        self._unread = replace(sameness, allowance=Allowance(_ANY, 0))
        self._made = made
        self._away: set[str] = set()

    @property
    def vendor(self) -> str:
        return OBJECT_VENDOR

    @property
    def zone(self) -> str:
        """Which bucket becomes as which."""
        return f"{self._target.name} as {self._source.name}"

    def read(self, keys: Sequence[RecordKey], *, within: Deadline) -> tuple[RecordSet | None, ...]:
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="defib-objects") as pool:
            return tuple(pool.map(lambda key: self._seen(key, within), keys))

    def replace(self, changes: Sequence[RecordChange], *, within: Deadline) -> Receipt:
        """Write each object; what cannot be written keeps none of the others from it, and is raised in the end."""
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="defib-objects") as pool:
            written = [pool.submit(self._write, change, within) for change in changes]
        self._made.flush()
        failed = [error for future in written if (error := future.exception()) is not None]
        crashed = next((error for error in failed if not isinstance(error, Exception)), None)
        if crashed is not None:
            raise crashed
        removed = [version for future in written if future.exception() is None for version in future.result()]
        found = (self._let_follow(each, removed, within.sooner(_FOLLOWING)) for each in self._followers)
        left = [each for each in found if each is not None]
        if failed or left:
            raise _as_one(failed, left)
        return Receipt("")

    def settled(self, receipt: Receipt, *, within: Deadline) -> bool:
        """S3 is consistent as soon as it has answered: https://docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html."""
        del receipt, within
        return True

    def look(self, key: RecordKey, within: Deadline) -> RecordSet | None:
        """What one object holds, and whether that is what is wanted of it, by its bytes where nothing else tells.

        :class:`Conflict` where nobody can tell.
        """
        present = self._target.details(key.name, "", within=within)
        if present is None:
            return None
        return restored(key) if self._is_wanted(key, present, within) else holding(key, present.version)

    def looked_at(self, keys: Sequence[RecordKey], within: Deadline) -> tuple[RecordSet | None, ...]:
        """What some objects hold, each as :meth:`look` says."""
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="defib-objects") as pool:
            return tuple(pool.map(lambda key: self.look(key, within), keys))

    def _seen(self, key: RecordKey, within: Deadline) -> RecordSet | None:
        """The same by what it is called, and its bytes are not read: that may take longer than a write is waited for.

        What S3 said that it made of the wanted version counts as that, until somebody looks at it. Only what was begun, and
        whose answer never came, is looked at here.
        """
        present = self._target.details(key.name, "", within=within)
        if present is None:
            return None
        written = self._made.of(self._target.name, key)
        if key.set_identifier and present.version in written.ids:
            return restored(key)
        wanted = self._is_wanted(key, present, within, read=written.unnamed > 0)
        return restored(key) if wanted else holding(key, present.version)

    def _is_wanted(self, key: RecordKey, present: Details, within: Deadline, *, read: bool = True) -> bool:
        if not key.set_identifier:
            return False
        if self._target.name == self._source.name and present.version == key.set_identifier:
            return True
        return self._is_like(key, self._wanted(key, within), present, within, read=read)

    def _wanted(self, key: RecordKey, within: Deadline) -> Details:
        wanted = self._source.details(key.name, key.set_identifier, within=within)
        if wanted is None:
            raise NotFound("the version that is wanted is gone", where=self._source.where, seen=str(key))
        return wanted

    def _is_like(self, key: RecordKey, wanted: Details, present: Details, within: Deadline, *, read: bool = True) -> bool:
        """Whether both hold the same; without `read` what is to be seen without their bytes."""
        if wanted.headers != present.headers or wanted.tagged != present.tagged:
            return False
        ours, theirs = _listed(key.name, key.set_identifier, wanted), _listed(key.name, present.version, present)
        answer = (self._sameness if read else self._unread).of(ours, theirs, within)
        if answer.same is Same.UNKNOWN and read:
            raise Conflict("nobody can tell what the object holds", where=self._target.where, seen=f"{key}: {answer.why}")
        return answer.same is Same.YES and (not wanted.tagged or self._tags_are_alike(key, present.version, within))

    def _tags_are_alike(self, key: RecordKey, present: str, within: Deadline) -> bool:
        ours = self._source.tags(key.name, key.set_identifier, within=within)
        return ours == self._target.tags(key.name, present, within=within)

    def _write(self, change: RecordChange, within: Deadline) -> Sequence[Version]:
        """Write one object; while S3 cannot answer, look what became of it, and write again where nothing did.

        Gives what was removed.
        """
        for pause in _PAUSES:
            try:
                return self._make(change, within)
            except Unavailable as error:
                if within.remaining() <= pause:
                    raise
                within.clock.sleep(max(pause, error.retry_after or pause))
        return self._make(change, within)

    def _make(self, change: RecordChange, within: Deadline) -> Sequence[Version]:
        key = change.key
        present = self._seen(key, within)
        if present == change.after:
            return ()
        if present != change.before:
            raise self._foreign(key, str(change.before or "nothing"), str(present or "nothing"))
        if change.after is not None and change.after == restored(key):
            self._copy(key, within)
        elif change.before == restored(key):
            return self._take_back(key, change.after, within)
        else:
            self._made.begin(self._target.name, key)
            self._made.tell(self._target.name, key, self._target.mark_deleted(key.name, within=within))
        return ()

    def _copy(self, key: RecordKey, within: Deadline) -> None:
        wanted = self._wanted(key, within)
        tags = self._source.tags(key.name, key.set_identifier, within=within) if wanted.tagged else {}
        original = Original(self._source.name, key.name, key.set_identifier, wanted, tags)
        self._made.begin(self._target.name, key)
        self._made.tell(self._target.name, key, self._target.copy(original, within=within))

    def _take_back(self, key: RecordKey, before: RecordSet | None, within: Deadline) -> Sequence[Version]:
        """Remove what this run made above what the object held before. Whatever else stands there is somebody's."""
        page = self._target.page(Cursor(key.name), within=within)
        mine = [version for version in page.versions if version.key == key.name]
        above = mine[: _height(mine, before)]
        foreign = self._of_others(key, above, within)
        if not above or foreign:
            seen = ", ".join(f"{'marker' if each.marker else 'version'} {each.id}" for each in foreign or mine[:1])
            raise self._foreign(key, f"only what this run made above {before or 'nothing'}", seen or "nothing")
        for version in above:
            self._remove_ahead(version, within)
            self._target.remove(key.name, version.id, within=within)
        return above

    def _of_others(self, key: RecordKey, above: Sequence[Version], within: Deadline) -> Sequence[Version]:
        """Those that this run has not made; of one whose answer never came, the one that is like it counts as made."""
        written = self._made.of(self._target.name, key)
        unnamed = [version for version in above if version.id not in written.ids]
        if len(unnamed) <= written.unnamed and all(self._may_be_made(key, version, within) for version in unnamed):
            return ()
        return unnamed

    def _remove_ahead(self, version: Version, within: Deadline) -> None:
        """Remove it at the followers before it is gone here: a process that dies in between comes back for it.

        Afterwards they are asked once more, as it may arrive for as long as it is here; then whoever is away is told of.
        """
        for follower in self._followers:
            if follower.name in self._away:
                continue
            try:
                follower.remove(version.key, version.id, within=within.sooner(_AHEAD))
            except ProviderError:
                self._away.add(follower.name)

    def _let_follow(self, follower: WritableBucket, removed: Sequence[Version], within: Deadline) -> Conflict | None:
        """Remove there what was removed here. A region that is away keeps nothing from being put back, and is told of."""
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="defib-follow") as pool:
            asked = [pool.submit(follower.remove, each.key, each.id, within=within) for each in removed]
        left: list[tuple[Version, ProviderError]] = []
        for version, future in zip(removed, asked, strict=True):
            try:
                future.result()
            except ProviderError as error:
                left.append((version, error))
        if not left:
            return None
        by_hand = f"aws s3api delete-object --bucket {follower.name}"
        return Conflict(
            f"put back; but {follower.where} still has {len(left)} versions that were taken back here",
            where=self._target.where,
            seen=str(left[0][1]),
            then="; ".join(f"{by_hand} --key {quote(each.key)} --version-id {each.id}" for each, _ in left),
        )

    def _may_be_made(self, key: RecordKey, version: Version, within: Deadline) -> bool:
        """Whether a change to `key` makes such a version: a copy has an id of its own.

        The wanted one itself was there before, in its own bucket; in another one replication has brought it meanwhile.
        """
        if not key.set_identifier or version.marker:
            return version.marker and not key.set_identifier
        if version.id == key.set_identifier:
            return False
        told = self._target.details(key.name, version.id, within=within)
        return told is not None and self._is_like(key, self._wanted(key, within), told, within)

    def _foreign(self, key: RecordKey, expected: str, seen: str) -> ForeignChange:
        return ForeignChange(
            f"somebody else changed {key.name}",
            where=self._target.where,
            expected=expected,
            seen=seen,
            then="find out who; then plan again",
        )


def _as_one(failed: Sequence[BaseException], left: Sequence[Conflict]) -> BaseException:
    """The first of what went wrong, with what is `left` in the other region beside it."""
    first = next((error for error in failed if isinstance(error, Interrupted)), failed[0] if failed else left[0])
    if isinstance(first, Interrupted) or not (left and failed):
        return first
    return Conflict(f"{first}; {left[0].what}", where=left[0].where, seen=left[0].seen, then=left[0].then)


def _listed(key: str, version: str, told: Details) -> Version:
    return Version(key, version, told.size, told.etag, told.modified, marker=False, latest=True)


def _height(versions: Sequence[Version], before: RecordSet | None) -> int:
    """How many of the versions of a key, newest first, stand above what it held before; 0 where that is gone."""
    if before is None:
        return next((number for number, each in enumerate(versions) if each.marker), len(versions))
    ids = [f"{_VERSION}{each.id}" for each in versions]
    return ids.index(before.values[0]) if before.values[0] in ids else 0
