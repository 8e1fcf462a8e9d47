"""The real outside of a site: its vendors, its observers and its name servers, opened from the site file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain

from defib.clock import Clock
from defib.errors import InputError, LabDown, Refused
from defib.home import Home
from defib.mirror.copies import Mirrors
from defib.monitor import Monitors, Nobody
from defib.observe.answers import DnsAnswers
from defib.observe.asking import AskedMonitors
from defib.observe.caa import CaaLookup
from defib.observe.certificate import CertificateProbe
from defib.observe.names import find_names
from defib.observe.web import WebObservers
from defib.ports import Answers, Cdn, DnsZone, Host, Observers
from defib.providers.open import Secrets, open_cdn, open_host, open_last_resort, open_mirrors, open_sources, open_zone
from defib.providers.open_monitors import open_monitor, open_signal
from defib.providers.open_replicas import open_replicas
from defib.providers.secret import resolve
from defib.providers.wrappers import ReadOnlyCdn, ReadOnlyHost, ReadOnlyZone
from defib.redact import Redactor
from defib.redeploy.place import LastResort
from defib.redeploy.workshop import Workshop
from defib.replication.pair import Replicas
from defib.sites.site import Site
from defib.users.trust import CaaPolicies, Certificates


class Fence:
    """What every write passes right before it goes out: closed until a run arms it with the check of its lease."""

    def __init__(self) -> None:
        self._check: Callable[[], None] | None = None

    def arm(self, check: Callable[[], None]) -> None:
        """From now on a write goes out when `check` does not raise."""
        self._check = check

    def __call__(self) -> None:
        if self._check is None:
            raise Refused("nothing is written without a lease")
        self._check()


@dataclass(frozen=True)
class Outside:
    """Everything a run can reach outside of itself; `workshop` is where new releases are built."""

    zones: tuple[DnsZone, ...]
    cdns: Mapping[str, Cdn]
    observers: Observers
    answers: Answers
    certificates: Certificates
    caa: CaaPolicies
    hosts: Mapping[str, Host] = field(default_factory=dict)
    last_resort: LastResort | None = None
    workshop: Workshop | None = None
    mirrors: Mirrors | None = None
    replicas: Replicas | None = None
    monitors: Monitors = field(default_factory=Nobody)
    fence: Fence = field(default_factory=Fence)

    @property
    def changeable(self) -> tuple[DnsZone, ...]:
        """Everything in which a plan may change record sets."""
        others = (part.changeable for part in (self.last_resort, self.mirrors, self.replicas) if part)
        return (*self.zones, *chain.from_iterable(others))

    @property
    def the_last_resort(self) -> LastResort:
        """The last resort; :class:`InputError` where the site has none."""
        if self.last_resort is None:
            raise InputError("the site has no last resort", expected="a host with provider: s3-cloudfront in its file")
        return self.last_resort


def read_only(outside: Outside) -> Outside:
    """The same outside, with every write refused."""
    return replace(
        outside,
        zones=tuple(ReadOnlyZone(zone) for zone in outside.zones),
        cdns={name: ReadOnlyCdn(cdn) for name, cdn in outside.cdns.items()},
        hosts={name: ReadOnlyHost(host) for name, host in outside.hosts.items()},
        last_resort=_read_only(outside.last_resort) if outside.last_resort else None,
    )


def _read_only(resort: LastResort) -> LastResort:
    return replace(resort, pointer=ReadOnlyZone(resort.pointer), ground=ReadOnlyZone(resort.ground))


def open_outside(site: Site, home: Home, redact: Redactor, clock: Clock) -> Outside:
    """Everything that the site file names, ready to be asked; nothing is asked yet.

    Every secret is resolved here, before a run begins, and learnt by `redact`, so that a missing one stops nothing half-way.
    Those of monitors are not: a run does without them.
    """
    if site.lab and not (home.path / "lab" / "lab.json").is_file():
        raise LabDown(f"{site.site} is a site of the lab, and the lab is not up", where=str(home.path), then="defib lab up")

    def secret(reference: str) -> str:
        return redact.learn(resolve(reference, home.path))

    fence = Fence()
    sources = open_sources(site, home.path, secret)
    outside = Outside(
        zones=tuple(open_zone(zone, secret, fence) for zone in site.dns),
        cdns={cdn.name: open_cdn(site, cdn, secret, fence) for cdn in site.cdns},
        observers=WebObservers(site, home.path, clock),
        answers=DnsAnswers(site, home.path, clock),
        certificates=CertificateProbe(site, home.path, clock),
        caa=CaaLookup(site, home.path),
        hosts={host.name: open_host(host, secret, fence) for host in site.hosts},
        last_resort=open_last_resort(site, secret, fence),
        workshop=Workshop(site, home, sources) if sources and site.build else None,
        mirrors=open_mirrors(site, home, secret, fence),
        replicas=open_replicas(site, home, secret, fence),
        monitors=_monitors(site, secret, clock),
        fence=fence,
    )
    find_names(site, home.path, clock)
    return outside


def _monitors(site: Site, secret: Secrets, clock: Clock) -> Monitors:
    """Whoever else has a word on the site."""
    return AskedMonitors(site, partial(open_monitor, secrets=secret), partial(open_signal, secrets=secret), clock)
