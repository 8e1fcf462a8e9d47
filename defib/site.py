"""Sites: what is under protection, read from one YAML file each.

The file is checked as a whole before anything uses it: unknown keys, duplicate names, negative or non-finite durations and
literal secrets are refused with file, line and, for a misspelt key, the nearest valid one. Ids and addresses of vendors
are in the file, so that nothing is looked up through what may be down.
"""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from defib.errors import InputError, SiteInvalid, UnknownSite
from defib.objectives import Objectives
from defib.ports import RecordKey
from defib.sitealerts import AlertChannel, StatusPageConfig
from defib.sitevalues import Aws, Duration, HostName, Part, SecretReference, parse_duration
from defib.yamlfile import Misplaced, load_model

__all__ = ["Aws", "Duration", "parse_duration"]  # they stand in defib.sitevalues, for others to build on


class Targets(Part):
    """The ceilings that the business signed."""

    rto: Duration
    rpo: Duration

    def objectives(self) -> Objectives:
        """The same as the domain's value."""
        return Objectives(rto=self.rto, rpo=self.rpo)


class Page(Part):
    """What "served as expected" means: content, build marker, headers, speed.

    `build` is a regular expression with the groups ``id`` and ``built`` (ISO 8601). A header's value must be contained in
    what is served, ignoring the case of the name.
    """

    url: str
    contains: str
    build: str
    load_within: Duration = timedelta(seconds=3)
    headers: dict[str, str] = Field(default_factory=dict)
    warm: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.url.startswith("https://"):
            raise ValueError("url must be https://")
        try:
            groups = re.compile(self.build).groupindex
        except re.error as error:
            raise ValueError(f"build must be a regular expression: {error}") from error
        if not {"id", "built"} <= set(groups):
            raise ValueError("build must have the groups (?P<id>…) and (?P<built>…)")
        return self


class Origin(Part):
    """Where the CDNs fetch from; judged past every cache. `connect_to` overrides the address that its name has."""

    url: str
    connect_to: str = ""


class Server(Part):
    """A DNS server: a name for people, an address, and for resolvers where DNS over HTTPS is spoken."""

    name: str
    address: str
    port: int = Field(default=53, ge=1, le=65535)
    doh: str = ""


class Tsig(Part):
    """The key that signs RFC 2136 updates; `secret` leads to its base64."""

    name: str
    secret: SecretReference
    algorithm: str = "hmac-sha256"


class Route53Zone(Part):
    """A hosted zone."""

    provider: Literal["route53"]
    zone: HostName
    zone_id: str
    servers: tuple[Server, ...] = Field(min_length=1)
    aws: Aws = Aws()


class Rfc2136Zone(Part):
    """A zone on a name server that takes dynamic updates; `primary` is the server to send them to."""

    provider: Literal["rfc2136"]
    zone: HostName
    primary: Server
    servers: tuple[Server, ...] = Field(min_length=1)
    tsig: Tsig


class CloudflareZone(Part):
    """A Cloudflare zone in full set-up, which Cloudflare's own `servers` answer for."""

    provider: Literal["cloudflare"]
    zone: HostName
    zone_id: str
    servers: tuple[Server, ...] = Field(min_length=1)
    token: SecretReference
    api: str = "https://api.cloudflare.com/client/v4"


DnsZoneConfig = Annotated[Route53Zone | Rfc2136Zone | CloudflareZone, Field(discriminator="provider")]


class _Distribution(Part):
    name: str
    role: Literal["primary", "secondary"]
    hostname: HostName


class CloudFrontDistribution(_Distribution):
    """A CloudFront distribution: its id, and the ``….cloudfront.net`` name that DNS points at."""

    provider: Literal["cloudfront"]
    distribution: str
    aws: Aws = Aws()


class CloudflareDistribution(_Distribution):
    """A Cloudflare zone in CNAME set-up: the zone's id, and the ``….cdn.cloudflare.net`` name that DNS points at."""

    provider: Literal["cloudflare"]
    zone_id: str
    token: SecretReference
    api: str = "https://api.cloudflare.com/client/v4"


CdnOfSite = CloudFrontDistribution | CloudflareDistribution

CdnConfig = Annotated[CdnOfSite, Field(discriminator="provider")]


class HostRecords(Part):
    """One record set as it stands while users are at a host; a CNAME beside the apex's A and AAAA."""

    name: HostName
    type: Literal["A", "AAAA", "CNAME"]
    values: tuple[str, ...] = Field(min_length=1)


class _Host(Part):
    name: str
    role: Literal["primary", "backup"]
    records: tuple[HostRecords, ...] = Field(min_length=1)


class VercelHost(_Host):
    """A Vercel project; `team` is the id of the team that owns it, if a team does."""

    provider: Literal["vercel"]
    project: str
    team: str = ""
    token: SecretReference
    api: str = "https://api.vercel.com"


class NetlifyHost(_Host):
    """A Netlify site, by its id (a UUID), not its name."""

    provider: Literal["netlify"]
    project: str
    token: SecretReference
    api: str = "https://api.netlify.com/api/v1"


HostConfig = Annotated[VercelHost | NetlifyHost, Field(discriminator="provider")]


class Steering(Part):
    """The record set that decides which CDN users reach, and the only one that a failover may change."""

    name: HostName
    type: Literal["CNAME"] = "CNAME"
    ttl: Duration

    @property
    def key(self) -> RecordKey:
        """The key of the record set."""
        return RecordKey(self.name, self.type)


class Observer(Part):
    """A vantage point: it resolves through its own resolver, and looks as a user would."""

    name: str
    resolver: str
    """The name of one of the site's resolvers."""


class Detection(Part):
    """When a site is down, and when it is not the site.

    An observer turns bad after `fall` bad looks in a row and good after `rise` good ones; the site is down when `quorum`
    observers are bad. `probe_deadline` is the total time of one look.
    """

    interval: Duration = timedelta(seconds=1)
    fall: int = Field(default=3, ge=1, le=100)
    rise: int = Field(default=2, ge=1, le=100)
    quorum: int = Field(default=2, ge=1)
    probe_deadline: Duration = timedelta(seconds=5)
    cool_down: Duration = timedelta(minutes=10)
    references: tuple[str, ...] = Field(min_length=2)
    """Sites of other people, fetched over HTTPS to tell "the site is down" from "I am offline"."""


class Verification(Part):
    """When users are served for good: by every observer for `hold`, looking every `interval`.

    `resolvers_moved` of the site's resolvers must give the new answer before the answers count as moved.
    `stable_for` is how long the primary must have been good before a failback.
    """

    hold: Duration = timedelta(minutes=2)
    interval: Duration = timedelta(milliseconds=200)
    resolvers_moved: int = Field(ge=1)
    stable_for: Duration = timedelta(minutes=15)


class Acceptance(Part):
    """A command of the site's owners that must exit 0 against a standby before users are sent there.

    It gets ``DEFIB_URL`` and ``DEFIB_CONNECT_TO`` in its environment; its whole process group ends with its time.
    """

    command: tuple[str, ...] = Field(min_length=1)
    within: Duration = timedelta(seconds=30)


RESERVED = frozenset({"users", "origin"})
"""Whose service a look was at, where it was not a CDN's or a host's."""


class Site(Part):
    """One web property under protection."""

    site: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    title: str
    objectives: Targets
    page: Page
    origin: Origin
    dns: DnsZoneConfig
    steering: Steering
    cdns: tuple[CdnConfig, ...] = Field(min_length=2)
    hosts: tuple[HostConfig, ...] = ()
    resolvers: tuple[Server, ...] = Field(min_length=1)
    observers: tuple[Observer, ...] = Field(min_length=1)
    detection: Detection
    verification: Verification
    acceptance: Acceptance | None = None
    alerts: tuple[AlertChannel, ...] = ()
    status: tuple[StatusPageConfig, ...] = ()
    lab: bool = False
    """True where everything is in the lab: only there may a run rehearse."""
    trust: str = ""
    """A PEM file of certificate authorities instead of the public ones, relative to $DEFIB_HOME; for the lab."""

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        for kind, names in (
            ("cdns", [cdn.name for cdn in self.cdns]),
            ("hosts", [host.name for host in self.hosts]),
            ("observers", [observer.name for observer in self.observers]),
            ("resolvers", [server.name for server in self.resolvers]),
            ("alerts", [channel.name for channel in self.alerts]),
            ("status", [page.name for page in self.status]),
            ("dns.servers", [server.name for server in self.dns.servers]),
        ):
            for number, name in enumerate(names):
                if name in names[:number]:
                    raise Misplaced(f"the name {name!r} stands twice", *kind.split("."), number, "name")
                if name in RESERVED:
                    raise Misplaced(f"the name {name!r} means something else in journals", *kind.split("."), number, "name")
        return self

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if [cdn.role for cdn in self.cdns].count("primary") != 1:
            raise Misplaced("exactly one has role primary", "cdns")
        known = {server.name for server in self.resolvers}
        for number, observer in enumerate(self.observers):
            if observer.resolver not in known:
                raise Misplaced(f"no resolver is named {observer.resolver!r}", "observers", number, "resolver")
        if self.detection.quorum > len(self.observers):
            raise Misplaced("larger than the number of observers", "detection", "quorum")
        if self.verification.resolvers_moved > len(self.resolvers):
            raise Misplaced("larger than the number of resolvers", "verification", "resolvers_moved")
        if not self.steering.name.endswith(f".{self.dns.zone}"):
            raise Misplaced(f"not inside the zone {self.dns.zone}", "steering", "name")
        return self

    @model_validator(mode="after")
    def _lab_is_here(self) -> Self:
        servers = (*self.dns.servers, *self.resolvers)
        if self.lab and not all(server.address.startswith("127.") for server in servers):
            raise Misplaced("true, and yet a DNS server or resolver is not on this machine (127.…)", "lab")
        return self

    def cdn(self, name: str) -> CdnOfSite:
        """The CDN of that name; :class:`InputError` when the site file no longer has it."""
        for cdn in self.cdns:
            if cdn.name == name:
                return cdn
        raise InputError(f"the site {self.site} has no CDN {name!r}", expected=", ".join(cdn.name for cdn in self.cdns))

    @property
    def primary(self) -> CdnOfSite:
        """The CDN that users are on when all is well."""
        return next(cdn for cdn in self.cdns if cdn.role == "primary")

    @property
    def standbys(self) -> tuple[CdnOfSite, ...]:
        """The other CDNs, in the order of preference."""
        return tuple(cdn for cdn in self.cdns if cdn.role == "secondary")


def load_site(path: Path) -> Site:
    """Read one site file; :class:`SiteInvalid` names file and line of what is wrong."""
    return load_model(path, Site, SiteInvalid)


def find_site(name: str, *folders: Path) -> Path:
    """The file of the site `name` in the first of `folders` that has it; :class:`UnknownSite` lists those that exist.

    `name` may also be a path to a YAML file.
    """
    direct = Path(name)
    candidates = [direct] if direct.suffix in {".yaml", ".yml"} else [folder / f"{name}.yaml" for folder in folders]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    known = sorted({file.stem for folder in folders for file in folder.glob("*.yaml")})
    raise UnknownSite(
        f"there is no site {name!r}",
        where=", ".join(map(str, folders)),
        expected=f"one of: {', '.join(known)}" if known else "a YAML file",
        then=f"defib plan cdn-failover --site {known[0] if known else 'NAME'}",
    )
