"""Sites: what is under protection, read from one YAML file each.

The file is checked as a whole before anything uses it: unknown keys, duplicate names, negative or non-finite durations and
literal secrets are refused with file, line and, for a misspelt key, the nearest valid one. Ids and addresses of vendors
are in the file, so that nothing is looked up through what may be down.
"""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, NoReturn, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, model_validator

from defib.errors import InputError, SiteInvalid, UnknownSite
from defib.objectives import Objectives
from defib.ports import RecordKey
from defib.sites.alerts import AlertChannel, StatusPageConfig
from defib.sites.drills import Drills
from defib.sites.git import Build, Git
from defib.sites.monitors import MonitorConfig, SentrySessions, check_voices
from defib.sites.replication import Replicated
from defib.sites.values import Duration, HostName, Part
from defib.sites.vendors import AwsHost, CdnConfig, CdnOfSite, DnsZoneConfig, FailoverSwitch, HostConfig, HostOfSite, Server
from defib.yamlfile import Misplaced, load_model


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
    apis: tuple[str, ...] = ()
    """What the page calls at other people's: each must be reachable, or users would have a page that does nothing."""

    @property
    def name(self) -> str:
        """The name that users ask for, fully qualified with a trailing dot."""
        return f"{urlsplit(self.url).hostname}."

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.url.startswith("https://"):
            raise ValueError("url must be https://")
        try:
            groups = re.compile(self.build).groupindex
        except re.error as error:
            raise ValueError(f"build must be a regular expression: {error}") from error
        for api in self.apis:
            if not api.startswith("https://"):
                raise ValueError(f"apis must be https://, not {api!r}")
        if not {"id", "built"} <= set(groups):
            raise ValueError("build must have the groups (?P<id>…) and (?P<built>…)")
        return self


class Origin(Part):
    """Where the CDNs fetch from; judged past every cache. `connect_to` overrides the address that its name has."""

    url: str
    connect_to: str = ""


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

    Once the site would be down, the site's monitors are waited for until their next checks confirm or contradict that,
    no longer than `wait_for_monitors` from the first bad look on. Whoever of them cannot tell is not waited for.
    """

    interval: Duration = timedelta(seconds=1)
    fall: int = Field(default=3, ge=1, le=100)
    rise: int = Field(default=2, ge=1, le=100)
    quorum: int = Field(default=2, ge=1)
    probe_deadline: Duration = timedelta(seconds=5)
    cool_down: Duration = timedelta(minutes=10)
    wait_for_monitors: Duration = timedelta(0)
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


def _listed(value: object) -> object:
    """One zone may stand without the dash that would make it a list."""
    return [value] if isinstance(value, dict) else value


class Site(Part):
    """One web property under protection.

    `dns` is one zone, or several: of several names, or the same zone at several providers. Without `cdns` there is no
    `steering`, and the hosts' record sets are all that decides. `depends` adds to the vendors that a vendor leans on.
    """

    site: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    title: str
    objectives: Targets
    page: Page
    origin: Origin
    dns: Annotated[tuple[DnsZoneConfig, ...], BeforeValidator(_listed), Field(min_length=1)]
    steering: Steering | None = None
    cdns: tuple[CdnConfig, ...] = ()
    hosts: tuple[HostConfig, ...] = ()
    git: Git | None = None
    build: Build | None = None
    replication: tuple[Replicated, ...] = ()
    depends: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    resolvers: tuple[Server, ...] = Field(min_length=1)
    observers: tuple[Observer, ...] = Field(min_length=1)
    monitors: tuple[MonitorConfig, ...] = ()
    signals: tuple[SentrySessions, ...] = ()
    detection: Detection
    verification: Verification
    acceptance: Acceptance | None = None
    alerts: tuple[AlertChannel, ...] = ()
    status: tuple[StatusPageConfig, ...] = ()
    drills: Drills | None = None
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
            ("monitors", [monitor.name for monitor in self.monitors]),
            ("signals", [signal.name for signal in self.signals]),
            ("resolvers", [server.name for server in self.resolvers]),
            ("alerts", [channel.name for channel in self.alerts]),
            ("status", [page.name for page in self.status]),
            ("replication", [pair.name for pair in self.replication]),
            ("dns.servers", [server.name for server in self.servers]),
        ):
            for number, name in enumerate(names):
                if name in names[:number]:
                    raise Misplaced(f"the name {name!r} stands twice", *kind.split("."), number, "name")
                if name in RESERVED:
                    raise Misplaced(f"the name {name!r} means something else in journals", *kind.split("."), number, "name")
        return self

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        known = {server.name for server in self.resolvers}
        for number, observer in enumerate(self.observers):
            if observer.resolver not in known:
                raise Misplaced(f"no resolver is named {observer.resolver!r}", "observers", number, "resolver")
        if self.detection.quorum > len(self.observers):
            raise Misplaced("larger than the number of observers", "detection", "quorum")
        if self.verification.resolvers_moved > len(self.resolvers):
            raise Misplaced("larger than the number of resolvers", "verification", "resolvers_moved")
        return self

    @model_validator(mode="after")
    def _others_only_help(self) -> Self:
        voices = [observer.name for observer in self.observers]
        check_voices(voices, self.monitors, self.signals, quorum=self.detection.quorum, lab=self.lab)
        if self.detection.wait_for_monitors and not self.monitors:
            raise Misplaced("there are no monitors to wait for", "detection", "wait_for_monitors")
        return self

    @model_validator(mode="after")
    def _there_are_two_ways(self) -> Self:
        if self.cdns and [cdn.role for cdn in self.cdns].count("primary") != 1:
            raise Misplaced("exactly one has role primary", "cdns")
        if self.hosts and [host.role for host in self.hosts].count("primary") != 1:
            raise Misplaced("exactly one has role primary", "hosts")
        if len(self.cdns) == 1:
            raise Misplaced("one alone has no standby; leave it out, or name another", "cdns")
        if len(self.hosts) == 1:
            raise Misplaced("one alone has no backup; leave it out, or name another", "hosts")
        if bool(self.cdns) != (self.steering is not None):
            raise Misplaced("a steering record needs cdns, and they need it", "steering" if self.steering else "cdns")
        if not self.cdns and not self.hosts:
            raise Misplaced("neither cdns nor hosts: users can be sent nowhere", "site")
        page = self.page.name
        for number, host in enumerate(self.hosts):
            if page not in {record.name for record in host.records} and not (self.cdns and host.role == "primary"):
                raise Misplaced(f"no record set says where {page} leads", "hosts", number, "records")
        return self

    @model_validator(mode="after")
    def _names_are_in_zones(self) -> Self:
        if self.steering and not self.is_ours(self.steering.name):
            raise Misplaced(f"not inside the zone {', '.join(self.zones)}", "steering", "name")
        for number, host in enumerate(self.hosts):
            for place, record in enumerate(host.records):
                if not self.is_ours(record.name):
                    zones = ", ".join(self.zones)
                    raise Misplaced(f"not inside the zone {zones}", "hosts", number, "records", place, "name")
        return self

    @model_validator(mode="after")
    def _hosts_have_the_same_names(self) -> Self:
        """Every record set of one host stands at every other, or users would be left behind where it is not named."""
        steering = {self.steering.key} if self.steering else set()
        named = [{(record.key, record.at) for record in host.records if not record.set_identifier} for host in self.hosts]
        for number, (host, own) in enumerate(zip(self.hosts, named, strict=True)):
            through_cdn = steering if host.role == "primary" else set()
            for key, at in set().union(*named) - own:
                if key not in through_cdn:
                    where = f" at {at}" if at else ""
                    raise Misplaced(
                        f"{key}{where} stands at another host and not at {host.name}", "hosts", number, "records"
                    )
            for key, _ in own:
                if key in through_cdn:
                    raise Misplaced(f"{key} is what steers between the cdns", "hosts", number, "records")
        return self

    @model_validator(mode="after")
    def _drills_fit(self) -> Self:
        for number, procedure in enumerate(self.drills.procedures if self.drills else ()):
            if procedure not in self.drillable:
                has = ", ".join(self.drillable)
                raise Misplaced(
                    f"the site has nothing that {procedure} is about; it has: {has}", "drills", "procedures", number
                )
        return self

    @model_validator(mode="after")
    def _lab_is_here(self) -> Self:
        servers = (*self.servers, *self.resolvers)
        if self.lab and not all(server.address.startswith("127.") for server in servers):
            raise Misplaced("true, and yet a DNS server or resolver is not on this machine (127.…)", "lab")
        return self

    def is_ours(self, name: str) -> bool:
        """Whether `name` (with its trailing dot) is in one of the site's zones."""
        return any(f".{name}".endswith(f".{zone}") for zone in self.zones)

    def zone_of(self, name: str) -> str:
        """The zone that holds `name`: the innermost, where one of the site's zones is delegated from another."""
        return max((zone for zone in self.zones if f".{name}".endswith(f".{zone}")), key=len, default="")

    @property
    def drillable(self) -> tuple[str, ...]:
        """The procedures that can be drilled because the site has what they are about."""
        builds = self.build is not None and any(isinstance(host, AwsHost) for host in self.hosts)
        has = {
            "cdn-failover": bool(self.cdns),
            "dns-switch": bool(self.hosts),
            "aws-redeploy": builds,
            "git-mirror": self.git is not None,
            "replication-check": bool(self.replication),
        }
        return tuple(procedure for procedure, there in has.items() if there)

    @property
    def zones(self) -> tuple[str, ...]:
        """The zones' names, each once."""
        return tuple(dict.fromkeys(zone.zone for zone in self.dns))

    @property
    def servers(self) -> tuple[Server, ...]:
        """Every authoritative server of every zone at every provider."""
        return tuple(server for zone in self.dns if not isinstance(zone, FailoverSwitch) for server in zone.servers)

    @property
    def steered(self) -> Steering:
        """The steering record; :class:`InputError` where the site has no CDNs."""
        return self.steering or self._has_no("cdns")

    @property
    def primary(self) -> CdnOfSite:
        """The CDN that users are on when all is well; :class:`InputError` where the site has none."""
        return next((cdn for cdn in self.cdns if cdn.role == "primary"), None) or self._has_no("cdns")

    @property
    def standbys(self) -> tuple[CdnOfSite, ...]:
        """The other CDNs, in the order of preference."""
        return tuple(cdn for cdn in self.cdns if cdn.role == "secondary")

    @property
    def primary_host(self) -> HostOfSite:
        """The host that users are on when all is well; :class:`InputError` where the site names none."""
        return next((host for host in self.hosts if host.role == "primary"), None) or self._has_no("hosts")

    @property
    def backups(self) -> tuple[HostOfSite, ...]:
        """The other hosts, in the order of preference."""
        return tuple(host for host in self.hosts if host.role == "backup")

    def _has_no(self, part: str) -> NoReturn:
        raise InputError(f"the site {self.site} has no {part}", where=f"{self.site}.yaml", expected=f"{part}: in its file")


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
