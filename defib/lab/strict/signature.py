"""AWS Signature Version 4, checked: moto takes any key and any signature.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote, urlsplit

from defib.lab.strict.xml import AwsError
from defib.lab.web import Request

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<date>\d{8})/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request,"
    r"\s*SignedHeaders=(?P<signed>[^,]+),\s*Signature=(?P<signature>[0-9a-f]+)"
)

_BORNE = timedelta(minutes=15)
"""By how much a client's clock may be wrong: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html."""


@dataclass(frozen=True)
class Credentials:
    """An access key and its secret."""

    access_key: str
    secret_key: str


def service_of(request: Request) -> str:
    """The service of the credential scope, "" for a request that is not signed."""
    match = _AUTHORIZATION.match(request.headers.get("authorization", ""))
    return match["service"] if match else ""


def region_of(request: Request) -> str:
    """The Region of the credential scope, "" for a request that is not signed."""
    match = _AUTHORIZATION.match(request.headers.get("authorization", ""))
    return match["region"] if match else ""


def authenticate(request: Request, credentials: Credentials) -> None:
    """Refuse with 403 a request that is unsigned, of another access key, or wrongly signed."""
    authorization = request.headers.get("authorization", "")
    if not authorization:
        raise AwsError(403, "MissingAuthenticationToken", "Missing Authentication Token")
    match = _AUTHORIZATION.match(authorization)
    if match is None:
        raise AwsError(403, "IncompleteSignature", "Authorization header requires Signature Version 4")
    if match["key"] != credentials.access_key:
        code = "InvalidAccessKeyId" if match["service"] == "s3" else "InvalidClientTokenId"
        raise AwsError(403, code, "The security token included in the request is invalid.")
    if not hmac.compare_digest(match["signature"], _signature(request, match, credentials.secret_key)):
        raise AwsError(
            403,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. "
            "Check your AWS Secret Access Key and signing method.",
        )


def check_time(request: Request, now: datetime) -> None:
    """Refuse what was signed at another time than the server's."""
    stamp = request.headers.get("x-amz-date", "")
    try:
        signed = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        told = "AWS authentication requires a valid Date or x-amz-date header"
        raise AwsError(403, "AccessDenied", told) from error
    if abs(now - signed) <= _BORNE:
        return
    if service_of(request) in ("s3", "s3control"):
        told = "The difference between the request time and the current time is too large."
        times = (
            ("RequestTime", stamp),
            ("ServerTime", f"{now:%Y-%m-%dT%H:%M:%SZ}"),
            ("MaxAllowedSkewMilliseconds", "900000"),
        )
        raise AwsError(403, "RequestTimeTooSkewed", told, details=times)
    raise AwsError(
        403, "SignatureDoesNotMatch", f"Signature expired: {stamp} is not within 15 minutes of {now:%Y%m%dT%H%M%SZ}"
    )


def sign(request: Request, credentials: Credentials, *, service: str, when: datetime) -> Request:
    """The request signed by `credentials`, over the host and every ``x-amz-`` header, as CloudFront signs for S3."""
    stamp = f"{when:%Y%m%dT%H%M%SZ}"
    headers = {**request.headers, "x-amz-date": stamp, "x-amz-content-sha256": "UNSIGNED-PAYLOAD"}
    signed = ";".join(sorted(name for name in headers if name == "host" or name.startswith("x-amz-")))
    scope = f"{credentials.access_key}/{stamp[:8]}/us-east-1/{service}/aws4_request"
    unsigned = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={signed}, Signature="
    complete = Request(request.method, request.target, headers, request.body)
    match = _AUTHORIZATION.match(f"{unsigned}0")
    assert match is not None, "this module knows its own words"
    authorization = unsigned + _signature(complete, match, credentials.secret_key)
    return Request(request.method, request.target, {**headers, "authorization": authorization}, request.body)


def _signature(request: Request, scope: re.Match[str], secret: str) -> str:
    stamp = request.headers.get("x-amz-date", "")
    where = f"{scope['date']}/{scope['region']}/{scope['service']}/aws4_request"
    digest = hashlib.sha256(_canonical(request, scope).encode()).hexdigest()
    key = f"AWS4{secret}".encode()
    for part in where.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{where}\n{digest}"
    return hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()


def _canonical(request: Request, scope: re.Match[str]) -> str:
    url = urlsplit(request.target)
    # Every service but S3 signs the path encoded a second time.
    path = url.path if scope["service"] == "s3" else quote(url.path, safe="/-_.~")
    pairs = sorted(
        (quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in parse_qsl(url.query, keep_blank_values=True)
    )
    signed = scope["signed"].split(";")
    headers = "".join(f"{name}:{' '.join(request.headers.get(name, '').split())}\n" for name in signed)
    payload = request.headers.get("x-amz-content-sha256") or hashlib.sha256(request.body).hexdigest()
    query = "&".join(f"{name}={value}" for name, value in pairs)
    return "\n".join((request.method, path or "/", query, headers, scope["signed"], payload))
