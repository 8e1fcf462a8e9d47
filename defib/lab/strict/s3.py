"""What S3 does and moto does not: reading without a signature by bucket policy alone, and writes that never happened."""

from __future__ import annotations

import hashlib
import json
from urllib.parse import unquote

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.s3.exceptions import S3ClientError
from moto.s3.models import s3_backends

from defib.lab.strict.policy import permits
from defib.lab.web import Request, Response


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
        policy = json.loads(backend.get_bucket(bucket).policy or "{}")
        allowed = permits(policy, "s3:GetObject", f"arn:aws:s3:::{bucket}/{key}")
        return allowed and backend.get_object(bucket, key) is not None
    except S3ClientError:
        return False  # no such bucket


def lie(request: Request) -> Response | None:
    """The answer to a write that is not made; None for what is no write."""
    if request.method == "PUT":
        etag = hashlib.md5(request.body, usedforsecurity=False).hexdigest()
        return Response(200, (("ETag", f'"{etag}"'),))
    return Response(204) if request.method == "DELETE" else None
