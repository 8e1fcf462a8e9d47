"""What stands in the lab from the start, under the ids that the lab's site files name."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from defib.lab.aws import Aws
from defib.lab.bucket import Bucket
from defib.lab.cloudflare_records import DnsRecord
from defib.lab.cloudflare_state import CloudflareZone
from defib.ports import RecordKey, RecordSet

ZONE = "pulse-trading.test."
ZONE_ID = "Z0PULSETRADING"
ZONE_2136 = "pulse-trading-2136.test."
ZONE_CF = "pulse-trading-cf.test."
DISTRIBUTION = "E2PULSETRADING"
DISTRIBUTION_DOMAIN = "d2pulsetrading.cloudfront.net"
BUCKET = "pulse-trading-origin"
STATUS_BUCKET = "pulse-trading-status"
ORIGIN = f"{BUCKET}.s3.us-east-1.amazonaws.com"
PUBLIC_NAMES = tuple(f"www.{zone}".rstrip(".") for zone in (ZONE, ZONE_2136, ZONE_CF))
CLOUDFLARE_ZONES = {
    "023e105f4ecef8ad9ca31a8372d0c353": ZONE.rstrip("."),
    "9a7806061c88ada191ed06f989cc3dac": ZONE_2136.rstrip("."),
    "59c1b7d1e1d44e2a9b7f0c4f6a3d2e18": ZONE_CF.rstrip("."),
}
"""Zones in CNAME set-up, whose proxied record makes the edge answer for a public name."""

CLOUDFLARE_DNS_ZONE_ID = "372e67954025e0ba6aaa6d586b9e0b59"
PROXIED_NAME = f"app.{ZONE_CF}".rstrip(".")
"""A name of the zone in full set-up that reaches users through Cloudflare's edge."""

CLOUDFLARE_SERVERS = ("cf-ns-1", "cf-ns-2")
CLOUDFLARE_TTL = timedelta(seconds=60)
"""The least that Cloudflare takes below its Enterprise plan."""

HEALTH_CHECK = "abcdef11-2222-3333-4444-555555fedcba"
REFERENCES = ("reference-one.test", "reference-two.test")
HEADERS_POLICY = "5cc3b908-e619-4b99-88e5-2cf7f45965bd"
STEERING_TTL = timedelta(seconds=3)

_CONTENT_SECURITY_POLICY = (
    "default-src 'self'; "
    "script-src 'self' 'unsafe-inline' 'unsafe-eval' https://www.googletagmanager.com; "
    "style-src 'self' 'unsafe-inline' https://fonts.googleapis.com; "
    "connect-src 'self' https://api.alpaca.markets https://*.supabase.co; "
    "img-src 'self' data: https:; "
    "font-src 'self' https://fonts.gstatic.com;"
)

SECURITY_HEADERS = (
    ("Strict-Transport-Security", "max-age=31536000; includeSubDomains; preload"),
    ("X-Frame-Options", "DENY"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-XSS-Protection", "1; mode=block"),
    ("Referrer-Policy", "strict-origin-when-cross-origin"),
    ("Content-Security-Policy", _CONTENT_SECURITY_POLICY),
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


def status_bucket() -> Bucket:
    """The bucket of the static status page, empty."""
    bucket = Bucket(STATUS_BUCKET)
    bucket.create()
    return bucket


def cloudflare_zones(now: datetime) -> tuple[CloudflareZone, ...]:
    """Zones in CNAME set-up, each with a proxied record that leads its public name to the origin, and one in full set-up.

    The last answers for a name which the first ones' account serves as a CDN; at Cloudflare they are two accounts'.
    """
    zones = []
    for zone_id, name in CLOUDFLARE_ZONES.items():
        record_id = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
        record = DnsRecord(record_id, "CNAME", f"www.{name}", ORIGIN, now, now, proxied=True)
        zones.append(CloudflareZone(zone_id, name, now, now, (record,), SECURITY_HEADERS))
    return (*zones, _cloudflare_dns(now))


def _cloudflare_dns(now: datetime) -> CloudflareZone:
    """A zone that Cloudflare's own name servers answer for: the public name, the apex as its like, and mail."""
    apex, ttl = ZONE_CF.rstrip("."), int(CLOUDFLARE_TTL.total_seconds())
    records = (
        DnsRecord(_record_id(1), "CNAME", f"www.{apex}", DISTRIBUTION_DOMAIN, now, now, ttl, comment="steering, by defib"),
        DnsRecord(_record_id(2), "CNAME", apex, DISTRIBUTION_DOMAIN, now, now),
        DnsRecord(_record_id(3), "CNAME", PROXIED_NAME, ORIGIN, now, now, proxied=True),
        DnsRecord(_record_id(4), "MX", apex, "mail.example.net", now, now, ttl, priority=10),
        DnsRecord(_record_id(5), "TXT", apex, '"v=spf1 -all"', now, now, ttl),
    )
    servers = tuple(f"{name}.lab.invalid" for name in CLOUDFLARE_SERVERS)
    return CloudflareZone(CLOUDFLARE_DNS_ZONE_ID, apex, now, now, records, SECURITY_HEADERS, full=True, servers=servers)


def _record_id(number: int) -> str:
    return hashlib.md5(f"{ZONE_CF}{number}".encode(), usedforsecurity=False).hexdigest()
