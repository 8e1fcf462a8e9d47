"""A bucket in moto's S3, used in process: what was put over the API is seen here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.s3.exceptions import S3ClientError
from moto.s3.models import FakeKey, S3Backend, s3_backends

from defib.lab.content import StoredObject


class Bucket:
    """One bucket, as S3's API holds it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._backend: S3Backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]

    def exists(self) -> bool:
        """Whether there is such a bucket."""
        try:
            self._backend.get_bucket(self.name)
        except S3ClientError:
            return False
        return True

    def create(self, region: str = "us-east-1") -> None:
        """Make the bucket; it must not exist."""
        self._backend.create_bucket(self.name, region)

    def let_everybody_read(self) -> None:
        """Give the bucket a policy under which its objects are read without a signature."""
        resource = f"arn:aws:s3:::{self.name}/*"
        statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": resource}
        policy = {"Version": "2012-10-17", "Statement": [statement]}
        self._backend.put_bucket_policy(self.name, json.dumps(policy).encode())

    def keep_private(self) -> None:
        """Keep every version of an object, encrypted, and nothing open to the public."""
        self._backend.put_bucket_versioning(self.name, "Enabled")
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}
        self._backend.put_bucket_encryption(self.name, {"Rule": rule})
        held: Any = self._backend.get_bucket(self.name)
        held.ownership_rule = "BucketOwnerEnforced"  # moto keeps the bare word, whatever the type says
        blocked = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
        self._backend.put_public_access_block(self.name, dict.fromkeys(blocked, "true"))

    def let_distribution_read(self, arn: str) -> None:
        """Let one distribution of CloudFront read releases, and learn that an object is missing.

        https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-restricting-access-to-s3.html
        """
        bucket = f"arn:aws:s3:::{self.name}"
        who = {"Principal": {"Service": "cloudfront.amazonaws.com"}, "Condition": {"StringEquals": {"AWS:SourceArn": arn}}}
        allow: dict[str, Any] = {"Effect": "Allow", **who}
        statements: list[dict[str, Any]] = [
            {"Sid": "DefibReadReleases", **allow, "Action": "s3:GetObject", "Resource": f"{bucket}/releases/*"},
            {"Sid": "DefibTellMissing", **allow, "Action": "s3:ListBucket", "Resource": bucket},
            {
                "Sid": "DefibTlsOnly",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": [bucket, f"{bucket}/*"],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            },
        ]
        policy = {"Version": "2012-10-17", "Statement": statements}
        self._backend.put_bucket_policy(self.name, json.dumps(policy).encode())

    def policy(self) -> dict[str, Any]:
        """The bucket's policy; empty where it has none."""
        held = self._backend.get_bucket(self.name).policy
        return dict(json.loads(held)) if held else {}

    def put(self, key: str, body: bytes, headers: Mapping[str, str]) -> datetime:
        """Put an object, and give the time of its last change as a listing tells it."""
        held = self._backend.put_object(self.name, key, body)
        held.set_metadata(dict(headers))
        return self._changed(held)

    def last_changed(self, key: str) -> datetime | None:
        """When the object was last written, None where there is none."""
        held = self._backend.get_object(self.name, key)
        return self._changed(held) if held is not None else None

    def _changed(self, held: FakeKey) -> datetime:
        changed: datetime = held.last_modified
        return (changed if changed.tzinfo else changed.replace(tzinfo=UTC)).replace(microsecond=0)

    def keys(self) -> tuple[str, ...]:
        """The keys of everything in it, sorted."""
        return tuple(sorted(self._backend.get_bucket(self.name).keys))

    def get(self, key: str) -> StoredObject | None:
        """The object as it stands now, None where there is none."""
        held = self._backend.get_object(self.name, key)
        if held is None:
            return None
        headers = {str(name).lower(): str(value) for name, value in held.metadata.items()}
        return StoredObject(
            key,
            held.value,
            headers.get("content-type", "binary/octet-stream"),
            headers.get("cache-control", ""),
        )
