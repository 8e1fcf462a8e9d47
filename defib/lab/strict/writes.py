"""What one request did to the versions of its keys: which it made, which it removed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

from moto.s3.models import FakeDeleteMarker, FakeKey

from defib.lab.strict import versions
from defib.lab.strict.place import Place, written
from defib.lab.web import Request, Response

_SUSPENDED, _ENABLED = "Suspended", "Enabled"


@dataclass(frozen=True)
class Write:
    """The versions of every key that a request may write, as they were before it."""

    place: Place
    bucket: Any | None
    before: dict[str, tuple[Any, ...]]

    @classmethod
    def about(cls, request: Request) -> Write:
        """Look before `request` is handled."""
        place = Place.of(request)
        held = versions.bucket(place.bucket)
        keys = written(request) if held is not None else ()
        return cls(place, held, {key: tuple(versions.of_key(held, key)) for key in keys})

    def made(self) -> list[Any]:
        """The versions that were not there."""
        return [
            each
            for key, before in self.before.items()
            for each in versions.of_key(self.bucket, key)
            if not any(each is old for old in before)
        ]

    def removed(self) -> list[Any]:
        """The versions that are no longer there."""
        return [
            each
            for key, before in self.before.items()
            for each in before
            if not any(each is left for left in versions.of_key(self.bucket, key))
        ]


@contextmanager
def with_null_versions(write: Write, request: Request) -> Iterator[None]:
    """Let moto keep the old versions of a bucket whose versioning is suspended: by itself it forgets them all.

    What is written then has the version id "null", in place of what had it before.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/VersionSuspendedBehavior.html
    """
    held: Any = write.bucket
    about_objects = bool(write.place.key) or (request.method == "POST" and bool(write.before))
    if held is None or held.versioning_status != _SUSPENDED or not about_objects:
        yield
        return
    held.versioning_status = _ENABLED
    try:
        yield
    finally:
        held.versioning_status = _SUSPENDED
        for version in write.made():
            _make_null(held, version)


def _make_null(held: Any, version: Any) -> None:
    named_before, tagger = getattr(version, "arn", ""), versions.backend().tagger
    others = [
        each for each in versions.of_key(held, version.name) if each.version_id not in (versions.NULL, version.version_id)
    ]
    version._version_id = versions.NULL  # noqa: SLF001 - moto gives it no other way
    if versions.is_object(version):
        tagger.delete_all_tags_for_resource(version.arn)
        tagger.copy_tags(named_before, version.arn)
        tagger.delete_all_tags_for_resource(named_before)
    held.keys.setlist(version.name, [*others, version])


def mark_what_never_was(write: Write, request: Request) -> Response | None:
    """Delete a key that has no version: S3 makes a delete marker of that, moto does not."""
    held: Any = write.bucket
    plain = request.method == "DELETE" and write.place.key and not write.place.query
    if not plain or held is None or not held.versioning_status or write.before.get(write.place.key):
        return None
    marker = FakeDeleteMarker(cast("FakeKey", _Nothing(write.place.key)))
    marker._version_id = versions.NULL if held.versioning_status == _SUSPENDED else marker.version_id  # noqa: SLF001
    versions.insert(held, marker)
    return Response(204, (("x-amz-version-id", marker.version_id), ("x-amz-delete-marker", "true")))


@dataclass(frozen=True)
class _Nothing:
    """What a delete marker hides that hides nothing."""

    name: str


def told(write: Write, request: Request, response: Response) -> Response:
    """The answer with the ids of the versions that were made, and whether a delete marker was removed."""
    made = write.made() if write.place.key else []
    if made and response.header("x-amz-version-id"):
        response = response.with_headers(("x-amz-version-id", made[-1].version_id))
    if request.method == "DELETE" and any(versions.is_marker(each) for each in write.removed()):
        response = response.with_headers(("x-amz-delete-marker", "true"))
    return response
