"""A bucket in moto's S3, used in process: the origin serves what the API holds."""

from __future__ import annotations

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.s3.models import S3Backend, s3_backends

from defib.lab.content import SiteBuild, StoredObject


class Bucket:
    """One bucket; what is put here is seen over S3's API, and the other way round."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._backend: S3Backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]

    def create(self) -> None:
        """Make the bucket; it must not exist."""
        self._backend.create_bucket(self.name, "us-east-1")

    def put(self, build: SiteBuild) -> None:
        """Put every object of a build, the page that refers to the others last."""
        for each in sorted(build.objects, key=lambda each: each.key == "index.html"):
            made = self._backend.put_object(self.name, each.key, each.body, disable_notification=True)
            made.set_metadata({"Content-Type": each.content_type, "Cache-Control": each.cache_control})

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
