"""The real outside of a site: its vendors, its observers and its name servers, opened from the site file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from defib.clock import Clock
from defib.errors import LabDown, Refused
from defib.groundwork import Audit
from defib.home import Home
from defib.observe.answers import DnsAnswers
from defib.observe.caa import CaaLookup
from defib.observe.certificate import CertificateProbe
from defib.observe.names import find_names
from defib.observe.web import WebObservers
from defib.ports import Answers, Cdn, DnsZone, Host, Observers
from defib.providers.open import open_cdn, open_host, open_pointer, open_sources, open_standby, open_store, open_zone
from defib.providers.secret import resolve
from defib.providers.wrappers import ReadOnlyCdn, ReadOnlyHost, ReadOnlyZone
from defib.redact import Redactor
from defib.releases.store import ReleaseStore
from defib.site import Site
from defib.sitevendors import AwsHost
from defib.trust import CaaPolicies, Certificates
from defib.workshop import Workshop


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
    """Everything a run can reach outside of itself.

    `pointers` are, by host, the one record that says which of its releases the host serves, `stores` where those are kept,
    `grounds` all that it is made of, and `workshop` is where new releases are built.
    """

    zones: tuple[DnsZone, ...]
    cdns: Mapping[str, Cdn]
    observers: Observers
    answers: Answers
    certificates: Certificates
    caa: CaaPolicies
    hosts: Mapping[str, Host] = field(default_factory=dict)
    pointers: Mapping[str, DnsZone] = field(default_factory=dict)
    stores: Mapping[str, ReleaseStore] = field(default_factory=dict)
    grounds: Mapping[str, tuple[DnsZone, Audit]] = field(default_factory=dict)
    workshop: Workshop | None = None
    fence: Fence = field(default_factory=Fence)

    @property
    def changeable(self) -> tuple[DnsZone, ...]:
        """Everything in which a plan may change record sets."""
        return (*self.zones, *self.pointers.values(), *(zone for zone, _ in self.grounds.values()))


def read_only(outside: Outside) -> Outside:
    """The same outside, with every write refused."""
    return replace(
        outside,
        zones=tuple(ReadOnlyZone(zone) for zone in outside.zones),
        cdns={name: ReadOnlyCdn(cdn) for name, cdn in outside.cdns.items()},
        hosts={name: ReadOnlyHost(host) for name, host in outside.hosts.items()},
        pointers={name: ReadOnlyZone(pointer) for name, pointer in outside.pointers.items()},
        grounds={name: (ReadOnlyZone(zone), audit) for name, (zone, audit) in outside.grounds.items()},
    )


def open_outside(site: Site, home: Home, redact: Redactor, clock: Clock) -> Outside:
    """Everything that the site file names, ready to be asked; nothing is asked yet.

    Every secret is resolved here, before a run begins, and learnt by `redact`, so that a missing one stops nothing half-way.
    """
    if site.lab and not (home.path / "lab" / "lab.json").is_file():
        raise LabDown(f"{site.site} is a site of the lab, and the lab is not up", where=str(home.path), then="defib lab up")

    def secret(reference: str) -> str:
        return redact.learn(resolve(reference, home.path))

    fence = Fence()
    last_resorts = [host for host in site.hosts if isinstance(host, AwsHost)]
    sources = open_sources(site, home.path, secret)
    outside = Outside(
        zones=tuple(open_zone(zone, secret, fence) for zone in site.dns),
        cdns={cdn.name: open_cdn(site, cdn, secret, fence) for cdn in site.cdns},
        observers=WebObservers(site, home.path, clock),
        answers=DnsAnswers(site, home.path, clock),
        certificates=CertificateProbe(site, home.path, clock),
        caa=CaaLookup(site, home.path),
        hosts={host.name: open_host(host, secret, fence) for host in site.hosts},
        pointers={host.name: open_pointer(host, secret, fence) for host in last_resorts},
        stores={host.name: open_store(host, secret, fence) for host in last_resorts},
        grounds={host.name: open_standby(site, host, secret, fence) for host in last_resorts},
        workshop=Workshop(site, home, sources) if sources and site.build else None,
        fence=fence,
    )
    find_names(site, home.path, clock)
    return outside
