"""What S3 does and moto does not: bodies compared with their digests, reading by policy alone, lies."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Any
from urllib.parse import unquote

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.iam.access_control import PermissionResult
from moto.s3.exceptions import S3ClientError
from moto.s3.models import s3_backends

from defib.lab.strict import checksums
from defib.lab.strict.policy import Verdict, judge
from defib.lab.strict.xml import AwsError
from defib.lab.web import Request, Response

_FOR_MOTO = {
    Verdict.ALLOWED: PermissionResult.PERMITTED,
    Verdict.DENIED: PermissionResult.DENIED,
    Verdict.UNMENTIONED: PermissionResult.NEUTRAL,
}
_PAGE = 1000
_DIGEST = re.compile(r"[0-9a-f]{64}")
_CONTENTS = re.compile(rb"<(Contents|Version)>.*?</\1>", re.DOTALL)


def readable_by_all(request: Request) -> bool:
    """Whether an unsigned `request` reads an object that is there and whose bucket's policy lets everybody read it.

    To who may not list a bucket, S3 answers for an object that is not there as for one that is not theirs: with 403
    (https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html).
    """
    bucket, _, key = unquote(request.path).lstrip("/").partition("/")
    if "authorization" in request.headers or request.method not in ("GET", "HEAD") or not key:
        return False
    try:
        backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
        verdict = _verdict(backend.get_bucket(bucket), "s3:GetObject", f"arn:aws:s3:::{bucket}/{key}")
        return verdict is Verdict.ALLOWED and backend.get_object(bucket, key) is not None
    except S3ClientError:
        return False  # no such bucket


def judge_by_us(request: Request) -> None:
    """Let moto ask us, and not itself, what the policy of the bucket says that `request` is about."""
    held: Any = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets.get(unquote(request.path).lstrip("/").partition("/")[0])
    if held is not None:
        held.get_permission = lambda action, resource: _FOR_MOTO[_verdict(held, action, resource)]


def _verdict(bucket: Any, action: str, resource: str) -> Verdict:
    return judge(json.loads(bucket.policy or "{}"), action, resource)


def check_body(request: Request) -> None:
    """Refuse a body that is not what its headers say, as https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html.

    A payload that is signed as unsigned or in chunks has no digest of its own to compare.
    """
    signed = request.headers.get("x-amz-content-sha256", "")
    if _DIGEST.fullmatch(signed) and signed != hashlib.sha256(request.body).hexdigest():
        told = "The provided 'x-amz-content-sha256' header does not match what was computed."
        raise AwsError(400, "XAmzContentSHA256Mismatch", told)
    if "aws-chunked" in request.headers.get("content-encoding", ""):
        return
    made = base64.b64encode(hashlib.md5(request.body, usedforsecurity=False).digest()).decode()
    wrong = "Content-MD5" if request.headers.get("content-md5", made) != made else checksums.mismatch(request)
    if wrong:
        raise AwsError(400, "BadDigest", f"The {wrong} you specified did not match the calculated checksum.")


def in_pages(request: Request) -> Request:
    """The request with no more than a thousand keys asked for: S3 gives no more, whatever is asked."""
    asked = request.query.get("max-keys", "")
    if request.method != "GET" or not asked.isdigit() or int(asked) <= _PAGE:
        return request
    target = re.sub(r"(?<=[?&])max-keys=\d+", f"max-keys={_PAGE}", request.target)
    return Request(request.method, target, request.headers, request.body)


def without_last(response: Response) -> Response:
    """A listing without the last object that it should have; any other answer as it is."""
    found = list(_CONTENTS.finditer(response.body))
    if not found:
        return response
    body = response.body[: found[-1].start()] + response.body[found[-1].end() :]
    return Response(response.status, response.headers, body)


def lie(request: Request) -> Response | None:
    """The answer to a write that is not made; None for what is no write."""
    if request.method == "PUT":
        etag = hashlib.md5(request.body, usedforsecurity=False).hexdigest()
        return Response(200, (("ETag", f'"{etag}"'),))
    return Response(204) if request.method == "DELETE" else None
