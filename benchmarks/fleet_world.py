"""Sites whose users and hosts are scripted, while their DNS is at a Route 53 that is asked over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from benchmarks.fleet_aws import BACKUP, PRIMARY, Address, records, zone_id, zone_name
from defib.clock import Clock, Deadline
from defib.home import Home
from defib.observe.memory import (
    MemoryAnswers,
    MemoryAuthority,
    MemoryObservers,
    MemoryServer,
    MemoryTrust,
    Sight,
)
from defib.outside import Fence, Outside
from defib.ports import Aim, Attachment, Build, Deployment, DnsZone, Health, Receipt, RecordChange
from defib.providers.dns.memory import MemoryZone
from defib.providers.host.memory import MemoryHost
from defib.providers.open import open_zone
from defib.providers.wrappers.around import ZoneAround
from defib.redact import Redactor
from defib.sites.site import Site
from defib.users.lastbuild import remember

_SITE = """\
site: site-{number:03}
title: Site {number} of a fleet
objectives: {{rto: 4h, rpo: 1h}}
page:
  url: https://www.{zone}/
  contains: <title>A site</title>
  build: <meta name="build" content="(?P<id>[0-9a-f]+) (?P<built>[0-9TZ:+-]+)">
origin: {{url: "https://{primary}/"}}
dns:
  provider: route53
  zone: {zone}
  zone_id: {zone_id}
  servers: [{{name: ns-1, address: 127.0.0.1}}, {{name: ns-2, address: 127.0.0.1}}]
  aws: {{endpoint: "{endpoint}", access_key: "env:FLEET_KEY", secret_key: "env:FLEET_SECRET"}}
hosts:
  - name: vercel
    provider: vercel
    role: primary
    project: prj_{number}
    token: env:FLEET_SECRET
    records:
{primaries}
  - name: netlify
    provider: netlify
    role: backup
    project: 00000000-0000-0000-0000-000000000{number:03}
    token: env:FLEET_SECRET
    records:
{backups}
resolvers: [{{name: resolver-1, address: 127.0.0.1}}, {{name: resolver-2, address: 127.0.0.1}}]
observers: [{{name: north, resolver: resolver-1}}, {{name: south, resolver: resolver-2}}]
detection:
  references: ["https://one.test/", "https://two.test/"]
verification: {{hold: 1s, resolvers_moved: 2}}
"""


def site_file(folder: Path, number: int, names: int, endpoint: str) -> Path:
    """The file of one site with so many names."""
    path = folder / f"site-{number:03}.yaml"
    text = _SITE.format(
        number=number,
        zone=zone_name(number).rstrip("."),
        zone_id=zone_id(number),
        endpoint=endpoint,
        primary=PRIMARY.rstrip("."),
        primaries=_records(number, names, PRIMARY),
        backups=_records(number, names, BACKUP),
    )
    path.write_text(text, encoding="utf-8")
    return path


def _records(number: int, names: int, target: str) -> str:
    line = "      - {{name: {name}, type: CNAME, values: [{target}], ttl: 1s}}"
    return "\n".join(line.format(name=each.key.name, target=target) for each in records(number, names, target))


class FleetWorld:
    """Opens the outside of each site: its zone for real, and users who follow what was written there."""

    def __init__(self, address: Address, names: int, clock: Clock) -> None:
        self._names = names
        self._secrets = {"env:FLEET_KEY": address.access_key, "env:FLEET_SECRET": address.secret_key}
        self.build = Build("4f" * 20, clock.now() - timedelta(minutes=5))

    def open(self, site: Site, home: Home, redact: Redactor, clock: Clock) -> Outside:
        """The outside of `site`, whose primary host has failed."""
        remember(home.site(site.site), self.build, clock.now())
        number = int(site.site.removeprefix("site-"))
        written = MemoryZone(zone_name(number), records(number, self._names, PRIMARY), vendor="route53")
        fence = Fence()
        zone = open_zone(site.dns[0], lambda reference: redact.learn(self._secrets[reference]), fence)
        servers = [MemoryServer(server.name) for server in site.servers]
        resolvers = [MemoryServer(server.name) for server in site.resolvers]
        answers = MemoryAnswers([MemoryAuthority(written, servers, zone_name(number), "route53")], resolvers, clock)
        observers = MemoryObservers([each.name for each in site.observers], _Users(written, clock, self.build), clock)
        trust = MemoryTrust(clock)
        hosts = {host.name: _host(host.project, [each.key.name for each in written.records], clock) for host in site.hosts}
        return Outside((_Followed(zone, written),), {}, observers, answers, trust, trust, hosts, fence=fence)


class _Followed(ZoneAround):
    """A zone whose writes users come to see."""

    def __init__(self, inner: DnsZone, written: MemoryZone) -> None:
        super().__init__(inner)
        self._written = written

    def replace(self, changes: Sequence[RecordChange], *, within: Deadline) -> Receipt:
        """Write, and let users see it."""
        receipt = self._inner.replace(changes, within=within)
        self._written.replace(changes, within=within)
        return receipt


class _Users:
    """What users see: the backup serves, and the primary does not."""

    def __init__(self, written: MemoryZone, clock: Clock, build: Build) -> None:
        self._written, self._clock, self._build = written, clock, build

    def __call__(self, _observer: str, aim: Aim, _at: datetime) -> Sight:
        """The page, or a refused connection."""
        leads_to = aim.connect_to or self._followed()
        if leads_to == BACKUP:
            return Sight(Health.GOOD, build=self._build)
        return Sight(Health.BAD, "connection refused", took=timedelta(milliseconds=1))

    def _followed(self) -> str:
        (www,) = (each for each in self._written.records if each.key.name.startswith("www."))
        return www.values[0]


def _host(project: str, names: Sequence[str], clock: Clock) -> MemoryHost:
    until = clock.now() + timedelta(days=60)
    attached = [Attachment(name, attached=True, verified=True, certificate_until=until) for name in names]
    return MemoryHost(project, [Deployment("live", clock.now())], "live", attached)
