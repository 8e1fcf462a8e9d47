"""The ways that users of a site can be sent: through one of its CDNs, or straight to one of its hosts."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from defib.ports import RecordKey, RecordSet
from defib.sites.site import Site
from defib.sites.vendors import CdnOfSite, DnsZoneConfig, FailoverSwitch, HostOfSite, HostRecords

SWITCH = "SWITCH"
"""The type under which a pre-armed switch stands in a plan beside record sets; its one value is one of these:"""
PRIMARY, SECONDARY = "primary", "secondary"

_NUMBERED = re.compile(r"\.\d+$")
_AUTOMATIC_TTL = timedelta(seconds=300)
"""What resolvers see of a TTL that Cloudflare chooses."""

_ALIAS = "AliasTarget."
"""Route 53's attributes that make a record set an alias: see :mod:`defib.providers.dns.route53_format`."""


@dataclass(frozen=True)
class Lead:
    """One record set, or switch, as it stands on a way; `at` is the provider that has it so, "" any.

    `zone` is the one that holds it, "" any that could. Without values and attributes there is none. `armed` is one of the
    record sets that stand on every way.
    """

    key: RecordKey
    values: tuple[str, ...]
    ttl: timedelta
    at: str = ""
    attributes: tuple[tuple[str, str], ...] = ()
    zone: str = ""

    def __str__(self) -> str:
        return ", ".join(self.values or (value for name, value in self.attributes if name.endswith("DNSName"))) or "nothing"

    @property
    def armed(self) -> bool:
        """Whether a switch decides, and not this record set, which stands all the time."""
        return bool(self.key.set_identifier)

    @property
    def absent(self) -> bool:
        """Whether users on this way have no such record set."""
        return not self.values and not self.attributes

    def holds(self, record: RecordSet | None) -> bool:
        """Whether `record` leads as this does."""
        if record is None:
            return self.absent
        return set(record.values) == set(self.values) and alias_of(record.attributes) == self.attributes and not self.absent

    def put_into(self, record: RecordSet | None) -> RecordSet | None:
        """`record` changed in place so that it leads here; its TTL and what else it has stay, where it can have them."""
        if self.absent:
            return None
        if record is None:
            return RecordSet(self.key, timedelta(0) if self.attributes else self.ttl, self.values, self.attributes)
        kept = tuple(pair for pair in record.attributes if not pair[0].startswith(_ALIAS))
        ttl = timedelta(0) if self.attributes else record.ttl if record.values else self.ttl
        if len(self.values) != len(record.values) and any(_NUMBERED.search(name) for name, _ in kept):
            ttl, kept = _for_as_many(len(self.values), ttl, len(record.values), dict(kept))
        return RecordSet(record.key, ttl, self.values, tuple(sorted((*kept, *self.attributes))))


def _for_as_many(
    many: int, ttl: timedelta, before: int, told: Mapping[str, str]
) -> tuple[timedelta, tuple[tuple[str, str], ...]]:
    """TTL and attributes for `many` values of what was said of `before`, value by value: more of them are as the last.

    Only Cloudflare says something else of each value: see :mod:`defib.providers.dns.cloudflare_format`.
    """
    made: dict[str, str] = {}
    for name in {_NUMBERED.sub("", name) for name in told}:
        texts = [told.get(f"{name}.{min(number, before)}", told.get(name, "")) for number in range(1, many + 1)]
        alike = {name: texts[0]}
        apart = {f"{name}.{number}": text for number, text in enumerate(texts, 1)}
        made |= {key: text for key, text in (alike if len(set(texts)) == 1 else apart).items() if text}
    seconds = [text for name, text in made.items() if _NUMBERED.sub("", name) == "ttl"]
    if seconds:
        ttl = max(_AUTOMATIC_TTL if text == "automatic" else timedelta(seconds=int(text)) for text in seconds)
    if made.get("ttl", "automatic") != "automatic":
        del made["ttl"]
    return ttl, tuple(made.items())


def answered_as_written(lead: Lead, record: RecordSet | None, zone: str) -> bool:
    """Whether servers of `zone` answer with the lead's values to who asks for them; `record` is the set itself, if known.

    Not where it is an alias at Route 53, or a name that Cloudflare proxies or flattens, as it always does at the apex.
    """
    told = {_NUMBERED.sub("", name) for name, _ in record.attributes} if record else set()
    flattened = any("flatten_cname" in name for name in told) or (lead.key.type == "CNAME" and lead.key.name == zone)
    return not lead.attributes and "proxied" not in told and not flattened and lead.key.type != SWITCH


def is_proxied(record: RecordSet | None) -> bool:
    """Whether users of a record set at Cloudflare come through its proxy."""
    return record is not None and any(_NUMBERED.sub("", name) == "proxied" for name, _ in record.attributes)


def alias_of(attributes: Collection[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """The attributes that say where an alias leads, none where the record set is no alias."""
    return tuple(sorted(pair for pair in attributes if pair[0].startswith(_ALIAS)))


@dataclass(frozen=True)
class Way:
    """One way users can be sent. `connect_to` is where a look at it connects under the public name."""

    name: str
    connect_to: str
    leads: tuple[Lead, ...]
    cdn: CdnOfSite | None = None
    host: HostOfSite | None = None

    def at(self, vendor: str, zone: str) -> tuple[Lead, ...]:
        """What is changed in one zone (its name) at one vendor; what is said of that vendor counts before the rest."""
        inside = [lead for lead in self.leads if f".{lead.key.name}".endswith(f".{zone}") and lead.zone in {"", zone}]
        here = [lead for lead in inside if lead.at in {"", vendor}]
        own = {lead.key.name for lead in here if lead.at}
        return tuple(lead for lead in here if lead.at or lead.key.name not in own)

    @property
    def names(self) -> tuple[str, ...]:
        """The public names that are sent this way, each once."""
        return tuple(dict.fromkeys(lead.key.name for lead in self.leads))

    def leads_to(self, name: str) -> str:
        """Where users of `name` connect on this way: a host name, or an address; "" where the way does not say."""
        return next(iter(self.places(name)), "")

    def places(self, name: str) -> tuple[str, ...]:
        """Everywhere that users of `name` may connect on this way: each address of both families, or host names."""
        leads = [lead for lead in self.leads if lead.key.name == name and lead.key.type != SWITCH]
        found = [place for lead in leads for place in (*lead.values, dict(lead.attributes).get("AliasTarget.DNSName"))]
        return tuple(dict.fromkeys(filter(None, found)))

    def only(self, keys: Collection[RecordKey]) -> Way:
        """The same way for these record sets alone."""
        return replace(self, leads=tuple(lead for lead in self.leads if lead.key in keys))

    def __str__(self) -> str:
        return self.name


def ways(site: Site) -> tuple[Way, ...]:
    """Every way that a run of Defib may leave the site's names in: through each CDN, then to each host that has none."""
    return (*(by_cdn(site, cdn) for cdn in site.cdns), *(to_host(site, host) for host in _reached_directly(site)))


def way_named(site: Site, name: str) -> Way:
    """The way of that name; it is in the site file, or a result that a run wrote down was not this site's."""
    return next(way for way in ways(site) if way.name == name)


def leads_at(config: DnsZoneConfig, way: Way) -> tuple[Lead, ...]:
    """What `way` has in one zone at one provider; at a switch that is the switch, and what it turns."""
    if isinstance(config, FailoverSwitch):
        return tuple(lead for lead in way.leads if lead.at == config.provider and lead.key.name in config.names)
    return way.at(config.provider, config.zone)


Held = tuple[str, RecordKey, RecordSet | None]
"""At a vendor, under a key, this record set, or none."""


def way_of(site: Site, held: Collection[Held]) -> Way | None:
    """The way on which all of these stand so; None where there is no such way."""

    def leads_there(way: Way, vendor: str, key: RecordKey, record: RecordSet | None) -> bool:
        return any(lead.key == key and lead.at in {"", vendor} and lead.holds(record) for lead in way.leads)

    return next((way for way in ways(site) if all(leads_there(way, *each) for each in held)), None)


def by_cdn(site: Site, cdn: CdnOfSite) -> Way:
    """The way through one of the CDNs, which fetch from the primary host: its steering record, and the host's names."""
    steering = Lead(site.steered.key, (cdn.hostname,), site.steered.ttl, zone=site.zone_of(site.steered.name))
    rest = tuple(_leads(site, site.primary_host)) if site.hosts else ()
    return Way(cdn.name, cdn.hostname, (steering, *rest), cdn=cdn)


def to_host(site: Site, host: HostOfSite) -> Way:
    """The way to one of the hosts, without a CDN in between."""
    way = Way(host.name, "", tuple(_leads(site, host)), host=host)
    return replace(way, connect_to=way.leads_to(site.page.name))


def _reached_directly(site: Site) -> Iterator[HostOfSite]:
    for host in site.hosts:
        if not site.cdns or host.role == "backup":
            yield host


def _leads(site: Site, host: HostOfSite) -> Iterator[Lead]:
    for record in host.records:
        yield Lead(record.key, record.values, record.ttl, record.at, _alias(record), site.zone_of(record.name))
    turned = PRIMARY if host.role == "primary" else SECONDARY
    for zone in site.dns:
        if isinstance(zone, FailoverSwitch):
            for name in zone.names:
                ttl = max((record.ttl for record in host.records if record.name == name), default=timedelta(0))
                yield Lead(RecordKey(name, SWITCH), (turned,), ttl, zone.provider)


def _alias(record: HostRecords) -> tuple[tuple[str, str], ...]:
    if record.alias is None:
        return ()
    return (
        ("AliasTarget.DNSName", record.alias.name),
        ("AliasTarget.EvaluateTargetHealth", str(record.alias.evaluate_health).lower()),
        ("AliasTarget.HostedZoneId", record.alias.zone_id),
    )
