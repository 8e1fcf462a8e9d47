"""The record sets that steer users: whether they stand as some way of the site has them, and how long they are cached."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import partial

from defib.clock import Deadline
from defib.ports import Aim, DnsZone, RecordKey, RecordSet
from defib.ready.check import Check, Question, State
from defib.ready.scene import Scene
from defib.sites.site import Site
from defib.sites.vendors import CloudflareZone, DnsZoneConfig, FailoverSwitch
from defib.users.backup import behind_cloudflare
from defib.users.forgotten import left_behind, routed
from defib.users.ways import Held, Lead, Way, is_proxied, leads_at, way_named, way_of, ways

LONGEST_TTL = timedelta(seconds=300)
"""What resolvers keep for longer keeps users from their recovery."""

_Present = Sequence[tuple[RecordKey, RecordSet | None]]


def questions(scene: Scene) -> Iterator[Question]:
    """One for each zone at each provider, and one for whether they agree."""
    pairs = tuple(zip(scene.site.dns, scene.outside.zones, strict=True))
    for config, zone in pairs:
        yield Question("steering", _about(config), partial(_zone, scene.site, config, zone))
        if scene.site.backups and not isinstance(config, FailoverSwitch):
            yield Question("forgotten", _about(config), partial(_forgotten, scene, config, zone))
        if scene.site.backups and isinstance(config, CloudflareZone):
            yield Question("proxy", _about(config), partial(_behind_another_proxy, scene, config, zone))
    if len(pairs) > 1:
        yield Question("steering", "all zones together", partial(_together, scene.site, pairs))


def is_primary(way: Way) -> bool:
    """Whether users are on this way when all is well."""
    place = way.cdn or way.host
    return place is not None and place.role == "primary"


def _about(config: DnsZoneConfig) -> str:
    return f"{config.provider} {config.zone}"


def _leads(site: Site, config: DnsZoneConfig) -> tuple[Lead, ...]:
    """Everything that any way has in this zone at this provider, with what a switch decides about."""
    return tuple(lead for way in ways(site) for lead in leads_at(config, way))


def _read(leads: Sequence[Lead], zone: DnsZone, within: Deadline) -> _Present:
    keys = tuple(dict.fromkeys(lead.key for lead in leads))
    return tuple(zip(keys, zone.read(keys, within=within), strict=True)) if keys else ()


def _zone(site: Site, config: DnsZoneConfig, zone: DnsZone, within: Deadline) -> Iterator[Check]:
    leads = _leads(site, config)
    present = _read(leads, zone, within)
    strange = [_foreign(config, leads, key, record) for key, record in present if not _known(leads, key, record)]
    strange += [_disarmed(config, key, why) for key, record in present if record and (why := _unarmed(site, key, record))]
    if strange:
        yield from strange
    elif present:
        yield _led(site, _about(config), [(config.provider, key, record) for key, record in present])
    if not isinstance(config, FailoverSwitch):
        yield from (_cached(leads, key, record) for key, record in present)


def _forgotten(scene: Scene, config: DnsZoneConfig, zone: DnsZone, within: Deadline) -> Iterator[Check]:
    """D4: what a run to a backup would refuse, because its users would stay behind."""
    leads = {lead.key: lead for host in scene.site.backups for lead in leads_at(config, way_named(scene.site, host.name))}
    if not leads:
        return
    found = left_behind(tuple(leads.values()), zone, within)
    told = {record.key: str(record) for record in found} or routed(
        config, tuple(leads.values()), scene.outside.answers, within
    )
    for key, text in told.items():
        then = f"add it to the records of each host in {scene.site.site}.yaml"
        if key.type == "HTTPS":
            then = "take its target and ech out, or a run to a backup is refused"
        yield Check("forgotten", str(key), State.FAIL, f"it would stay as it is, and its users behind: {text}", then)
    if not told:
        yield Check("forgotten", _about(config), State.OK, "no name leads users by what the site file does not name")


def _behind_another_proxy(scene: Scene, config: DnsZoneConfig, zone: DnsZone, within: Deadline) -> Iterator[Check]:
    """D5: a name that Cloudflare proxies to a backup behind Cloudflare would be answered with 1014, so a run refuses it."""
    present = _read(_leads(scene.site, config), zone, within)
    proxied = ", ".join(str(key) for key, record in present if is_proxied(record))
    limit = within.sooner(scene.site.detection.probe_deadline)
    for host in scene.site.backups if proxied else ():
        aim = Aim(scene.site.page.url, connect_to=way_named(scene.site, host.name).connect_to)
        about = f"{proxied} at {host.name}"
        if behind_cloudflare(scene.outside.observers.look(aim, within=limit)):
            text = f"{host.name} is behind Cloudflare itself: users of a proxied name would be answered with 1014"
            yield Check("proxy", about, State.FAIL, text, "make the record DNS only; a run refuses it as it is")
        else:
            yield Check("proxy", about, State.OK, "the backup is not behind Cloudflare itself")


def _known(leads: Sequence[Lead], key: RecordKey, record: RecordSet | None) -> bool:
    return any(lead.holds(record) for lead in leads if lead.key == key)


def _foreign(config: DnsZoneConfig, leads: Sequence[Lead], key: RecordKey, record: RecordSet | None) -> Check:
    wanted = " or ".join(sorted({str(lead) for lead in leads if lead.key == key}))
    seen = str(record) if record else "no such record set"
    text = f"{key} is not as any run of Defib leaves it: {seen}; expected {wanted}"
    return Check("steering", _about(config), State.FAIL, text, "find out who changed it, and why")


def _unarmed(site: Site, key: RecordKey, record: RecordSet) -> str:
    """Why a switch would not turn this failover record set, "" where it would, and where none decides about it."""
    switch = next((each for each in site.dns if isinstance(each, FailoverSwitch) and key.name in each.names), None)
    if not key.set_identifier or switch is None:
        return ""
    told = dict(record.attributes)
    primary = key in {each.key for each in site.primary_host.records}
    role, failover = "PRIMARY" if primary else "SECONDARY", told.get("Failover", "none")
    if failover != role:
        return f"its failover role is {failover}, and not {role}"
    seen = told.get("HealthCheckId", "none")
    return f"its health check is {seen}, and not {switch.health_check}" if primary and seen != switch.health_check else ""


def _disarmed(config: DnsZoneConfig, key: RecordKey, why: str) -> Check:
    text = f"the switch would not turn {key}: {why}"
    return Check("steering", _about(config), State.FAIL, text, "correct it now: it is Route 53's control plane that does")


def _led(site: Site, about: str, held: Sequence[Held]) -> Check:
    """Where the record sets together send users; those that a switch decides about stand so on every way."""
    deciding = [each for each in held if not each[1].set_identifier]
    if not deciding:
        return Check(
            "steering", about, State.OK, "failover record sets as they should be: their switch says where users are sent"
        )
    way = way_of(site, deciding)
    if way is None:
        seen = "; ".join(str(record or f"{key}: none") for _, key, record in deciding)
        text = f"no one way has all of them so: {seen}"
        return Check(
            "steering", about, State.FAIL, text, "defib runs; a run that stopped half-way is resumed or rolled back"
        )
    if not is_primary(way):
        text = f"users are sent to {way.name}, which is not the primary"
        return Check("steering", about, State.WARN, text, "defib failback RUN, when the primary is stable again")
    return Check("steering", about, State.OK, f"users are sent to {way.name}")


def _together(site: Site, pairs: Sequence[tuple[DnsZoneConfig, DnsZone]], within: Deadline) -> Iterator[Check]:
    held = []
    for config, zone in pairs:
        leads = _leads(site, config)
        present = _read(leads, zone, within)
        if not all(_known(leads, key, record) for key, record in present):
            return  # the zone's own check says so
        held += [(config.provider, key, record) for key, record in present]
    yield _led(site, "all zones together", held)


def _cached(leads: Sequence[Lead], key: RecordKey, record: RecordSet | None) -> Check:
    """D12: a TTL that is too long at the moment of the incident cannot be taken back."""
    ttl = record.ttl if record else max(lead.ttl for lead in leads if lead.key == key)
    whose = "TTL" if record else "it does not stand now; its TTL in the site file"
    text = f"{whose} {ttl.total_seconds():g} s"
    if ttl <= LONGEST_TTL:
        return Check("ttl", str(key), State.OK, text)
    then = f"set it to {LONGEST_TTL.total_seconds():g} s or less now; resolvers follow only when the old one is over"
    return Check("ttl", str(key), State.FAIL, f"{text}: resolvers would send users to what failed for so long", then)
