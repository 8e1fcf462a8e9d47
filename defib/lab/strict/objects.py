"""S3's objects and versions as AWS has them, around moto, which keeps them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from defib.lab.replication import standing
from defib.lab.replication.copying import opaque_etag
from defib.lab.replication.engine import Replication
from defib.lab.replication.permissions import by_kms
from defib.lab.strict import attributes, checksums, conditions, objectlock, parts, s3, versions, writes
from defib.lab.strict.listing import VersionListing
from defib.lab.strict.place import Place
from defib.lab.strict.signature import region_of
from defib.lab.strict.writes import Write
from defib.lab.strict.xml import AwsError
from defib.lab.web import Request, Response

_OK = range(200, 300)
_OF_ANY_REGION = ("location",)
_OTHER_ANSWERS = {"acl", "attributes", "legal-hold", "retention", "tagging", "torrent", "uploadId"}
"""What GET gives of an object that is neither its content nor the fields beside it."""


class StrictObjects:
    """Answers every request to S3 that is signed rightly; what is written goes to `replication` as well."""

    def __init__(self, replication: Replication) -> None:
        self.replication = replication
        self._removed: dict[str, datetime] = {}
        self._listing = VersionListing(self._removed.get)

    async def through(self, request: Request, moto: Callable[[Request], Awaitable[Response]]) -> Response:
        """The answer, from here or from moto; the caller lets nobody else in meanwhile."""
        _check_region(request)
        conditions.check(request)
        answered = (
            self.replication.configurations.answer(request) or self._listing.answer(request) or objectlock.answer(request)
        )
        if answered is not None:
            return answered
        write = Write.about(request)
        response = attributes.answer(request) or writes.mark_what_never_was(write, request)
        if response is None:
            with writes.with_null_versions(write, request):
                response = await moto(parts.as_range(conditions.for_moto(s3.in_pages(request))))
        for version in filter(versions.is_object, write.made()):
            checksums.settle(version, request)
            response = _with_opaque_etag(version, response) if by_kms(version) else response
        self._removed |= {each.version_id: versions.changed(each) for each in write.removed()}
        self.replication.judge(write, request)
        return _told(write, request, response)


def _with_opaque_etag(version: Any, response: Response) -> Response:
    """Let the ETag be no digest of the content, which moto makes it, and the answer tell that one."""
    digest: str = version.etag.strip('"')
    version._etag = opaque = opaque_etag(version.value, version.version_id)  # noqa: SLF001 - moto gives it no other way
    headers = tuple((name, value.replace(digest, opaque)) for name, value in response.headers)
    return Response(response.status, headers, response.body.replace(digest.encode(), opaque.encode()))


def _check_region(request: Request) -> None:
    """A bucket is asked in its own Region: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html."""
    place, signed = Place.of(request), region_of(request)
    held = versions.bucket(place.bucket)
    anywhere = not signed or (not place.key and (any(each in place.query for each in _OF_ANY_REGION) or _creates(request)))
    if held is None or anywhere or held.region_name == signed:
        return
    told = f"The authorization header is malformed; the region '{signed}' is wrong; expecting '{held.region_name}'"
    headers = (("x-amz-bucket-region", held.region_name),)
    raise AwsError(400, "AuthorizationHeaderMalformed", told, headers, (("Region", held.region_name),))


def _creates(request: Request) -> bool:
    return request.method == "PUT" and not Place.of(request).query


def _told(write: Write, request: Request, response: Response) -> Response:
    response = writes.told(write, request, response)
    place = write.place
    of_object = request.method in ("GET", "HEAD") and bool(place.key) and not _OTHER_ANSWERS & place.query.keys()
    if not of_object or write.bucket is None or response.status not in _OK:
        return response
    version = versions.find(write.bucket, place.key, place.query.get("versionId", ""))
    if not versions.is_object(version):
        return response
    response = parts.told(request, checksums.told(request, response, version))
    said = standing.status(version)
    return response.with_headers(("x-amz-replication-status", said)) if said else response
