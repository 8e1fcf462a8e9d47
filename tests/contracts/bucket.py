"""What every :class:`defib.replication.port.WritableBucket` keeps, whatever is behind it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from defib.clock import Clock, Deadline, SystemClock
from defib.errors import NotFound, Unavailable
from defib.replication.listing import versions
from defib.replication.port import Cursor, Original, Version, WritableBucket

PREFIX = "contract/"
"""Below it nothing is when a test begins."""

STRANGE = ("a b", "a+b", "a%2Fb", "ä", "a//b", "a/", "z\N{GRINNING FACE}", "quote\"'<&>")


@dataclass(frozen=True)
class BucketWorld:
    """A bucket that keeps versions, and another that it may copy from."""

    bucket: WritableBucket
    other: WritableBucket
    clock: Clock = field(default_factory=SystemClock)

    @property
    def soon(self) -> Deadline:
        """A deadline that is far enough."""
        return Deadline.after(self.clock, timedelta(seconds=20))

    def listed(self, prefix: str = PREFIX, *, of_all: bool = True) -> list[Version]:
        """Everything below a prefix."""
        keys = versions(self.bucket, Cursor(prefix, versions=of_all), self.soon)
        return [version for _, held in keys for version in held]


class BucketContract:
    """Subclass with a fixture `world`."""

    @pytest.fixture
    def world(self) -> Iterator[BucketWorld]:
        """The bucket under test; each adapter's class gives its own."""
        raise NotImplementedError

    def test_versions_are_listed_newest_first(self, world: BucketWorld) -> None:
        """The newest is what the key holds now, and ids are those that a write gave."""
        first = world.bucket.put(f"{PREFIX}a", b"1", within=world.soon)
        second = world.bucket.put(f"{PREFIX}a", b"22", within=world.soon)
        found = world.listed()
        assert [(each.id, each.size, each.latest, each.marker) for each in found] == [
            (second, 2, True, False),
            (first, 1, False, False),
        ]
        assert abs(found[0].modified - world.clock.now()) < timedelta(seconds=10)

    def test_without_versions_only_what_keys_hold_is_listed(self, world: BucketWorld) -> None:
        """A deleted key is not there, and none has an id."""
        world.bucket.put(f"{PREFIX}a", b"1", within=world.soon)
        world.bucket.put(f"{PREFIX}a", b"2", within=world.soon)
        world.bucket.put(f"{PREFIX}b", b"3", within=world.soon)
        world.bucket.mark_deleted(f"{PREFIX}b", within=world.soon)
        assert [(each.key, each.id) for each in world.listed(of_all=False)] == [(f"{PREFIX}a", "")]

    def test_a_deletion_is_a_marker_and_removing_it_brings_back(self, world: BucketWorld) -> None:
        """Nothing is lost by a marker."""
        version = world.bucket.put(f"{PREFIX}a", b"1", within=world.soon)
        marker = world.bucket.mark_deleted(f"{PREFIX}a", within=world.soon)
        assert [(each.id, each.marker, each.latest) for each in world.listed()] == [
            (marker, True, True),
            (version, False, False),
        ]
        assert world.bucket.details(f"{PREFIX}a", "", within=world.soon) is None
        world.bucket.remove(f"{PREFIX}a", marker, within=world.soon)
        told = world.bucket.details(f"{PREFIX}a", "", within=world.soon)
        assert told is not None
        assert (told.version, told.size) == (version, 1)

    def test_removing_is_for_good_and_may_be_repeated(self, world: BucketWorld) -> None:
        """One version, and no other."""
        first = world.bucket.put(f"{PREFIX}a", b"1", within=world.soon)
        second = world.bucket.put(f"{PREFIX}a", b"2", within=world.soon)
        for _ in range(2):
            world.bucket.remove(f"{PREFIX}a", second, within=world.soon)
        assert [each.id for each in world.listed()] == [first]

    @pytest.mark.parametrize("key", STRANGE)
    def test_strange_keys_come_back_as_they_are(self, world: BucketWorld, key: str) -> None:
        """Listed, asked for, read."""
        version = world.bucket.put(PREFIX + key, b"1", within=world.soon)
        assert [each.key for each in world.listed()] == [PREFIX + key]
        assert world.bucket.details(PREFIX + key, version, within=world.soon) is not None
        assert len(world.bucket.digest(PREFIX + key, version, within=world.soon)) == 64

    def test_a_listing_begins_and_ends_where_it_is_told(self, world: BucketWorld) -> None:
        """After one key, up to another: what ranges are made of."""
        for name in "abcd":
            world.bucket.put(PREFIX + name, b"1", within=world.soon)
        cursor = Cursor(PREFIX, after=f"{PREFIX}a", until=f"{PREFIX}c")
        found = [key for key, _ in versions(world.bucket, cursor, world.soon)]
        assert found == [f"{PREFIX}b", f"{PREFIX}c"]

    def test_folders_are_one_level_below(self, world: BucketWorld) -> None:
        """Sorted, with their slash, and without what is no folder."""
        for name in ("x/1", "x/2/3", "a b/1", "top"):
            world.bucket.put(PREFIX + name, b"1", within=world.soon)
        assert world.bucket.folders(PREFIX, within=world.soon) == (f"{PREFIX}a b/", f"{PREFIX}x/")

    def test_a_copy_has_the_bytes_and_a_new_id(self, world: BucketWorld) -> None:
        """Of an older version, from another bucket, over what was there; which stays below it."""
        old = world.other.put(f"{PREFIX}a", b"old", within=world.soon)
        world.other.put(f"{PREFIX}a", b"new", within=world.soon)
        before = world.bucket.put(f"{PREFIX}a", b"mine", within=world.soon)
        told = world.other.details(f"{PREFIX}a", old, within=world.soon)
        assert told is not None
        copied = world.bucket.copy(Original(world.other.name, f"{PREFIX}a", old, told), within=world.soon)
        assert [each.id for each in world.listed()] == [copied, before]
        here = world.bucket.digest(f"{PREFIX}a", "", within=world.soon)
        assert here == world.other.digest(f"{PREFIX}a", old, within=world.soon)

    def test_what_is_gone_is_told(self, world: BucketWorld) -> None:
        """None where a question may be asked in vain, NotFound where bytes are wanted."""
        version = world.bucket.put(f"{PREFIX}a", b"1", within=world.soon)
        told = world.bucket.details(f"{PREFIX}a", version, within=world.soon)
        assert told is not None
        world.bucket.remove(f"{PREFIX}a", version, within=world.soon)
        assert world.bucket.details(f"{PREFIX}a", version, within=world.soon) is None
        with pytest.raises(NotFound):
            world.bucket.digest(f"{PREFIX}a", version, within=world.soon)
        with pytest.raises(NotFound):
            world.other.copy(Original(world.bucket.name, f"{PREFIX}a", version, told), within=world.soon)

    def test_a_spent_deadline_asks_nothing(self, world: BucketWorld) -> None:
        """Every call is bounded."""
        with pytest.raises(Unavailable):
            world.bucket.page(Cursor(), within=Deadline(world.clock, world.clock.monotonic()))
