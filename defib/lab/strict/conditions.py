"""Conditions on reads, writes and copies that moto does not look at.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html
"""

from __future__ import annotations

from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from defib.lab.strict import versions
from defib.lab.strict.place import Place
from defib.lab.strict.xml import AwsError
from defib.lab.web import Request

_SOURCE = "x-amz-copy-source"


def check(request: Request) -> None:
    """Refuse a request one of whose conditions does not hold."""
    place = Place.of(request)
    held = versions.bucket(place.bucket)
    if not place.key or held is None:
        return
    if request.method == "GET":
        _not_a_marker(versions.find(held, place.key, place.query.get("versionId", "")), place)
    if _SOURCE in request.headers:
        _source(request)
    current = versions.find(held, place.key, "")
    if _SOURCE in request.headers or (request.method == "POST" and "uploadId" in place.query):
        _target(request, current)
    if request.method == "DELETE" and request.headers.get("if-match") == "*" and not versions.is_object(current):
        raise failed("If-Match")


def for_moto(request: Request) -> Request:
    """The request without a condition that moto takes for an ETag, once it was checked."""
    if request.method != "DELETE" or request.headers.get("if-match") != "*":
        return request
    headers = {name: value for name, value in request.headers.items() if name != "if-match"}
    return Request(request.method, request.target, headers, request.body)


def failed(condition: str) -> AwsError:
    """What S3 answers when a condition does not hold."""
    told = "At least one of the pre-conditions you specified did not hold"
    return AwsError(412, "PreconditionFailed", told, details=(("Condition", condition),))


def _not_a_marker(version: Any | None, place: Place) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/DeleteMarker.html."""
    if not versions.is_marker(version):
        return
    said: Any = version
    headers = (("x-amz-delete-marker", "true"), ("x-amz-version-id", said.version_id))
    if "versionId" in place.query:
        raise AwsError(405, "MethodNotAllowed", "The specified method is not allowed against this resource.", headers)
    raise AwsError(404, "NoSuchKey", "The specified key does not exist.", headers)


def source_of(request: Request) -> tuple[str, str, str]:
    """The bucket, the key and the version id that a copy names, "" for the current version."""
    named = urlsplit(request.headers[_SOURCE])
    bucket, _, key = unquote(named.path).removeprefix("/").partition("/")
    return bucket, key, parse_qs(named.query).get("versionId", [""])[0]


def _source(request: Request) -> None:
    bucket, key, version_id = source_of(request)
    held = versions.bucket(bucket)
    version: Any = versions.find(held, key, version_id) if held is not None else None
    if version_id and versions.is_marker(version):
        told = "The source of a copy request may not specifically refer to a delete marker by version id."
        raise AwsError(400, "InvalidRequest", told)
    if not versions.is_object(version):
        return  # moto says what is missing
    etag, changed = version.etag.strip('"'), versions.changed(version).replace(microsecond=0)
    match, none_match = (request.headers.get(f"{_SOURCE}-{name}", "").strip('"') for name in ("if-match", "if-none-match"))
    since, until = (_time(request, f"{_SOURCE}-{name}") for name in ("if-modified-since", "if-unmodified-since"))
    # With both, an ETag that matches outweighs a time that does not:
    # https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
    if (match and match != etag) or (until and changed > until and not match):
        raise failed(f"{_SOURCE}-If-Match")
    if (none_match and none_match == etag) or (since and changed <= since and not none_match):
        raise failed(f"{_SOURCE}-If-None-Match")


def _time(request: Request, header: str) -> datetime | None:
    return parsedate_to_datetime(request.headers[header]) if header in request.headers else None


def _target(request: Request, current: Any | None) -> None:
    there = versions.is_object(current)
    wanted = request.headers.get("if-match", "").strip('"')
    if wanted and not there:
        raise AwsError(404, "NoSuchKey", "The specified key does not exist.")
    held: Any = current
    if wanted and wanted != held.etag.strip('"'):
        raise failed("If-Match")
    if request.headers.get("if-none-match") == "*" and there:
        raise failed("If-None-Match")
