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
from defib.lab.plan import AddressPlan
from defib.ports import RecordKey, RecordSet

ZONE = "pulse-trading.test."
ZONE_ID = "Z0PULSETRADING"
ZONE_2136 = "pulse-trading-2136.test."
ZONE_CF = "pulse-trading-cf.test."
ZONE_TWO = "pulse-trading-two.test."
ZONE_TWO_ID = "Z0PULSETRADINGTWO"
ZONE_ARMED = "pulse-trading-armed.test."
ZONE_ARMED_ID = "Z0PULSETRADINGARMED"
ZONE_LAST = "pulse-trading-aws.test."
ZONE_LAST_ID = "Z0PULSETRADINGAWS"
"""Without CDNs, and with a last resort on AWS beside both hosts."""

ZONES = (ZONE, ZONE_2136, ZONE_CF, ZONE_TWO)
"""The same property behind CDNs, several times: on Route 53, by RFC 2136, at Cloudflare, at the first two of these."""

DISTRIBUTION = "E2PULSETRADING"
DISTRIBUTION_DOMAIN = "d2pulsetrading.cloudfront.net"
STANDBY_DISTRIBUTION = "EAWSPULSETRADING"
STANDBY_DOMAIN = "d3pulsetrading.cloudfront.net"
STANDBY_EDGE = "3.2"
STATUS_BUCKET = "pulse-trading-status"
ORIGIN = "pulse-trading.vercel.app"
"""The primary host's own name for the project, which the CDNs fetch from."""

ORIGIN_EDGE = "8.1"
VERCEL_TARGET = "cname.vercel-dns.com"
BACKUP, BACKUP_EDGE = "pulse-trading.netlify.app", "9.1"
"""The backup host's own name for the project."""

CDN_NAMES = tuple(f"www.{zone}".rstrip(".") for zone in ZONES)
CDN_ALIASES = (*CDN_NAMES, *(zone.rstrip(".") for zone in ZONES))
"""What CloudFront answers for: the apex as well, for the day when it leads there."""

PUBLIC_NAMES = (*CDN_NAMES, f"www.{ZONE_ARMED}".rstrip("."), f"www.{ZONE_LAST}".rstrip("."))
CLOUDFLARE_ZONES = {
    "023e105f4ecef8ad9ca31a8372d0c353": ZONE.rstrip("."),
    "9a7806061c88ada191ed06f989cc3dac": ZONE_2136.rstrip("."),
    "59c1b7d1e1d44e2a9b7f0c4f6a3d2e18": ZONE_CF.rstrip("."),
    "0da42c8d2132a9ddaf714f9e7c920711": ZONE_TWO.rstrip("."),
}
"""Zones in CNAME set-up, whose proxied record makes the edge answer for a public name."""

CLOUDFLARE_DNS_ZONE_ID = "372e67954025e0ba6aaa6d586b9e0b59"
PROXIED_NAME = f"app.{ZONE_CF}".rstrip(".")
"""A name of the zone in full set-up that reaches users through Cloudflare's edge."""

CLOUDFLARE_SERVERS = ("cf-ns-1", "cf-ns-2")
CLOUDFLARE_TTL = timedelta(seconds=60)
"""The least that Cloudflare takes below its Enterprise plan."""

HEALTH_CHECK = "abcdef11-2222-3333-4444-555555fedcba"
ARMED_HEALTH_CHECK = "abcdef11-2222-3333-4444-666666fedcba"
"""Inverted: it fails while the object of the switch is there."""

SWITCH_BUCKET = "pulse-trading-switch"
SWITCH_KEY = "users-go-to-the-backup"
REFERENCES = ("reference-one.test", "reference-two.test")
APIS = {"api-broker": "api.alpaca.test", "api-data": "pulse-trading.supabase.test"}
"""What the page calls at other people's, by the name of the target."""

HEADERS_POLICY = "5cc3b908-e619-4b99-88e5-2cf7f45965bd"
STEERING_TTL = timedelta(seconds=3)
_CAA_TTL = timedelta(hours=1)

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


def others(plan: AddressPlan) -> dict[str, str]:
    """The addresses of other people's sites and APIs, by name."""
    names = (*REFERENCES, *APIS.values())
    return {name: plan.at(f"7.{number}") for number, name in enumerate(names, 1)}


def steering(name: str) -> RecordSet:
    """The record set that sends users of `name` to CloudFront."""
    return RecordSet(RecordKey(f"{name}.", "CNAME"), STEERING_TTL, (f"{DISTRIBUTION_DOMAIN}.",))


def public_sets(plan: AddressPlan, zone: str) -> tuple[RecordSet, ...]:
    """The zone while all is well: apex at Vercel by address (the lab has no IPv6), www by CDN, Let's Encrypt may issue."""
    return (
        RecordSet(RecordKey(zone, "A"), STEERING_TTL, (plan.at(ORIGIN_EDGE),)),
        steering(f"www.{zone}".rstrip(".")),
        RecordSet(RecordKey(zone, "CAA"), _CAA_TTL, ('0 issue "letsencrypt.org"',)),
    )


def armed_sets(plan: AddressPlan) -> tuple[RecordSet, ...]:
    """The zone without CDNs: www and apex are failover record sets, and a health check decides which of each is answered."""
    www, checked = f"www.{ZONE_ARMED}", (("HealthCheckId", ARMED_HEALTH_CHECK),)
    vercel, netlify = (("Failover", "PRIMARY"), *checked), (("Failover", "SECONDARY"),)
    return (
        RecordSet(RecordKey(www, "CNAME", "vercel"), STEERING_TTL, (f"{VERCEL_TARGET}.",), vercel),
        RecordSet(RecordKey(www, "CNAME", "netlify"), STEERING_TTL, (f"{BACKUP}.",), netlify),
        RecordSet(RecordKey(ZONE_ARMED, "A", "vercel"), STEERING_TTL, (plan.at(ORIGIN_EDGE),), vercel),
        RecordSet(RecordKey(ZONE_ARMED, "A", "netlify"), STEERING_TTL, (plan.at(BACKUP_EDGE),), netlify),
        RecordSet(RecordKey(ZONE_ARMED, "CAA"), _CAA_TTL, ('0 issue "letsencrypt.org"',)),
    )


def last_sets(plan: AddressPlan) -> tuple[RecordSet, ...]:
    """The zone without CDNs whose names a distribution on AWS holds, too, so that Amazon may issue for it."""
    issuers = ('0 issue "amazon.com"', '0 issue "letsencrypt.org"')
    return (
        RecordSet(RecordKey(ZONE_LAST, "A"), STEERING_TTL, (plan.at(ORIGIN_EDGE),)),
        RecordSet(RecordKey(f"www.{ZONE_LAST}", "CNAME"), STEERING_TTL, (f"{VERCEL_TARGET}.",)),
        RecordSet(RecordKey(ZONE_LAST, "CAA"), _CAA_TTL, issuers),
    )


def distribution_config(names: Sequence[str] = CDN_NAMES) -> dict[str, Any]:
    """The configuration of the distribution, in the shape of CloudFront's API."""
    return {
        "CallerReference": "pulse-trading",
        "Aliases": {"Quantity": len(names), "Items": list(names)},
        "DefaultRootObject": "index.html",
        "Origins": {
            "Quantity": 1,
            "Items": [
                {"Id": "vercel", "DomainName": ORIGIN, "CustomOriginConfig": _custom_origin()},
            ],
        },
        "DefaultCacheBehavior": {
            "TargetOriginId": "vercel",
            "ViewerProtocolPolicy": "redirect-to-https",
            "ResponseHeadersPolicyId": HEADERS_POLICY,
            "AllowedMethods": {"Items": ["GET", "HEAD"]},
        },
        "Comment": "Pulse Trading",
        "Enabled": True,
    }


def _custom_origin() -> dict[str, Any]:
    return {
        "HTTPPort": 80,
        "HTTPSPort": 443,
        "OriginProtocolPolicy": "https-only",
        "OriginSslProtocols": {"Quantity": 1, "Items": ["TLSv1.2"]},
    }


def furnish(aws: Aws, plan: AddressPlan, distribution: dict[str, Any] | None = None) -> None:
    """Put the hosted zones and the distribution in their places, that of :func:`distribution_config` or another one."""
    aws.route53.add_zone(ZONE_ID, ZONE, public_sets(plan, ZONE))
    aws.route53.add_zone(ZONE_TWO_ID, ZONE_TWO, public_sets(plan, ZONE_TWO))
    aws.route53.add_zone(ZONE_ARMED_ID, ZONE_ARMED, armed_sets(plan))
    aws.route53.add_zone(ZONE_LAST_ID, ZONE_LAST, last_sets(plan))
    aws.headers_policies.add(HEADERS_POLICY, "pulse-trading-primary", dict(SECURITY_HEADERS))
    aws.cloudfront.add_distribution(DISTRIBUTION, DISTRIBUTION_DOMAIN, distribution or distribution_config())


def status_bucket() -> Bucket:
    """The bucket of the static status page, empty."""
    bucket = Bucket(STATUS_BUCKET)
    bucket.create()
    return bucket


def switch_bucket() -> Bucket:
    """The bucket of the pre-armed switch, empty, which health checkers may read: they have no credentials."""
    bucket = Bucket(SWITCH_BUCKET)
    bucket.create()
    bucket.let_everybody_read()
    return bucket


def cloudflare_zones(plan: AddressPlan, now: datetime) -> tuple[CloudflareZone, ...]:
    """Zones in CNAME set-up, each with a proxied record that leads its public name to the origin, and one in full set-up.

    The last answers for a name which the first ones' account serves as a CDN; at Cloudflare they are two accounts'.
    """
    zones = []
    for zone_id, name in CLOUDFLARE_ZONES.items():
        record_id = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
        record = DnsRecord(record_id, "CNAME", f"www.{name}", ORIGIN, now, now, proxied=True)
        zones.append(CloudflareZone(zone_id, name, now, now, (record,), SECURITY_HEADERS))
    return (*zones, _cloudflare_dns(plan, now))


def _cloudflare_dns(plan: AddressPlan, now: datetime) -> CloudflareZone:
    """A zone that Cloudflare's own name servers answer for: the public name, the apex, and mail; none of them proxied."""
    apex, ttl = ZONE_CF.rstrip("."), int(CLOUDFLARE_TTL.total_seconds())
    records = (
        DnsRecord(_record_id(1), "CNAME", f"www.{apex}", DISTRIBUTION_DOMAIN, now, now, ttl, comment="steering, by defib"),
        DnsRecord(_record_id(2), "A", apex, plan.at(ORIGIN_EDGE), now, now, ttl),
        DnsRecord(_record_id(3), "CNAME", PROXIED_NAME, ORIGIN, now, now, proxied=True),
        DnsRecord(_record_id(4), "MX", apex, "mail.example.net", now, now, ttl, priority=10),
        DnsRecord(_record_id(5), "TXT", apex, '"v=spf1 -all"', now, now, ttl),
        DnsRecord(_record_id(6), "CAA", apex, '0 issue "letsencrypt.org"', now, now, int(_CAA_TTL.total_seconds())),
    )
    servers = tuple(f"{name}.lab.invalid" for name in CLOUDFLARE_SERVERS)
    return CloudflareZone(CLOUDFLARE_DNS_ZONE_ID, apex, now, now, records, SECURITY_HEADERS, full=True, servers=servers)


def _record_id(number: int) -> str:
    return hashlib.md5(f"{ZONE_CF}{number}".encode(), usedforsecurity=False).hexdigest()
