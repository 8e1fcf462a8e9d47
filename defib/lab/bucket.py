"""A bucket in moto's S3, used in process: what was put over the API is seen here."""

from __future__ import annotations

import json

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.s3.models import S3Backend, s3_backends

from defib.lab.content import StoredObject


class Bucket:
    """One bucket, as S3's API holds it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._backend: S3Backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]

    def create(self) -> None:
        """Make the bucket; it must not exist."""
        self._backend.create_bucket(self.name, "us-east-1")

    def let_everybody_read(self) -> None:
        """Give the bucket a policy under which its objects are read without a signature."""
        resource = f"arn:aws:s3:::{self.name}/*"
        statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": resource}
        policy = {"Version": "2012-10-17", "Statement": [statement]}
        self._backend.put_bucket_policy(self.name, json.dumps(policy).encode())

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
