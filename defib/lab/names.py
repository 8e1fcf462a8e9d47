"""The name service of the lab, put together: who is authoritative for what, and who resolves for whom."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import Future
from datetime import timedelta

from defib.lab import cloudflare_names, furniture, route53_names
from defib.lab.certificates import LabAuthority
from defib.lab.cloudflare_state import CloudflareZone
from defib.lab.dns.authority import Authority
from defib.lab.dns.dynamic import DynamicPrimary
from defib.lab.dns.messages import TsigKey
from defib.lab.dns.resolver import Resolver
from defib.lab.dns.zone import PublishedSet, PublishedZone
from defib.lab.hosting import furniture as hosting
from defib.lab.plan import DNS_PORT, WEB_PORT, AddressPlan
from defib.ports import RecordSet

TSIG_NAME = "defib"
STUBBORN = timedelta(seconds=30)
STATIC_TTL = timedelta(seconds=60)
_DELAYS = tuple(timedelta(milliseconds=delay) for delay in (5, 15, 30, 50))
_CHECK = 0.005
_RESOLVERS = 6
_VENDORS = 90
_MONITORS = 91

AUTHORITY_FAULTS = ("silent", "refusing", "frozen", "left-behind")
UPDATE_FAULTS = ("lying", "lost-answer")
HEALTH_FAULTS = ("unhealthy",)
RESOLVER_FAULTS = ("silent", "servfail", "port53-closed")


class NameService:
    """Every DNS server of one lab."""

    def __init__(self, plan: AddressPlan, tsig_secret: str, authority: LabAuthority) -> None:
        self._plan = plan
        self._trust = authority
        self._tasks: set[asyncio.Task[None]] = set()
        self._left_behind: set[str] = set()
        self.hosts = _hosts(plan)
        self.route53 = tuple(
            Authority(f"ns-{number}", plan.at(f"5.{number}"), DNS_PORT, delay=delay)
            for number, delay in enumerate(_DELAYS, 1)
        )
        self.cloudflare = tuple(
            Authority(name, plan.at(f"5.{20 + number}"), DNS_PORT, delay=delay)
            for number, (name, delay) in enumerate(zip(furniture.CLOUDFLARE_SERVERS, _DELAYS, strict=False), 1)
        )
        self._hosted: dict[str, tuple[RecordSet, ...]] = {}
        self._unhealthy: set[str] = set()
        self._serial = 0
        self._secondary = Authority("ns-secondary", plan.at("5.12"), DNS_PORT, delay=_DELAYS[1])
        self._second_secondary = Authority("ns-two-secondary", plan.at("5.14"), DNS_PORT, delay=_DELAYS[1])
        key = TsigKey(TSIG_NAME, tsig_secret)
        self.primaries = (
            _primary(plan, "ns-primary", "5.11", furniture.ZONE_2136, key, self._secondary),
            _primary(plan, "ns-two-primary", "5.13", furniture.ZONE_TWO, key, self._second_secondary),
        )
        self._elsewhere = Authority("ns-elsewhere", plan.at("5.31"), DNS_PORT)
        for zone in _static_zones(self.hosts):
            self._elsewhere.publish(zone)
        self.resolvers = tuple(self._resolver(number) for number in range(1, _RESOLVERS + 1))
        self.vendors_resolver = self._resolver(_VENDORS)
        """What hosting platforms ask: it listens nowhere, and has no faults."""
        self.resolver_elsewhere = self._resolver(_MONITORS)
        """What monitors ask, who look from elsewhere: it listens nowhere, and has no faults."""

    @property
    def targets(self) -> Mapping[str, tuple[str, ...]]:
        """What can be broken here, and how."""
        servers: dict[str, tuple[str, ...]] = {each.name: AUTHORITY_FAULTS for each in self.route53}
        others = (*self._dynamic_servers, *self.cloudflare)
        servers |= {each.name: AUTHORITY_FAULTS[:-1] for each in others}
        servers["rfc2136"] = UPDATE_FAULTS
        servers["health-check"] = HEALTH_FAULTS
        return servers | {each.name: RESOLVER_FAULTS for each in self.resolvers}

    @property
    def _dynamic_servers(self) -> tuple[Authority, ...]:
        return (*(each.authority for each in self.primaries), self._secondary, self._second_secondary)

    async def start(self) -> None:
        """Listen everywhere; raises :class:`defib.errors.PortTaken`."""
        for server in (*self.route53, *self.cloudflare, *self._dynamic_servers, self._elsewhere):
            await server.start()
        for resolver in self.resolvers:
            await resolver.start()
            context = self._trust.identity(resolver.address).context
            await resolver.serve_doh(resolver.address, WEB_PORT, context)

    async def stop(self) -> None:
        """Stop listening everywhere. Safe to repeat."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for resolver in (*self.resolvers, self.vendors_resolver, self.resolver_elsewhere):
            await resolver.stop()
        for server in (*self.route53, *self.cloudflare, *self._dynamic_servers, self._elsewhere):
            await server.stop()

    def publish(self, zone: str, sets: tuple[RecordSet, ...]) -> Future[None]:
        """Hand a Route 53 zone to its four servers; done when each of them answers with it."""
        self._hosted[zone] = sets
        self._answer_hosted(zone)
        everywhere: Future[None] = Future()
        try:
            task = asyncio.get_running_loop().create_task(self._settle(everywhere))
        except RuntimeError:
            everywhere.set_result(None)  # before the start there is no delay: all have it already
            return everywhere
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return everywhere

    async def _settle(self, everywhere: Future[None]) -> None:
        await asyncio.sleep(max(_DELAYS).total_seconds() + _CHECK)
        # A server thaws without telling anyone, so it is asked.
        while any(each.frozen and each.name not in self._left_behind for each in self.route53):  # noqa: ASYNC110
            await asyncio.sleep(_CHECK)
        everywhere.set_result(None)

    def _answer_hosted(self, zone: str) -> None:
        answered = route53_names.published(
            zone, self._hosted[zone], hosts=self.hosts, hosts_ttl=STATIC_TTL, unhealthy=self._unhealthy
        )
        for server in self.route53:
            server.publish(answered)

    def publish_cloudflare(self, zone: CloudflareZone) -> None:
        """Hand a Cloudflare zone in full set-up to its servers; its vendor never says when they have it."""
        self._serial += 1
        answered = cloudflare_names.published(
            zone, edge=self._plan.at("4.1"), hosts=self.hosts, hosts_ttl=STATIC_TTL, serial=self._serial
        )
        for server in self.cloudflare:
            server.publish(answered)

    def set_health(self, check: str, *, healthy: bool) -> None:
        """Let a Route 53 health check find its endpoint healthy or not; the name servers follow, as is their way."""
        (self._unhealthy.discard if healthy else self._unhealthy.add)(check)
        for zone in self._hosted:
            self._answer_hosted(zone)

    def set_fault(self, target: str, fault: str | None) -> None:
        """Break one server as `fault` says, or heal it with None."""
        if target == "rfc2136":
            for primary in self.primaries:
                primary.lying = fault == "lying"
                primary.mute = fault == "lost-answer"
            return
        if target == "health-check":
            self.set_health(furniture.HEALTH_CHECK, healthy=fault is None)
            return
        for resolver in self.resolvers:
            if resolver.name == target:
                resolver.silent = fault == "silent"
                resolver.servfail = fault == "servfail"
                resolver.port53_closed = fault == "port53-closed"
        for server in (*self.route53, *self._dynamic_servers, *self.cloudflare):
            if server.name == target:
                server.silent = fault == "silent"
                server.refusing = fault == "refusing"
                server.frozen = fault in ("frozen", "left-behind")
                # Left behind is frozen without the vendor knowing: it calls the change done all the same.
                (self._left_behind.add if fault == "left-behind" else self._left_behind.discard)(target)

    def _resolver(self, number: int) -> Resolver:
        plan = self._plan
        route53 = [(plan.at(f"5.{each}"), DNS_PORT) for each in range(1, len(_DELAYS) + 1)]
        dynamic, second = ([(plan.at(last), DNS_PORT) for last in pair] for pair in (("5.11", "5.12"), ("5.13", "5.14")))
        cloudflare = [(server.address, DNS_PORT) for server in self.cloudflare]
        stubs = {furniture.ZONE: route53, furniture.ZONE_2136: dynamic, furniture.ZONE_CF: cloudflare}
        stubs |= {furniture.ZONE_TWO: [*route53, *second], furniture.ZONE_ARMED: route53, furniture.ZONE_LAST: route53}
        stubs |= {zone.origin: [(plan.at("5.31"), DNS_PORT)] for zone in _static_zones(self.hosts)}
        stubborn = STUBBORN if number == _RESOLVERS else timedelta(0)
        return Resolver(f"resolver-{number}", plan.at(f"6.{number}"), DNS_PORT, stubs, minimum_ttl=stubborn)


def _hosts(plan: AddressPlan) -> dict[str, str]:
    """The names that other people's zones hold, with their addresses."""
    cloudfront = {furniture.DISTRIBUTION_DOMAIN: "3.1", furniture.STANDBY_DOMAIN: furniture.STANDBY_EDGE}
    hosts = {name: plan.at(last) for name, last in cloudfront.items()} | hosting.addresses(plan) | furniture.others(plan)
    return hosts | {f"{name}.cdn.cloudflare.net": plan.at("4.1") for name in furniture.CDN_NAMES}


_ELSEWHERE = (
    *("cloudfront.net.", "cdn.cloudflare.net.", "vercel-dns.com.", "vercel.app.", "netlify.app."),
    "test.",  # of which the public zones are parts, so that who climbs from a name to its parents gets an answer
)


def _static_zones(hosts: Mapping[str, str]) -> list[PublishedZone]:
    zones = []
    for origin in (*_ELSEWHERE, *_with_dots((*furniture.REFERENCES, *furniture.APIS.values()))):
        sets = [
            PublishedSet(f"{name}.", "A", STATIC_TTL, (address,))
            for name, address in hosts.items()
            if f".{name}.".endswith(f".{origin}")
        ]
        zones.append(PublishedZone.with_apex(origin, tuple(sets), server="ns.elsewhere.invalid."))
    return zones


def _with_dots(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{name}." for name in names)


def _primary(plan: AddressPlan, name: str, last: str, zone: str, key: TsigKey, secondary: Authority) -> DynamicPrimary:
    """A name server that takes updates of `zone`, which stands as all is well, and hands them to its secondary."""
    sets = furniture.public_sets(plan, zone)
    published = tuple(PublishedSet(each.key.name, each.key.type, each.ttl, each.values) for each in sets)
    content = PublishedZone.with_apex(zone, published, server=f"{name}.lab.invalid.")
    return DynamicPrimary(name, plan.at(last), DNS_PORT, zone=content, keys=(key,), secondaries=(secondary,))
