"""The S3 origin: objects of moto's bucket over TLS, under the bucket's virtual-hosted name; and the reference sites."""

from __future__ import annotations

import secrets
from datetime import timedelta
from email.utils import format_datetime
from urllib.parse import unquote

from defib.clock import Clock
from defib.lab.bucket import Bucket
from defib.lab.certificates import LabAuthority
from defib.lab.content import SiteBuild, StoredObject, make_build
from defib.lab.faults import Fault
from defib.lab.siteserver import SiteServer
from defib.lab.strict.xml import AwsError, refuse
from defib.lab.web import Request, Response

STALE_BY = timedelta(hours=3)


def older_build(build: SiteBuild, fault: Fault) -> SiteBuild:
    """The build that a stale server still has; the option `age` says how much older it is, in seconds."""
    age = timedelta(seconds=fault.option("age", STALE_BY.total_seconds()))
    return make_build(build.built - age, "1.4.1")


class Origin:
    """S3's REST endpoint for one bucket. Faults: refuse, hang, 5xx, stale-build."""

    def __init__(
        self, address: str, port: int, name: str, bucket: Bucket, build: SiteBuild, authority: LabAuthority
    ) -> None:
        self.server = SiteServer(address, port, self._answer, authority.identity(name))
        self._name = name
        self._bucket = bucket
        self._build = build

    async def _answer(self, request: Request) -> Response:
        fault = self.server.switch.spend() or Fault("none")
        try:
            return self._object(request, fault).with_headers(("Server", "AmazonS3"))
        except AwsError as error:
            return refuse(error, "").with_headers(("Server", "AmazonS3"))

    def _object(self, request: Request, fault: Fault) -> Response:
        if fault.name == "5xx":
            raise AwsError(int(fault.option("status", 503)), "SlowDown", "Please reduce your request rate.")
        if request.host != self._name:
            raise AwsError(404, "NoSuchBucket", "The specified bucket does not exist")
        if request.method not in ("GET", "HEAD"):
            raise AwsError(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
        key = unquote(request.path).lstrip("/")
        found = self._bucket.get(key) if key else None
        if fault.name == "stale-build":
            found = older_build(self._build, fault).get(key) or found
        if found is None:
            # Without the right to list, S3 does not tell a missing key from a forbidden one.
            raise AwsError(403, "AccessDenied", "Access Denied")
        if request.headers.get("if-none-match") == found.etag:
            return Response(304, _headers(found))
        return Response(200, _headers(found), found.body)


class Reference:
    """Somebody else's site, fetched to tell a broken site from a broken observer. Faults: refuse, hang."""

    def __init__(self, address: str, port: int, name: str, authority: LabAuthority) -> None:
        self.server = SiteServer(address, port, self._answer, authority.identity(name))
        self._name = name

    async def _answer(self, request: Request) -> Response:
        if request.host != self._name:
            return Response(421, (("Content-Type", "text/plain"),), b"not a name of this site\n")
        page = f"<!DOCTYPE html><title>{self._name}</title><p>A site of somebody else.</p>\n"
        return Response(200, (("Content-Type", "text/html; charset=utf-8"),), page.encode())


def _headers(found: StoredObject) -> tuple[tuple[str, str], ...]:
    headers = [
        ("Content-Type", found.content_type),
        ("ETag", found.etag),
        ("x-amz-request-id", secrets.token_hex(8).upper()),
    ]
    if found.cache_control:
        headers.append(("Cache-Control", found.cache_control))
    return tuple(headers)


def http_date(clock: Clock) -> str:
    """Now, as HTTP writes it."""
    return format_datetime(clock.now(), usegmt=True)
