"""The versions of objects in moto's S3, in process: found, put in their order, removed.

What they are is moto's: keys with a value, and delete markers. Oldest first, the last of a key is its current one.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.s3.models import FakeDeleteMarker, FakeKey, S3Backend, s3_backends

NULL = "null"
"""The version id of what was written while the bucket kept no versions."""


def backend() -> S3Backend:
    """Moto's S3 of the lab's account, which has the buckets of every region."""
    held: S3Backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
    return held


def bucket(name: str) -> Any | None:
    """Moto's bucket, None where there is none."""
    return backend().buckets.get(name)


def of_key(held: Any, key: str) -> list[Any]:
    """The versions of one key, oldest first, in a list of its own."""
    return list(held.keys.getlist(key, []))


def find(held: Any, key: str, version_id: str) -> Any | None:
    """One version, the current one where `version_id` is "", None where there is none."""
    versions = of_key(held, key)
    if not version_id:
        return versions[-1] if versions else None
    return next((each for each in versions if each.version_id == version_id), None)


def is_marker(version: Any) -> bool:
    """Whether it is a delete marker."""
    return isinstance(version, FakeDeleteMarker)


def is_object(version: Any) -> bool:
    """Whether it has content."""
    return isinstance(version, FakeKey)


def changed(version: Any) -> datetime:
    """When it was made."""
    at: datetime = version.last_modified
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def insert(held: Any, version: Any) -> None:
    """Put a version where its age says, in place of one with the same id.

    A replica keeps the creation time of its source, so one that comes late does not become the current one.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication.html
    """
    kept = [each for each in of_key(held, version.name) if each.version_id != version.version_id]
    younger = next((at for at, each in enumerate(kept) if changed(each) > changed(version)), len(kept))
    kept.insert(younger, version)
    held.keys.setlist(version.name, kept)


def remove(held: Any, key: str, version_id: str) -> None:
    """Take one version away. Idempotent."""
    kept = [each for each in of_key(held, key) if each.version_id != version_id]
    if kept:
        held.keys.setlist(key, kept)
    elif key in held.keys:
        _forget(held, key)


def _forget(held: Any, key: str) -> None:
    for each in of_key(held, key):
        if is_object(each):
            each.dispose()
    dict.pop(held.keys, key)  # moto's own pop disposes of markers, which cannot be


def sorted_keys(held: Any, prefix: str) -> Iterator[str]:
    """The keys that begin with `prefix`, in the order of their UTF-8 bytes, which is that of code points."""
    return iter(sorted(key for key in dict.keys(held.keys) if key.startswith(prefix)))
