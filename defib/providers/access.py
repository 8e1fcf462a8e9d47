"""The credentials that a site file names, ready to be asked what they may do; nothing is asked yet.

Vendors' libraries are imported only for the vendors of the site.
"""

from __future__ import annotations

from collections.abc import Mapping

from defib.ports import RecordKey
from defib.providers.open import Secrets, aws_access
from defib.ready.access import Access, Claims
from defib.redeploy.groundwork import Audit, groundwork
from defib.replication.evidence import Sides
from defib.sites.alerts import S3StatusPage
from defib.sites.replication import Replicated
from defib.sites.site import Site
from defib.sites.vendors import (
    AwsHost,
    CdnOfSite,
    CloudflareZone,
    CloudFrontDistribution,
    DnsZoneConfig,
    FailoverSwitch,
    HostOfSite,
    Rfc2136Zone,
    Route53Zone,
    VercelHost,
)
from defib.users.ways import ways


def open_accesses(site: Site, secrets: Secrets) -> tuple[Access, ...]:
    """One for each zone, CDN, host and status page in AWS of the site file; :class:`SecretMissing` as in a run."""
    return (
        *(_zone(site, zone, secrets) for zone in site.dns),
        *(_cdn(cdn, secrets) for cdn in site.cdns),
        *(_host(host, secrets) for host in site.hosts),
        *(_page(page, secrets) for page in site.status if isinstance(page, S3StatusPage)),
    )


def open_claims(site: Site, secrets: Secrets) -> Mapping[str, Claims]:
    """By name of CDN, those that tell who else holds a name."""
    from defib.providers.access_aws import CloudFrontClaims  # noqa: PLC0415 - see the module's docstring

    return {
        cdn.name: CloudFrontClaims(cdn.distribution, aws_access(cdn.aws, secrets))
        for cdn in site.cdns
        if isinstance(cdn, CloudFrontDistribution)
    }


def open_audits(site: Site, secrets: Secrets) -> Mapping[str, Audit]:
    """By name of host, those that tell whether a standby on AWS is made as it must be."""
    from defib.providers.standby.zone import AwsStandby  # noqa: PLC0415 - see the module's docstring

    return {
        host.name: AwsStandby(groundwork(site, host), aws_access(host.aws, secrets))
        for host in site.hosts
        if isinstance(host, AwsHost)
    }


def open_pairs(site: Site, secrets: Secrets) -> Mapping[str, Sides]:
    """By name of pair, both of its buckets, each with the credentials of its side."""
    from defib.providers.bucket.authority import AwsAuthority  # noqa: PLC0415 - see the module's docstring
    from defib.providers.bucket.settings import ConfiguredBucket  # noqa: PLC0415

    def sides(pair: Replicated) -> Sides:
        here, there = aws_access(pair.source.aws, secrets), aws_access(pair.replica.aws, secrets)
        source, replica = ConfiguredBucket(pair.source.bucket, here), ConfiguredBucket(pair.replica.bucket, there)
        return Sides(source, replica, AwsAuthority(here), AwsAuthority(there))

    return {pair.name: sides(pair) for pair in site.replication}


def _zone(site: Site, config: DnsZoneConfig, secrets: Secrets) -> Access:
    if isinstance(config, Route53Zone):
        from defib.providers.access_aws import AwsPolicyAccess  # noqa: PLC0415
        from defib.providers.permissions import of_zone  # noqa: PLC0415

        return AwsPolicyAccess(f"route53 {config.zone_id}", of_zone(site, config), aws_access(config.aws, secrets))
    if isinstance(config, FailoverSwitch):
        from defib.providers.access_aws import AwsPolicyAccess  # noqa: PLC0415
        from defib.providers.permissions import of_switch  # noqa: PLC0415

        about = f"s3-switch {config.bucket}/{config.key}"
        return AwsPolicyAccess(about, of_switch(config), aws_access(config.aws, secrets))
    if isinstance(config, CloudflareZone):
        from defib.providers.access_cloudflare import DNS_EDIT, CloudflareAccess  # noqa: PLC0415

        return CloudflareAccess(config.zone_id, DNS_EDIT, secrets(config.token), config.api)
    return _rfc2136(site, config, secrets)


def _rfc2136(site: Site, config: Rfc2136Zone, secrets: Secrets) -> Access:
    import dns.tsig  # noqa: PLC0415

    from defib.providers.access_rfc2136 import Rfc2136Access  # noqa: PLC0415

    leads = (lead for way in ways(site) for lead in way.at(config.provider, config.zone))
    keys = tuple(dict.fromkeys(RecordKey(lead.key.name, lead.key.type) for lead in leads if not lead.armed))
    # Opening the zone has turned down a secret that is not base64 before.
    key = dns.tsig.Key(config.tsig.name, secrets(config.tsig.secret), config.tsig.algorithm)
    return Rfc2136Access(config.zone, config.primary, key, keys)


def _cdn(config: CdnOfSite, secrets: Secrets) -> Access:
    if isinstance(config, CloudFrontDistribution):
        from defib.providers.access_aws import AwsPolicyAccess  # noqa: PLC0415
        from defib.providers.permissions import of_cdn  # noqa: PLC0415

        about = f"cloudfront {config.distribution}"
        return AwsPolicyAccess(about, of_cdn(config), aws_access(config.aws, secrets))
    from defib.providers.access_cloudflare import PURGE, CloudflareAccess  # noqa: PLC0415

    return CloudflareAccess(config.zone_id, PURGE, secrets(config.token), config.api)


def _host(config: HostOfSite, secrets: Secrets) -> Access:
    if isinstance(config, AwsHost):
        from defib.providers.access_aws import AwsPolicyAccess  # noqa: PLC0415
        from defib.providers.permissions import of_host  # noqa: PLC0415

        about = f"s3-cloudfront {config.distribution}"
        return AwsPolicyAccess(about, of_host(config), aws_access(config.aws, secrets))
    from defib.providers.access_hosts import NetlifyAccess, VercelAccess  # noqa: PLC0415

    if isinstance(config, VercelHost):
        return VercelAccess(config.project, config.team, secrets(config.token), config.api)
    return NetlifyAccess(config.project, secrets(config.token), config.api)


def _page(config: S3StatusPage, secrets: Secrets) -> Access:
    from defib.providers.access_aws import AwsPolicyAccess  # noqa: PLC0415
    from defib.providers.permissions import of_page  # noqa: PLC0415

    about = f"s3 {config.bucket}/{config.prefix}"
    return AwsPolicyAccess(about, of_page(config), aws_access(config.aws, secrets))
