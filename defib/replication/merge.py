"""Two sorted listings side by side, key by key, in constant memory; told is only what differs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from defib.replication.port import Version

Keys = Iterator[tuple[str, list[Version]]]
"""Keys in their order, each with versions of it, newest first."""

KEPT = 10_000
"""So many versions of one key wait at each side for the one of the same id at the other, which comes close by: both sides
are in the order of the times at which they were written."""


@dataclass(frozen=True)
class Unlike:
    """The versions of one key that a listing does not show to be the same at both sides.

    `pairs` have the same id and not the same ETag and size; `here` are at the source alone, `there` at the replica alone.
    `latest` is what the key holds at the source, None where it is not there at all. Of a key with more than :data:`KEPT` of
    them there may be several of these, the oldest versions last.
    """

    key: str
    pairs: tuple[tuple[Version, Version], ...]
    here: tuple[Version, ...]
    there: tuple[Version, ...]
    latest: Version | None
    replica_latest: Version | None


@dataclass
class Counted:
    """How many versions were seen at each side, their bytes at the source, and how many the listing shows to be the same."""

    source: int = 0
    replica: int = 0
    size: int = 0
    same: int = 0


def merged(source: Keys, replica: Keys, counted: Counted, each: Callable[[Version], None]) -> Iterator[Unlike]:
    """What differs, in the order of keys; `counted` goes on meanwhile. `each` is told of what is the same at both sides.

    A key with many versions may come in several pieces. Equal are versions of the same id, size and ETag: an ETag tells of
    the bytes, and where it does not (encrypted with a key of KMS, uploaded in other parts) it differs
    (https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html).
    """
    here, there = _Side(source), _Side(replica)
    while here.head is not None or there.head is not None:
        if here.head is not None and there.head is not None and _all_alike(here.head, there.head):
            counted.replica += len(there.head[1])
            _count(here.head[1], counted, each)
            here.turn()
            there.turn()
        else:
            key = min(side.head[0] for side in (here, there) if side.head is not None)
            matching = _Matching(key, here.latest(key), there.latest(key), counted, each)
            yield from _matched(matching, here, there)


class _Side:
    """One listing; `head` is the piece that comes next, None after the last."""

    def __init__(self, pieces: Keys) -> None:
        self._pieces = pieces
        self.head = next(pieces, None)

    def turn(self) -> None:
        """The next piece becomes the head."""
        self.head = next(self._pieces, None)

    def of(self, key: str) -> list[Version]:
        """The versions of the head; nothing where it is of another key."""
        return self.head[1] if self.head is not None and self.head[0] == key else []

    def latest(self, key: str) -> Version | None:
        """What the key holds; None where it holds nothing, or the head is of another key."""
        return next((version for version in self.of(key) if version.latest), None)


def _all_alike(ours: tuple[str, list[Version]], theirs: tuple[str, list[Version]]) -> bool:
    """Whether two pieces are of one key, and hold the same versions in the same order."""
    if ours == theirs:  # as S3 replicates, down to the time at which it was written
        return True
    if ours[0] != theirs[0] or len(ours[1]) != len(theirs[1]):
        return False
    return all(one.id == other.id and alike(one, other) for one, other in zip(ours[1], theirs[1], strict=True))


def _count(versions: list[Version], counted: Counted, each: Callable[[Version], None]) -> None:
    counted.source += len(versions)
    counted.same += len(versions)
    for version in versions:
        counted.size += version.size
        each(version)


def _matched(matching: _Matching, here: _Side, there: _Side) -> Iterator[Unlike]:
    """All pieces of one key, of both sides in the order of time, so that what belongs together comes close by."""
    while True:
        ours, theirs = here.of(matching.key), there.of(matching.key)
        if ours and not (theirs and theirs[0].modified > ours[0].modified):
            matching.here(ours)
            here.turn()
        elif theirs:
            matching.there(theirs)
            there.turn()
        else:
            break
        if matching.waiting > 2 * KEPT:
            yield from matching.told(KEPT)
    yield from matching.told(0)


class _Matching:
    """Versions of one key that wait for the one of the same id at the other side."""

    def __init__(
        self,
        key: str,
        latest: Version | None,
        replica_latest: Version | None,
        counted: Counted,
        each: Callable[[Version], None],
    ) -> None:
        self.key, self._latest, self._replica_latest = key, latest, replica_latest
        self._counted, self._each = counted, each
        self._pairs: list[tuple[Version, Version]] = []
        self._here: dict[str, Version] = {}
        self._there: dict[str, Version] = {}

    @property
    def waiting(self) -> int:
        """How many are in memory."""
        return len(self._pairs) + len(self._here) + len(self._there)

    def here(self, versions: list[Version]) -> None:
        """The next versions at the source."""
        self._counted.source += len(versions)
        for version in versions:
            self._counted.size += version.size
            other = self._there.pop(version.id, None)
            if other is None:
                self._here[version.id] = version
            else:
                self._met(version, other)

    def there(self, versions: list[Version]) -> None:
        """The next versions at the replica."""
        self._counted.replica += len(versions)
        for version in versions:
            other = self._here.pop(version.id, None)
            if other is None:
                self._there[version.id] = version
            else:
                self._met(other, version)

    def told(self, keep: int) -> Iterator[Unlike]:
        """What is not alike, but for the `keep` versions of each side that came last; it waits no more."""
        pairs, here, there = tuple(self._pairs), _first(self._here, keep), _first(self._there, keep)
        self._pairs.clear()
        if pairs or here or there or (keep == 0 and self._hold_others()):
            yield Unlike(self.key, pairs, here, there, self._latest, self._replica_latest)

    def _hold_others(self) -> bool:
        """Whether the key holds one version here and another there: of one second, they may be in another order."""
        here, there = self._latest, self._replica_latest
        return here is not None and there is not None and here.id != there.id

    def _met(self, ours: Version, theirs: Version) -> None:
        if alike(ours, theirs):
            self._counted.same += 1
            self._each(ours)
        else:
            self._pairs.append((ours, theirs))


def _first(waiting: dict[str, Version], keep: int) -> tuple[Version, ...]:
    """All but the last ones, which are taken out."""
    return tuple(waiting.pop(ident) for ident in list(waiting)[: max(0, len(waiting) - keep)])


def alike(one: Version, other: Version) -> bool:
    """Whether a listing shows that they are the same; where it does not, they may be all the same."""
    return one.size == other.size and one.etag == other.etag and one.marker == other.marker
