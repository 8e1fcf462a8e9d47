"""How a bucket is configured, as S3 tells it: one question for each part, since S3 has no answer to all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, TypeVar

from defib.clock import Deadline
from defib.errors import ProviderError
from defib.privilege.permission import Permission
from defib.providers.aws import AwsAccess, Clients
from defib.providers.aws_errors import asked, code_of
from defib.providers.bucket.rules import archivings_of, expiries_of, rules_of
from defib.replication.rules import BucketSettings, Rule

T = TypeVar("T")

_NOT_TOLD = {"AccessDenied", "403", "MethodNotAllowed", "NotImplemented"}
"""Codes for: not to these credentials, or not by this server; an answer to HEAD has no code but its status."""

_ABSENT = {
    "ReplicationConfigurationNotFoundError",
    "NoSuchLifecycleConfiguration",
    "ObjectLockConfigurationNotFoundError",
    "OwnershipControlsNotFoundError",
    "ServerSideEncryptionConfigurationNotFoundError",
    "NoSuchBucketPolicy",
}
"""Codes for: this was never configured. https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html"""

_DEFAULT_REGION = "us-east-1"
_AWS_MANAGED_KEY = "alias/aws/s3"


def permissions(bucket: str) -> tuple[Permission, ...]:
    """Every part of it, and its Region: HeadBucket goes by the permission to list."""
    of = (f"arn:aws:s3:::{bucket}",)
    return (
        Permission(
            (
                "s3:GetBucketVersioning",
                "s3:GetReplicationConfiguration",
                "s3:GetLifecycleConfiguration",
                "s3:GetBucketObjectLockConfiguration",
                "s3:GetBucketOwnershipControls",
                "s3:GetEncryptionConfiguration",
                "s3:GetBucketPolicy",
                "s3:ListBucket",
            ),
            of,
        ),
        Permission(("s3:GetBucketLocation",), of, why="asked where HeadBucket does not tell the Region"),
    )


class ConfiguredBucket:
    """Fulfils :class:`defib.replication.evidence.Configured`: a bucket in the one region that the site file names."""

    def __init__(self, bucket: str, access: AwsAccess) -> None:
        self.name = bucket
        self.where = f"s3://{bucket} ({access.region})"
        self._clients = access.clients("s3")

    def settings(self, *, within: Deadline) -> BucketSettings:
        """All parts, in some eight calls."""
        return read_settings(self.name, self.where, self._clients, within)


def read_settings(bucket: str, where: str, clients: Clients[Any], within: Deadline) -> BucketSettings:
    """How `bucket` is configured.

    What these credentials may not read is named in :attr:`BucketSettings.unread`, under the field's own name. Credentials
    that are not taken at all raise :class:`Denied`, as a bucket that does not exist raises :class:`NotFound`.
    """
    ask = _Questions(bucket, where, clients, within)
    versioning = ask.part("versioning", "get_bucket_versioning", _versioning) or ""
    role, rules = ask.part("rules", "get_bucket_replication", _replication) or ("", ())
    lifecycle = ask.part("expiries", "get_bucket_lifecycle_configuration", _lifecycle) or ()
    lock, retention = ask.part("lock", "get_object_lock_configuration", _lock) or (False, None)
    owner = ask.part("owner", "get_bucket_ownership_controls", _owner) or ""
    key, bucket_key = ask.part("kms_key", "get_bucket_encryption", _encryption) or ("", False)
    return BucketSettings(
        region=_region(ask),
        versioning=versioning,
        role=role,
        rules=rules,
        expiries=expiries_of(lifecycle),
        lock=lock,
        retention=retention,
        owner=owner,
        kms_key=key,
        bucket_key=bucket_key,
        archivings=archivings_of(lifecycle),
        policy=ask.part("policy", "get_bucket_policy", _policy) or "",
        unread=tuple(ask.unread.items()),
    )


class _Questions:
    """The questions about one bucket, and what was not told."""

    def __init__(self, bucket: str, where: str, clients: Clients[Any], within: Deadline) -> None:
        self.unread: dict[str, str] = {}
        self._bucket = bucket
        self._where = where
        self._clients = clients
        self._within = within

    def part(self, name: str, operation: str, read: Callable[[Any], T]) -> T | None:
        """What `read` makes of the answer; None where S3 says that there is none, and where it does not tell."""
        try:
            told = asked(
                lambda: getattr(self._clients.within(self._within), operation)(Bucket=self._bucket),
                self._within,
                operation.replace("_", " "),
                self._where,
            )
        except ProviderError as error:
            code = code_of(error.__cause__)
            if code in _NOT_TOLD:
                self.unread[name] = error.seen
            elif code not in _ABSENT:
                raise
            return None
        self.unread.pop(name, None)
        return read(told)


def _region(ask: _Questions) -> str:
    """HeadBucket is what AWS recommends for it, and needs another permission than GetBucketLocation.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLocation.html
    """
    region = ask.part("region", "head_bucket", lambda told: str(told.get("BucketRegion", "")))
    return region or ask.part("region", "get_bucket_location", _location) or ""


def _location(told: Mapping[str, Any]) -> str:
    # The oldest region has no constraint, and the second oldest had a name of its own.
    named = str(told.get("LocationConstraint") or _DEFAULT_REGION)
    return "eu-west-1" if named == "EU" else named


def _versioning(told: Mapping[str, Any]) -> str:
    return str(told.get("Status", ""))


def _lifecycle(told: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    return tuple(told["Rules"])


def _replication(told: Mapping[str, Any]) -> tuple[str, tuple[Rule, ...]]:
    configuration = told["ReplicationConfiguration"]
    return str(configuration["Role"]), rules_of(configuration["Rules"])


def _lock(told: Mapping[str, Any]) -> tuple[bool, timedelta | None]:
    configuration = told["ObjectLockConfiguration"]
    kept = configuration.get("Rule", {}).get("DefaultRetention", {})
    days = int(kept.get("Days") or 0) + 365 * int(kept.get("Years") or 0)
    return configuration.get("ObjectLockEnabled") == "Enabled", timedelta(days=days) if days else None


def _owner(told: Mapping[str, Any]) -> str:
    return str(told["OwnershipControls"]["Rules"][0]["ObjectOwnership"])


def _policy(told: Mapping[str, Any]) -> str:
    return str(told["Policy"])


def _encryption(told: Mapping[str, Any]) -> tuple[str, bool]:
    """The key, and whether it is asked for the whole bucket. Without one of its own a bucket uses S3's key in KMS."""
    rule = told["ServerSideEncryptionConfiguration"]["Rules"][0]
    default = rule.get("ApplyServerSideEncryptionByDefault", {})
    if not str(default.get("SSEAlgorithm", "")).startswith("aws:kms"):
        return "", False
    return str(default.get("KMSMasterKeyID") or _AWS_MANAGED_KEY), bool(rule.get("BucketKeyEnabled"))
