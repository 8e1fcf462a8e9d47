"""One version copied to another bucket as S3 copies it: with its id, its creation time, its metadata and its tags.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-what-is-isnot-replicated.html
"""

from __future__ import annotations

import hashlib
from enum import Enum
from typing import Any

from moto.s3.models import FakeDeleteMarker, FakeKey

from defib.lab.replication.permissions import by_kms
from defib.lab.replication.rules import Rule
from defib.lab.replication.standing import make_replica
from defib.lab.strict import checksums, versions


class Damage(Enum):
    """What is wrong with a copy: one byte of it, which its ETag and checksum show or do not."""

    NONE = "none"
    SHOWN = "shown"
    HIDDEN = "hidden"


def copy(version: Any, rule: Rule, *, with_tags: bool, damage: Damage = Damage.NONE) -> None:
    """Put a replica of the version into the rule's destination."""
    destination: Any = versions.bucket(rule.destination)
    if versions.is_marker(version):
        replica: Any = FakeDeleteMarker(version.key)
        replica._version_id = version.version_id  # noqa: SLF001 - moto gives it no other way
    else:
        replica = _object(version, destination, rule, damage)
    replica.last_modified = version.last_modified
    make_replica(replica)
    versions.insert(destination, replica)
    if with_tags:
        copy_tags(version, replica)


def copy_metadata(version: Any, replica: Any, *, with_tags: bool) -> None:
    """Bring what may change of an object after it was written to its copy: tags, retention, legal hold."""
    replica.lock_mode, replica.lock_until = version.lock_mode, version.lock_until
    replica.lock_legal_status = version.lock_legal_status
    if with_tags:
        copy_tags(version, replica)


def copy_tags(version: Any, replica: Any) -> None:
    """Give the replica the tags of its source, and no others."""
    if versions.is_object(version):
        tagger = versions.backend().tagger
        tagger.delete_all_tags_for_resource(replica.arn)
        tagger.copy_tags(version.arn, replica.arn)


def _object(version: Any, destination: Any, rule: Rule, damage: Damage) -> Any:
    body = version.value if damage is Damage.NONE else _flipped(version.value)
    replica: Any = FakeKey(
        version.name,
        body,
        account_id=version.account_id,
        region_name=version.region_name,
        storage=rule.storage_class or version.storage_class,
        etag=_etag(version, body, rule, damage),
        is_versioned=True,
        version_id=version.version_id,
        multipart=version.multipart,
        bucket_name=destination.name,
        encryption=version.encryption,
        kms_key_id=rule.replica_key if by_kms(version) else version.kms_key_id,
        bucket_key_enabled=version.bucket_key_enabled,
        lock_mode=version.lock_mode,
        lock_legal_status=version.lock_legal_status,
        lock_until=version.lock_until,
    )
    replica.set_metadata(dict(version.metadata))
    replica.website_redirect_location = version.website_redirect_location
    replica.checksum_algorithm, replica.checksum_type = version.checksum_algorithm, version.checksum_type
    if damage is Damage.NONE:
        replica.kept_checksum = getattr(version, "kept_checksum", None)
    elif damage is Damage.HIDDEN:
        replica.kept_checksum = checksums.of(version)
    return replica


def _flipped(body: bytes) -> bytes:
    at = len(body) // 2
    return body[:at] + bytes((body[at] ^ 0x01,)) + body[at + 1 :] if body else body


def _etag(version: Any, body: bytes, rule: Rule, damage: Damage) -> str:
    """The source's; its own of a copy that shows its damage; of what is encrypted anew one that says nothing of the content.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html
    """
    kept: str = version.etag.strip('"')
    if by_kms(version):
        return opaque_etag(body, f"{rule.replica_key} {version.version_id}")
    parts = [size for _, size in checksums.parts_of(version)]
    if damage is not Damage.SHOWN:
        return kept
    return _of_parts(body, parts) if parts else hashlib.md5(body, usedforsecurity=False).hexdigest()


def opaque_etag(body: bytes, salt: str) -> str:
    """An ETag as objects have that KMS encrypts: no digest of the content."""
    return hashlib.md5(salt.encode() + body, usedforsecurity=False).hexdigest()


def _of_parts(body: bytes, sizes: list[int]) -> str:
    digests, at = b"", 0
    for size in sizes:
        digests += hashlib.md5(body[at : at + size], usedforsecurity=False).digest()
        at += size
    return f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(sizes)}"
