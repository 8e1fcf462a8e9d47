"""The adapter that a site file asks for, with retry and the vendor's own limit of calls around it.

Vendors' libraries are imported only for the vendors of the site: together they take half a second to load.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from defib.errors import SecretMissing
from defib.home import Home
from defib.mirror.copies import AT_ONCE, Mirrors
from defib.mirror.sources import SourcesOfSite
from defib.ports import Cdn, DnsZone, Host
from defib.providers.wrappers import (
    Backoff,
    Cost,
    Rate,
    RateLimitedCdn,
    RateLimitedHost,
    RateLimitedZone,
    RetryingCdn,
    RetryingHost,
    RetryingZone,
)
from defib.providers.wrappers.fenced import Check, FencedCdn, FencedHost, FencedZone
from defib.redeploy.groundwork import Audit, groundwork
from defib.redeploy.place import LastResort, find_host
from defib.sites.git import Repository, repositories
from defib.sites.site import Site
from defib.sites.values import Aws
from defib.sites.vendors import (
    AwsHost,
    CloudflareDistribution,
    CloudflareZone,
    CloudFrontDistribution,
    DnsZoneConfig,
    FailoverSwitch,
    HostOfSite,
    NetlifyHost,
    Rfc2136Zone,
    Route53Zone,
    VercelHost,
)

if TYPE_CHECKING:
    from pathlib import Path

    from defib.providers.aws import AwsAccess
    from defib.providers.git.offsite import OffsiteCopy
    from defib.redeploy.workshop import Sources
    from defib.releases.store import ReleaseStore


def free() -> None:
    """No check: for whoever only reads, and for tests of the adapters."""


Secrets = Callable[[str], str]
"""Turns a secret reference into its value, or raises :class:`SecretMissing`."""


def open_zone(config: DnsZoneConfig, secrets: Secrets, before_write: Check = free) -> DnsZone:
    """A zone, ready to be asked; nothing is asked yet. `before_write` is called right before each write."""
    chance = random.Random()  # noqa: S311 - it spreads retries, it keeps no secret
    return RetryingZone(_limited_zone(config, secrets, before_write), chance)


def _limited_zone(config: DnsZoneConfig, secrets: Secrets, before_write: Check) -> DnsZone:
    if isinstance(config, Rfc2136Zone):
        return FencedZone(_rfc2136(config, secrets), before_write)
    if isinstance(config, CloudflareZone):
        return _cloudflare_zone(config, secrets, before_write)
    if isinstance(config, FailoverSwitch):
        # S3 serves "at least 3,500 PUT/COPY/POST/DELETE or 5,500 GET/HEAD requests per second per partitioned prefix", and
        # a switch is turned once: https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html
        return FencedZone(_s3_switch(config, secrets), before_write)
    return _route53_zone(config, secrets, before_write)


def open_cdn(
    site: Site,
    config: CloudFrontDistribution | CloudflareDistribution,
    secrets: Secrets,
    before_write: Check = free,
) -> Cdn:
    """One of the CDNs of `site`, as :func:`open_zone` opens its zone."""
    chance = random.Random()  # noqa: S311 - it spreads retries, it keeps no secret
    if isinstance(config, CloudFrontDistribution):
        # AWS documents no limit of calls for CloudFront; when it throttles, retrying slows down.
        return RetryingCdn(FencedCdn(_cloudfront(config, secrets), before_write), chance)
    fenced = FencedCdn(_cloudflare(site, config, secrets), before_write)
    return RetryingCdn(RateLimitedCdn(fenced, _cloudflare_rate(config.token)), chance)


def open_host(config: HostOfSite, secrets: Secrets, before_write: Check = free) -> Host:
    """One of a site's hosts, as :func:`open_zone` opens its zone."""
    chance = random.Random()  # noqa: S311 - it spreads retries, it keeps no secret
    if isinstance(config, VercelHost):
        fenced = FencedHost(_vercel(config, secrets), before_write)
        return RetryingHost(RateLimitedHost(fenced, attaching=_vercel_domain_rate()), chance)
    if isinstance(config, AwsHost):
        # AWS documents no limit of calls for CloudFront; when it throttles, retrying slows down.
        return RetryingHost(FencedHost(_s3_cloudfront(config, secrets), before_write), chance)
    fenced = FencedHost(_netlify(config, secrets), before_write)
    return RetryingHost(RateLimitedHost(fenced, _netlify_rate()), chance)


def open_last_resort(site: Site, secrets: Secrets, before_write: Check = free) -> LastResort | None:
    """The last resort of `site`, as :func:`open_zone` opens a zone; None where its file names none."""
    config = find_host(site)
    if config is None:
        return None
    ground, audit = open_standby(site, config, secrets, before_write)
    return LastResort(
        open_pointer(config, secrets, before_write), _bucket(config.bucket, config.aws, secrets, before_write), ground, audit
    )


def _bucket(bucket: str, aws: Aws, secrets: Secrets, before_write: Check) -> ReleaseStore:
    from defib.providers.releases.fenced import FencedReleases  # noqa: PLC0415 - see the module's docstring
    from defib.providers.releases.retrying import RetryingReleases  # noqa: PLC0415
    from defib.providers.releases.s3 import S3Releases  # noqa: PLC0415

    chance = random.Random()  # noqa: S311 - it spreads retries, it keeps no secret
    store = S3Releases(bucket, aws_access(aws, secrets))
    return RetryingReleases(FencedReleases(store, before_write), chance)


def open_sources(site: Site, home: Path, secrets: Secrets) -> Sources | None:
    """The remotes of `site` and the bundle that is kept of them; None where its file names none. Nothing is asked yet."""
    from defib.providers.git.sources import GitSources  # noqa: PLC0415 - see the module's docstring

    if site.git is None:
        return None
    own = repositories(site.site, site.git)[0]
    repository = home / "git" / f"{site.site}.git"
    return GitSources(repository, site.git.remotes, site.git.branch, secrets, bundle=home / own.bundle)


def open_mirrors(site: Site, home: Home, secrets: Secrets, before_write: Check = free) -> Mirrors | None:
    """Every repository of `site`, also one without mirrors, of which a bundle is kept; None where there is none.

    Nothing is asked yet.
    """
    from defib.providers.git.mirror import GitMirror  # noqa: PLC0415 - see the module's docstring

    folder, gate = home.mirrors(site.site, lab=site.lab), threading.Semaphore(AT_ONCE)
    found = repositories(site.site, site.git)
    sources = SourcesOfSite(
        site.site,
        home.lease(site.site, "git-mirror") / "sources.json",
        {each.name: each.taken_from().name for each in found},
        {each.name: [remote.name for remote in each.remotes] for each in found},
    )
    opened = (
        GitMirror(
            folder / f"{each.name}.git",
            each,
            secrets,
            home.path / each.bundle,
            source=source,
            before_write=before_write,
            gate=gate,
            offsite=_offsite(site, each, folder, secrets, before_write),
            reclaims=not site.lab,  # the next lab has another history, of which the bundle of the last one knows nothing
        )
        for each, source in zip(found, sources.as_far_as_known().values(), strict=True)
    )
    return Mirrors(tuple(opened), folder, sources) if found else None


def _offsite(site: Site, repository: Repository, folder: Path, secrets: Secrets, before_write: Check) -> OffsiteCopy | None:
    from defib.providers.git.offsite import OffsiteCopy  # noqa: PLC0415 - see the module's docstring

    copy = repository.copy_to
    if copy is None:
        return None
    key, stamp = f"{site.site}/{repository.name}.bundle.age", folder / f"{repository.name}.copied"
    return OffsiteCopy(lambda: _bucket(copy.bucket, copy.aws, secrets, before_write), key, copy.recipients, stamp)


def open_pointer(config: AwsHost, secrets: Secrets, before_write: Check = free) -> DnsZone:
    """The pointer to the release that users of a host get, as :func:`open_zone` opens its zone."""
    from defib.providers.pointer.cloudfront import CloudFrontPointer  # noqa: PLC0415 - see the module's docstring

    chance = random.Random()  # noqa: S311 - it spreads retries, it keeps no secret
    pointer = CloudFrontPointer(config.distribution, aws_access(config.aws, secrets), config.bucket)
    return RetryingZone(FencedZone(pointer, before_write), chance)


def open_standby(site: Site, config: AwsHost, secrets: Secrets, before_write: Check = free) -> tuple[DnsZone, Audit]:
    """What a standby is made of: as a zone to change it, as :func:`open_zone` opens one, and as who knows what to change."""
    from defib.providers.standby.zone import AwsStandby  # noqa: PLC0415 - see the module's docstring

    chance = random.Random()  # noqa: S311 - it spreads retries, it keeps no secret
    standby = AwsStandby(groundwork(site, config), aws_access(config.aws, secrets))
    patient = Backoff(attempt=timedelta(seconds=20))  # one resource takes up to a dozen calls
    return RetryingZone(FencedZone(standby, before_write), chance, patient), standby


def _vercel_domain_rate() -> Rate:
    # Vercel counts each kind of call by itself, and tells its limit with the refusal. Of those made here it documents
    # "Domain verification: 50 requests per hour per team", and 100 for adding: https://vercel.com/docs/multi-tenant/limits
    return Rate(50, timedelta(hours=1))


def _netlify_rate() -> Rate:
    # "You can make up to 500 requests per minute", and a call of the port makes up to four:
    # https://docs.netlify.com/api-and-cli-guides/api-guides/get-started-with-api/#rate-limiting
    return Rate(125, timedelta(minutes=1))


_SHARED: dict[tuple[str, ...], Rate] = {}
"""The rates of this process by what a vendor counts together: sites that share an account share its limit of calls."""


def _route53_rate(access_key: str, endpoint: str) -> Rate:
    # "All requests: five requests per second per AWS account":
    # https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DNSLimitations.html#limits-api-requests
    return _SHARED.setdefault(("route53", access_key, endpoint), Rate(5, timedelta(seconds=1)))


def _cloudflare_rate(token: str) -> Rate:
    # "1,200 requests per five minute period per user": https://developers.cloudflare.com/fundamentals/api/reference/limits/
    return _SHARED.setdefault(("cloudflare", token), Rate(1200, timedelta(minutes=5)))


def _route53_zone(config: Route53Zone, secrets: Secrets, before_write: Check) -> DnsZone:
    from defib.providers.dns.route53 import Route53  # noqa: PLC0415 - see the module's docstring

    rate = _route53_rate(config.aws.access_key or "", config.aws.endpoint)
    where = f"route53, zone {config.zone_id}"
    zone = Route53(config.zone_id, aws_access(config.aws, secrets), lambda within: rate.wait(within, where))
    # A read takes from the rate itself, call by call; a write waits before its fence, which then is checked last.
    return RateLimitedZone(FencedZone(zone, before_write), rate, Cost(lambda _: 0, lambda _: 1, settled=1))


def _s3_switch(config: FailoverSwitch, secrets: Secrets) -> DnsZone:
    from defib.providers.dns.s3_switch import S3Switch  # noqa: PLC0415 - see the module's docstring

    return S3Switch(config.names, config.bucket, config.key, aws_access(config.aws, secrets))


def _rfc2136(config: Rfc2136Zone, secrets: Secrets) -> DnsZone:
    import binascii  # noqa: PLC0415

    import dns.tsig  # noqa: PLC0415 - see the module's docstring

    from defib.providers.dns.rfc2136 import Rfc2136  # noqa: PLC0415

    try:
        key = dns.tsig.Key(config.tsig.name, secrets(config.tsig.secret), config.tsig.algorithm)
    except binascii.Error:
        raise SecretMissing(
            "the TSIG secret is not base64", where=config.tsig.secret, expected="what tsig-keygen prints as secret"
        ) from None  # the cause quotes the secret
    return Rfc2136(config.zone, config.primary, key, config.servers)


def _cloudflare_zone(config: CloudflareZone, secrets: Secrets, before_write: Check) -> DnsZone:
    from defib.providers.dns.cloudflare import (  # noqa: PLC0415 - see the module's docstring
        CloudflareDns,
        calls_to_read,
        calls_to_replace,
    )

    zone = CloudflareDns(config.zone_id, config.zone, secrets(config.token), config.api)
    fenced = FencedZone(zone, before_write)
    return RateLimitedZone(fenced, _cloudflare_rate(config.token), Cost(calls_to_read, calls_to_replace, settled=0))


def _cloudfront(config: CloudFrontDistribution, secrets: Secrets) -> Cdn:
    from defib.providers.cdn.cloudfront import CloudFront  # noqa: PLC0415 - see the module's docstring

    return CloudFront(config.distribution, aws_access(config.aws, secrets))


def _cloudflare(site: Site, config: CloudflareDistribution, secrets: Secrets) -> Cdn:
    from defib.providers.cdn.cloudflare import Cloudflare  # noqa: PLC0415 - see the module's docstring

    return Cloudflare(urlsplit(site.page.url).netloc, config.zone_id, secrets(config.token), config.api)


def _vercel(config: VercelHost, secrets: Secrets) -> Host:
    from defib.providers.host.vercel import Vercel  # noqa: PLC0415 - see the module's docstring

    return Vercel(config.project, config.team, secrets(config.token), config.api)


def _s3_cloudfront(config: AwsHost, secrets: Secrets) -> Host:
    from defib.providers.host.s3_cloudfront import S3CloudFront  # noqa: PLC0415 - see the module's docstring

    return S3CloudFront(config.bucket, config.distribution, aws_access(config.aws, secrets))


def _netlify(config: NetlifyHost, secrets: Secrets) -> Host:
    from defib.providers.host.netlify import Netlify  # noqa: PLC0415 - see the module's docstring

    return Netlify(config.project, secrets(config.token), config.api)


def aws_access(aws: Aws, secrets: Secrets) -> AwsAccess:
    """How to reach AWS, with its keys where the site file has references to them."""
    from defib.providers.aws import AwsAccess  # noqa: PLC0415 - see the module's docstring

    if aws.access_key is None and aws.secret_key is None:
        return AwsAccess(region=aws.region, endpoint=aws.endpoint)
    if aws.access_key is None or aws.secret_key is None:
        raise SecretMissing(
            "AWS keys come in pairs",
            where="aws.access_key" if aws.access_key is None else "aws.secret_key",
            expected="both aws.access_key and aws.secret_key, or neither",
        )
    return AwsAccess(
        region=aws.region,
        endpoint=aws.endpoint,
        access_key=secrets(aws.access_key),
        secret_key=secrets(aws.secret_key),
    )
