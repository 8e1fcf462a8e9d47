"""What the role of a replication must be allowed, as its rules are, and which keys it works with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from defib.replication.authority import Key, Need, partition_of
from defib.replication.rules import BucketSettings, Rule, leading
from defib.sites.replication import Replicated

ENFORCED = "BucketOwnerEnforced"
"""The setting of a bucket whose owner owns all that is in it, replicas too, without a permission to change their owner.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-change-owner.html
"""

_AWS_MANAGED = "alias/aws/"
"""Keys that AWS keeps for a service: whoever may use the service may use them, and nobody can disable them.

https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#aws-managed-cmk
"""


def needs(
    pair: Replicated, source: BucketSettings, replica: BucketSettings | None, keys: Mapping[str, Key]
) -> tuple[Need, ...]:
    """What must be allowed on both buckets, and on those `keys`, by how they are called, that were found.

    What depends on a replica that could not be looked at (None) is left out.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/setting-repl-config-perm-overview.html
    """
    copying = _Copying(pair, source, replica, leading(source.rules, pair.replica.bucket))
    bucket = Need(("s3:GetReplicationConfiguration", "s3:ListBucket"), copying.arn(pair.source.bucket))
    return (bucket, *(need for prefix in pair.prefixes or ("",) for need in copying.needs(prefix, keys)))


def keys_at_source(pair: Replicated, source: BucketSettings) -> tuple[str, ...]:
    """The keys without which objects cannot be read; none where no rule is about such objects."""
    encrypted = any(rule.kms for rule in leading(source.rules, pair.replica.bucket))
    return (source.kms_key,) if encrypted and _is_ours(source.kms_key) else ()


def keys_at_replica(pair: Replicated, source: BucketSettings) -> tuple[str, ...]:
    """The keys without which replicas cannot be written, and later not be read."""
    named = (rule.kms_key for rule in leading(source.rules, pair.replica.bucket) if rule.kms)
    return tuple(dict.fromkeys(key for key in named if _is_ours(key)))


def _is_ours(key: str) -> bool:
    return bool(key) and not key.rpartition(":")[2].startswith(_AWS_MANAGED)


@dataclass(frozen=True)
class _Copying:
    """Both buckets, and the rules that lead from one to the other."""

    pair: Replicated
    source: BucketSettings
    replica: BucketSettings | None
    rules: tuple[Rule, ...]

    def arn(self, name: str) -> str:
        """The ARN of a bucket, or of objects, in the partition of the role: all of one replication are in the same."""
        return f"arn:{partition_of(self.source.role)}:s3:::{name}"

    def needs(self, prefix: str, keys: Mapping[str, Key]) -> Iterator[Need]:
        """All for the objects under one prefix."""
        yield from self._reading(self.arn(f"{self.pair.source.bucket}/{prefix}*"))
        yield self._writing(self.arn(f"{self.pair.replica.bucket}/{prefix}*"))
        yield from self._decrypting(prefix, keys)
        yield from self._encrypting(prefix, keys)

    def _reading(self, objects: str) -> Iterator[Need]:
        locked = ("s3:GetObjectRetention", "s3:GetObjectLegalHold") if self.source.lock else ()
        yield Need(("s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", *locked), objects)
        # To write tags comes with s3:ReplicateObject, and to read them does not.
        yield Need(("s3:GetObjectVersionTagging",), objects, without="tags are not replicated")
        if self.pair.account and not self.pair.batch_role:
            # https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-batch-replication-policies.html
            yield Need(("s3:InitiateReplication",), objects, without="no job of S3 Batch Replication can run")

    def _writing(self, objects: str) -> Need:
        markers = ("s3:ReplicateDelete",) if any(rule.markers for rule in self.rules) else ()
        asked = self.replica is not None and self.replica.owner != ENFORCED
        override = asked and any(rule.owner_changes for rule in self.rules)
        owner = ("s3:ObjectOwnerOverrideToBucketOwner",) if override else ()
        return Need(("s3:ReplicateObject", *markers, *owner), objects)

    def _decrypting(self, prefix: str, keys: Mapping[str, Key]) -> Iterator[Need]:
        # https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-config-for-kms-objects.html
        key = keys.get(self.source.kms_key)
        if key is not None and key.arn:
            yield Need(("kms:Decrypt",), key.arn, self._through(self.source, self.pair.source.bucket, prefix))

    def _encrypting(self, prefix: str, keys: Mapping[str, Key]) -> Iterator[Need]:
        for name in keys_at_replica(self.pair, self.source):
            key = keys.get(name)
            if self.replica is not None and key is not None and key.arn:
                yield Need(("kms:Encrypt",), key.arn, self._through(self.replica, self.pair.replica.bucket, prefix))

    def _through(self, settings: BucketSettings, bucket: str, prefix: str) -> tuple[tuple[str, str], ...]:
        """What conditions on a key see of S3: where it has one key for the whole bucket, the bucket and no object."""
        what = bucket if settings.bucket_key else f"{bucket}/{prefix}*"
        return (
            ("kms:ViaService", f"s3.{settings.region}.amazonaws.com"),
            ("kms:EncryptionContext:aws:s3:arn", self.arn(what)),
        )
