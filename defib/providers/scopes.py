"""The scopes of a site's tokens at vendors that are not AWS, as the calls of their adapters need them."""

from __future__ import annotations

from collections.abc import Iterator

from defib.ports import RecordKey
from defib.privilege.scope import Scope
from defib.providers.access_cloudflare import DNS_EDIT, GROUPS, PURGE
from defib.providers.access_hosts import NEEDED
from defib.providers.git.github import SETTINGS
from defib.sites.alerts import AtlassianStatuspage
from defib.sites.git import Remote, repositories
from defib.sites.monitors import MonitorOfSite, SentrySessions, UptimeRobotMonitor
from defib.sites.site import Site
from defib.sites.vendors import (
    CdnOfSite,
    CloudflareDistribution,
    CloudflareZone,
    DnsZoneConfig,
    HostOfSite,
    NetlifyHost,
    Rfc2136Zone,
    VercelHost,
)
from defib.users.ways import ways

_CLOUDFLARE = "https://developers.cloudflare.com/fundamentals/api/reference/permissions/"
_GITHUB = "https://docs.github.com/en/rest/authentication/permissions-required-for-fine-grained-personal-access-tokens"
_GITLAB = "https://docs.gitlab.com/user/profile/personal_access_tokens/#personal-access-token-scopes"


def scopes(site: Site) -> tuple[Scope, ...]:
    """What every token of the site needs, zone by zone, in the order of its file."""
    return (
        *(each for zone in site.dns for each in _of_zone(site, zone)),
        *(each for cdn in site.cdns for each in _of_cdn(cdn)),
        *(each for host in site.hosts for each in _of_host(host)),
        *_of_remotes(site),
        *map(_of_monitor, site.monitors),
        *map(_of_signal, site.signals),
        *(_of_page(page) for page in site.status if isinstance(page, AtlassianStatuspage)),
    )


def _of_zone(site: Site, zone: DnsZoneConfig) -> Iterator[Scope]:
    if isinstance(zone, CloudflareZone):
        about = f"zone resources: include, specific zone, {zone.zone.rstrip('.')} ({zone.zone_id})"
        reading = ("Zone: Zone: Read", "Zone: DNS: Read")
        yield Scope("cloudflare", zone.token, about, reading, (GROUPS[DNS_EDIT],), _CLOUDFLARE)
    elif isinstance(zone, Rfc2136Zone):
        yield _of_key(site, zone)


def _of_key(site: Site, zone: Rfc2136Zone) -> Scope:
    """The update policy of BIND that lets the key change the record sets of a recovery, and nothing else of the zone."""
    found = dict.fromkeys(lead.key for way in ways(site) for lead in way.at(zone.provider, zone.zone) if not lead.armed)
    grants = tuple(_grant(zone.tsig.name, key) for key in sorted(found, key=lambda key: (key.name, key.type)))
    source = "https://bind9.readthedocs.io/en/v9.18.14/reference.html#dynamic-update-policies"
    return Scope("rfc2136", zone.tsig.secret, f"update-policy of the zone {zone.zone.rstrip('.')}", (), grants, source)


def _grant(key: str, record: RecordKey) -> str:
    return f"grant {key} name {record.name} {record.type};"


def _of_cdn(cdn: CdnOfSite) -> Iterator[Scope]:
    if isinstance(cdn, CloudflareDistribution):
        about = f"zone resources: include, specific zone, {cdn.zone_id}"
        reading = ("Zone: Zone: Read", "Zone: DNS: Read")
        yield Scope("cloudflare", cdn.token, about, reading, (GROUPS[PURGE],), _CLOUDFLARE)


def _of_host(host: HostOfSite) -> Iterator[Scope]:
    if isinstance(host, VercelHost):
        whose = f"scope: the team {host.team}" if host.team else "scope: the account that the project is of"
        note = (
            "Vercel's tokens have no permissions of their own: they may do what their owner may in that scope. No procedure "
            "writes there by itself; a person who repairs the host by hand needs what `defib ready` asks for."
        )
        source = "https://vercel.com/docs/rest-api#creating-an-access-token"
        yield Scope(
            "vercel",
            host.token,
            f"{whose}, project {host.project}",
            ("read the project",),
            tuple(NEEDED.values()),
            source,
            note,
        )
    elif isinstance(host, NetlifyHost):
        note = (
            "Netlify's personal access tokens may do all that their owner may, in every team: give Defib a member of its "
            "own that is of this site's team alone. No procedure writes there."
        )
        source = "https://docs.netlify.com/api-and-cli-guides/api-guides/get-started-with-api/#authentication"
        yield Scope("netlify", host.token, f"site {host.project}", ("read the site",), (), source, note)


def _of_remotes(site: Site) -> Iterator[Scope]:
    for repository in repositories(site.site, site.git):
        for remote in repository.remotes:
            yield from _of_remote(remote)


def _of_remote(remote: Remote) -> Iterator[Scope]:
    """A mirror is written to, and so is the source once a mirror was promoted: which is which may change."""
    vendor, about = (remote.api.vendor, f"project {remote.api.project}") if remote.api else ("git", remote.url)
    secret = remote.token or remote.key
    if secret is None:
        return
    settings = remote.api is not None and remote.api.token in {None, secret}
    if vendor == "github":
        reading = ("Metadata: read", "Contents: read", *(SETTINGS if settings else ()))
        acting = ("Contents: write", "Workflows: write")
        note = "Workflows, because a push that brings files below .github/workflows is refused without it."
        yield Scope(vendor, secret, f"only this repository: {about}", reading, acting, _GITHUB, note)
    elif vendor == "gitlab":
        reading = ("read_repository", *(("read_api",) if settings else ()))
        note = (
            "A project access token reaches this project alone. Its role must be Maintainer for protected branches, deploy "
            "keys and variables."
        )
        yield Scope(vendor, secret, about, reading, ("write_repository",), _GITLAB, note)
    else:
        note = "Its server is asked by Git alone: what a key or a token may do there is its own affair."
        yield Scope(
            vendor, secret, about, ("fetch",), ("push, without force but where a lease is named",), "git help push", note
        )
    if remote.api and remote.api.token not in {None, secret}:
        reading = ("Metadata: read", *SETTINGS) if vendor == "github" else ("read_api",)
        source = _GITHUB if vendor == "github" else _GITLAB
        yield Scope(vendor, str(remote.api.token), f"settings of {about}", reading, (), source)


def _of_monitor(monitor: MonitorOfSite) -> Scope:
    if isinstance(monitor, UptimeRobotMonitor):
        source = "https://uptimerobot.com/api/v3/"
        return Scope("uptimerobot", monitor.token, f"monitor {monitor.monitor}", ("a read-only API key",), (), source)
    source = "https://docs.pingdom.com/api/#section/Authentication"
    return Scope("pingdom", monitor.token, f"check {monitor.check}", ("an API token with read access",), (), source)


def _of_signal(signal: SentrySessions) -> Scope:
    about = f"organization {signal.organization}, project {signal.project}"
    source = "https://docs.sentry.io/api/releases/retrieve-release-health-session-statistics/"
    return Scope("sentry", signal.token, about, ("org:read",), (), source)


def _of_page(page: AtlassianStatuspage) -> Scope:
    note = "Statuspage's keys have no scopes: they may do all on every page of the organisation."
    source = "https://developer.statuspage.io/#section/Authentication"
    return Scope("statuspage", page.token, f"page {page.page}", (), ("open, update and resolve incidents",), source, note)
