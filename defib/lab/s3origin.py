"""S3 as CloudFront reads it: the REST endpoint of a private bucket, for who signs and whom the bucket's policy lets in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from email.utils import format_datetime
from typing import Any
from urllib.parse import unquote

from defib.clock import Clock
from defib.lab.bucket import Bucket
from defib.lab.certificates import LabAuthority
from defib.lab.faults import Fault
from defib.lab.siteserver import SiteServer, http_date
from defib.lab.strict import xml
from defib.lab.strict.policy import Verdict, judge
from defib.lab.strict.signature import Credentials, authenticate
from defib.lab.strict.xml import AwsError
from defib.lab.web import Request, Response

SOURCE = "x-amz-source-arn"
"""The header in which CloudFront names the distribution that it asks for."""


def endpoint_of(bucket: str) -> str:
    """The name under which a bucket of us-east-1 is an origin."""
    return f"{bucket}.s3.us-east-1.amazonaws.com"


class S3Origin:
    """One endpoint that has every bucket; `service` is what CloudFront signs with. Faults: refuse, hang, slow, 5xx."""

    def __init__(
        self, address: str, port: int, authority: LabAuthority, service: Credentials, clock: Clock, *buckets: str
    ) -> None:
        self.server = SiteServer(address, port, self._answer, authority.identity(*map(endpoint_of, buckets)))
        self._service = service
        self._clock = clock

    async def _answer(self, request: Request) -> Response:
        fault = self.server.switch.spend() or Fault("none")
        if fault.name == "slow":
            await asyncio.sleep(fault.option("delay", 5))
        if fault.name == "5xx":
            told = AwsError(int(fault.option("status", 503)), "SlowDown", "Please reduce your request rate.")
            return xml.refuse(told, "")
        try:
            response = self._object(request)
        except AwsError as error:
            response = xml.refuse(error, "")
        return response.with_headers(("Server", "AmazonS3"), ("Date", http_date(self._clock)))

    def _object(self, request: Request) -> Response:
        bucket = Bucket(request.host.partition(".s3.")[0])
        key = unquote(request.path)[1:]
        if not bucket.exists():
            raise AwsError(404, "NoSuchBucket", "The specified bucket does not exist")
        may = self._allowed(request, bucket.policy())
        held = bucket.get(key) if may("s3:GetObject", f"arn:aws:s3:::{bucket.name}/{key}") else None
        if held is None and may("s3:ListBucket", f"arn:aws:s3:::{bucket.name}"):
            raise AwsError(404, "NoSuchKey", "The specified key does not exist.")
        if held is None:
            raise AwsError(403, "AccessDenied", "Access Denied")
        changed = bucket.last_changed(key) or self._clock.now()
        headers = [("Content-Type", held.content_type), ("ETag", held.etag)]
        headers += [("Last-Modified", format_datetime(changed, usegmt=True))]
        headers += [("Cache-Control", held.cache_control)] if held.cache_control else []
        unchanged = request.headers.get("if-none-match") == held.etag
        return Response(304 if unchanged else 200, tuple(headers), b"" if unchanged else held.body)

    def _allowed(self, request: Request, policy: Mapping[str, Any]) -> Callable[[str, str], bool]:
        """What the policy lets this client do; :class:`AwsError` where it signs and does not know how."""
        signed = "authorization" in request.headers
        if signed:
            authenticate(request, self._service)
        source = request.headers.get(SOURCE, "") if signed else ""

        def may(action: str, resource: str) -> bool:
            return judge(policy, action, resource, source) is Verdict.ALLOWED

        return may
