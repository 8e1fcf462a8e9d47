"""Two buckets, of which one is to hold what the other holds, as a comparison reaches them.

Terminology:

*version*
    One object under one key, with the id that S3 gave it; replication keeps the id
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication.html). A bucket that never had versions has the id
    ``null`` for all of them.
*marker*
    A version that says that the key was deleted; it has neither size nor ETag.
*within*
    The deadline of the whole call. A call that cannot end by then raises :class:`Unavailable`; a write may have landed.

Adapters raise :class:`Unavailable`, :class:`Denied`, :class:`NotFound` and :class:`Conflict` only. They neither retry nor
wait, and are called from several threads at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Protocol

from defib.clock import Deadline
from defib.replication.rules import BucketSettings

NULL = "null"
"""The id of a version that was written while its bucket kept no versions."""


class Version(NamedTuple):
    """One version as a listing gives it; a tuple, because there are millions of them.

    `etag` is without quotes. `modified` is when it was written at the source: replication keeps that too.
    """

    key: str
    id: str
    size: int
    etag: str
    modified: datetime
    marker: bool
    latest: bool


@dataclass(frozen=True)
class Cursor:
    """Where a listing goes on: after the key `after`, or within its versions after the id `version`; keys up to `until`.

    `versions` asks for every version; without it only for what each key holds now.
    """

    prefix: str = ""
    after: str = ""
    version: str = ""
    until: str = ""
    versions: bool = True


@dataclass(frozen=True)
class Page:
    """One page of a listing, in the order of S3: by key in UTF-8, newest first; `onwards` is None after the last."""

    versions: Sequence[Version]
    onwards: Cursor | None


class Status(StrEnum):
    """What S3 says of the replication of one version.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-status.html: `none` is no header at all, because no
    rule matched when the version was written.
    """

    NONE = ""
    PENDING = "PENDING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    REPLICA = "REPLICA"


@dataclass(frozen=True)
class Details:
    """What only the version itself tells.

    `checksums` are those of all its bytes, by algorithm; one of a multipart upload that is made of its parts' checksums is
    not among them. `plain` says that its ETag is the MD5 of its bytes: neither encrypted with a key of KMS or of a customer,
    nor uploaded in parts. `headers` are what it is served with, and its metadata. `storage` is its storage class, "" for the
    standard one; `frozen` says where nobody can read it before it is thawed, "" where it can be read.
    """

    size: int
    etag: str
    modified: datetime
    status: Status
    plain: bool
    version: str = ""
    checksums: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    tagged: int = 0
    storage: str = ""
    frozen: str = ""


@dataclass(frozen=True)
class Original:
    """A version that is to be copied, in the bucket of that name, with all that it tells."""

    bucket: str
    key: str
    version: str
    told: Details
    tags: Mapping[str, str] = field(default_factory=dict)


class Listing(Protocol):
    """Lists the versions of one bucket: the bucket itself, or what somebody wrote down of it."""

    @property
    def where(self) -> str:
        """The bucket as people name it, with its region: ``s3://bucket (eu-west-1)``."""
        ...

    def page(self, cursor: Cursor, *, within: Deadline) -> Page:
        """The page of the listing that begins at `cursor`. Idempotent."""
        ...


class Bucket(Listing, Protocol):
    """Reads one bucket."""

    @property
    def name(self) -> str:
        """The bucket's name."""
        ...

    def folders(self, prefix: str, *, within: Deadline) -> tuple[str, ...]:
        """The prefixes one level below `prefix`, each with its trailing slash, sorted: a thousand at most."""
        ...

    def details(self, key: str, version: str, *, within: Deadline) -> Details | None:
        """One version without its bytes, None where it is gone; of what the key holds now where `version` is ""."""
        ...

    def tags(self, key: str, version: str, *, within: Deadline) -> Mapping[str, str]:
        """The tags of one version."""
        ...

    def digest(self, key: str, version: str, *, within: Deadline) -> str:
        """The SHA-256 of all bytes of one version, in hexadecimal, read now and through a buffer; :class:`NotFound`."""
        ...

    def settings(self, *, within: Deadline) -> BucketSettings:
        """How the bucket is configured. Idempotent."""
        ...


class WritableBucket(Bucket, Protocol):
    """Reads and writes one bucket that keeps versions, so that nothing is ever written over."""

    def put(self, key: str, content: bytes, *, within: Deadline) -> str:
        """Put a small object; gives the id of its version. A second call makes a second version."""
        ...

    def copy(self, original: Original, *, within: Deadline) -> str:
        """Make it what the same key holds here now, with headers, metadata and tags, whatever its size.

        Gives the id of the new version. :class:`NotFound` where it is gone, :class:`Denied` where it is frozen.
        """
        ...

    def mark_deleted(self, key: str, *, within: Deadline) -> str:
        """Make the key hold nothing; gives the id of the marker. Its versions stay."""
        ...

    def remove(self, key: str, version: str, *, within: Deadline) -> None:
        """Remove one version or marker for good; no error where it is gone. Idempotent."""
        ...
