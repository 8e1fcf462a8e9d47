"""Two sorted listings side by side, key by key, in constant memory; told is only what differs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from defib.replication.port import Version

Keys = Iterator[tuple[str, list[Version]]]


@dataclass(frozen=True)
class Unlike:
    """The versions of one key that a listing does not show to be the same at both sides.

    `pairs` have the same id and not the same ETag and size; `here` are at the source alone, `there` at the replica alone.
    `latest` is what the key holds at the source, None where it is not there at all.
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
    key: str = ""
    """The last key that was seen at both sides or at one."""


def merged(source: Keys, replica: Keys, counted: Counted, each: Callable[[Version], None]) -> Iterator[Unlike]:
    """What differs, in the order of keys; `counted` goes on meanwhile. `each` is told of what is the same at both sides.

    Equal are versions of the same id, size and ETag: an ETag tells of the bytes, and where it does not (encrypted with a key
    of KMS, uploaded in other parts) it differs (https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html).
    """
    here, there = next(source, None), next(replica, None)
    while here is not None or there is not None:
        key = min(side[0] for side in (here, there) if side is not None)
        ours = here[1] if here is not None and here[0] == key else []
        theirs = there[1] if there is not None and there[0] == key else []
        counted.key = key
        counted.source += len(ours)
        counted.replica += len(theirs)
        unlike = _compared(key, ours, theirs, counted, each)
        if unlike is not None:
            yield unlike
        if ours:
            here = next(source, None)
        if theirs:
            there = next(replica, None)


def _compared(
    key: str, ours: list[Version], theirs: list[Version], counted: Counted, each: Callable[[Version], None]
) -> Unlike | None:
    by_id = {version.id: version for version in theirs}
    pairs: list[tuple[Version, Version]] = []
    lone: list[Version] = []
    for version in ours:
        counted.size += version.size
        other = by_id.pop(version.id, None)
        if other is None:
            lone.append(version)
        elif alike(version, other):
            counted.same += 1
            each(version)
        else:
            pairs.append((version, other))
    if not pairs and not lone and not by_id:
        return None
    latest = next((version for version in ours if version.latest), None)
    replica_latest = next((version for version in theirs if version.latest), None)
    return Unlike(key, tuple(pairs), tuple(lone), tuple(by_id.values()), latest, replica_latest)


def alike(one: Version, other: Version) -> bool:
    """Whether a listing shows that they are the same; where it does not, they may be all the same."""
    return one.size == other.size and one.etag == other.etag and one.marker == other.marker
