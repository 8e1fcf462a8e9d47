"""What stands in the lab from the start, under the ids that the lab's site files name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from defib.clock import Clock
from defib.lab.aws import Aws
from defib.lab.background import BackgroundLoop
from defib.lab.bucket import Bucket
from defib.lab.faults import Fault
from defib.lab.strict.signature import Credentials
from defib.ports import RecordKey, RecordSet

ZONE = "pulse-trading.test."
ZONE_ID = "Z0PULSETRADING"
ZONE_2136 = "pulse-trading-2136.test."
DISTRIBUTION = "E2PULSETRADING"
DISTRIBUTION_DOMAIN = "d2pulsetrading.cloudfront.net"
BUCKET = "pulse-trading-origin"
ORIGIN = f"{BUCKET}.s3.us-east-1.amazonaws.com"
PUBLIC_NAMES = (f"www.{ZONE}".rstrip("."), f"www.{ZONE_2136}".rstrip("."))
CLOUDFLARE_ZONES = {
    "023e105f4ecef8ad9ca31a8372d0c353": ZONE.rstrip("."),
    "9a7806061c88ada191ed06f989cc3dac": ZONE_2136.rstrip("."),
}
REFERENCES = ("reference-one.test", "reference-two.test")
HEADERS_POLICY = "5cc3b908-e619-4b99-88e5-2cf7f45965bd"
STEERING_TTL = timedelta(seconds=3)

SECURITY_HEADERS = (
    ("Strict-Transport-Security", "max-age=31536000; includeSubDomains; preload"),
    ("X-Frame-Options", "DENY"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-XSS-Protection", "1; mode=block"),
    ("Referrer-Policy", "strict-origin-when-cross-origin"),
    (
        "Content-Security-Policy",
        "default-src 'self'; "
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' https://www.googletagmanager.com; "
        "style-src 'self' 'unsafe-inline' https://fonts.googleapis.com; "
        "connect-src 'self' https://api.alpaca.markets https://*.supabase.co; "
        "img-src 'self' data: https:; "
        "font-src 'self' https://fonts.gstatic.com;",
    ),
)
"""The headers that both vendors add at their edge: a response headers policy at one, a transform rule at the other."""


def steering(name: str) -> RecordSet:
    """The record set that sends users of `name` to CloudFront."""
    return RecordSet(RecordKey(f"{name}.", "CNAME"), STEERING_TTL, (f"{DISTRIBUTION_DOMAIN}.",))


def distribution_config(names: Sequence[str] = PUBLIC_NAMES) -> dict[str, Any]:
    """The configuration of the distribution, in the shape of CloudFront's API."""
    return {
        "CallerReference": "pulse-trading",
        "Aliases": {"Quantity": len(names), "Items": list(names)},
        "DefaultRootObject": "index.html",
        "Origins": {
            "Quantity": 1,
            "Items": [
                {"Id": "s3", "DomainName": ORIGIN, "S3OriginConfig": {"OriginAccessIdentity": ""}},
            ],
        },
        "DefaultCacheBehavior": {
            "TargetOriginId": "s3",
            "ViewerProtocolPolicy": "redirect-to-https",
            "ResponseHeadersPolicyId": HEADERS_POLICY,
            "AllowedMethods": {"Items": ["GET", "HEAD"]},
        },
        "Comment": "Pulse Trading",
        "Enabled": True,
    }


def furnish(aws: Aws) -> Bucket:
    """Put the zone, the distribution and the bucket in their places."""
    aws.route53.add_zone(ZONE_ID, ZONE, (steering(PUBLIC_NAMES[0]),))
    aws.cloudfront.add_distribution(DISTRIBUTION, DISTRIBUTION_DOMAIN, distribution_config())
    bucket = Bucket(BUCKET)
    bucket.create()
    return bucket


@dataclass(frozen=True)
class RunningAws:
    """AWS by itself, for whoever tests against it."""

    endpoint: str
    credentials: Credentials
    aws: Aws
    loop: BackgroundLoop

    def set_fault(self, service: str, fault: Fault | None) -> None:
        """Break ``route53`` or ``cloudfront``, or heal it with None."""

        async def switch() -> None:
            self.aws.switches[service].set(fault)

        self.loop.run(switch())


@contextmanager
def serve_aws(
    address: str = "127.0.0.1",
    port: int = 0,
    *,
    clock: Clock | None = None,
    settles_in: timedelta = timedelta(milliseconds=50),
    deploys_in: timedelta = timedelta(milliseconds=300),
) -> Iterator[RunningAws]:
    """AWS alone, furnished, with no name servers behind it: a change is INSYNC after `settles_in`. One at a time."""
    with BackgroundLoop() as loop:
        credentials = Credentials("AKIALABLABLABLABLAB0", "lab-secret-key")

        def publish(_zone: str, _sets: tuple[RecordSet, ...]) -> Future[None]:
            everywhere: Future[None] = Future()
            loop.later(settles_in, lambda: everywhere.set_result(None))
            return everywhere

        async def build() -> Aws:
            aws = Aws(address, port, credentials, publish, clock, deploys_in=deploys_in)
            furnish(aws)
            await aws.start()
            return aws

        aws = loop.run(build())
        try:
            yield RunningAws(aws.server.url, credentials, aws, loop)
        finally:
            loop.run(aws.stop())
