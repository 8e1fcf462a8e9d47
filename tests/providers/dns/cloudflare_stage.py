"""Zones of the lab's Cloudflare for its adapter's tests, and what goes wrong with them at a chosen moment."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from defib.clock import Deadline, SystemClock
from defib.lab.alone import RunningCloudflare
from defib.lab.cloudflare import CloudflareApi
from defib.lab.cloudflare_records import DnsRecord, written
from defib.lab.cloudflare_state import CloudflareZone
from defib.lab.faults import Fault, FaultSwitch
from defib.ports import DnsZone, RecordKey, RecordSet
from defib.providers.dns.cloudflare import CloudflareDns, calls_to_read, calls_to_replace
from defib.providers.dns.cloudflare_format import wishes_of
from defib.providers.wrappers import Backoff, Cost, Rate, RateLimitedZone, RetryingZone
from tests.contracts.dns_zone import SEED, ZONE, ZoneWorld

_NUMBERS = itertools.count(1)


def add_zone(cloudflare: RunningCloudflare, sets: Sequence[RecordSet], *, batch_limit: int = 200) -> str:
    """The id of a new zone in full set-up that holds `sets`."""
    zone_id = f"{next(_NUMBERS):032x}"
    now = SystemClock().now()
    records: list[DnsRecord] = []
    for each in sets:
        for wish in wishes_of(each, "seed"):
            fields = wish.fields()
            records.append(
                DnsRecord(
                    f"{len(records):032x}",
                    each.key.type,
                    each.key.name.rstrip("."),
                    str(fields["content"]),
                    now,
                    now,
                    wish.ttl,
                    proxied=wish.proxied,
                    comment=wish.comment or None,
                    tags=wish.tags,
                    settings=tuple(name for name, _ in wish.settings),
                    priority=int(str(fields["priority"])) if "priority" in fields else None,
                )
            )
    zone = CloudflareZone(zone_id, ZONE.rstrip("."), now, now, tuple(records), full=True, batch_limit=batch_limit)

    async def add() -> None:
        cloudflare.api.add_zone(zone)

    cloudflare.loop.run(add())
    return zone_id


def records_of(cloudflare: RunningCloudflare, zone_id: str) -> tuple[DnsRecord, ...]:
    """What the API holds."""
    return next(zone.records for zone in cloudflare.api.zones if zone.id == zone_id)


def adapter(cloudflare: RunningCloudflare, zone_id: str, *, token: str = "") -> CloudflareDns:
    """The adapter for one zone."""
    return CloudflareDns(zone_id, ZONE, token or cloudflare.token, cloudflare.endpoint)


def cloudflare_world(cloudflare: RunningCloudflare) -> ZoneWorld:
    """A world with a zone of its own, seen past the adapter in the presentation of the lab's own records."""
    zone_id = add_zone(cloudflare, SEED)

    def content() -> tuple[RecordSet, ...]:
        sets: dict[RecordKey, RecordSet] = {}
        for held in records_of(cloudflare, zone_id):
            key = RecordKey(f"{held.name}.", held.type)
            values = (*(sets[key].values if key in sets else ()), held.presentation)
            sets[key] = RecordSet(key, timedelta(seconds=held.ttl), tuple(sorted(values)))
        return tuple(sorted(sets.values(), key=lambda each: each.key))

    return ZoneWorld(
        zone=adapter(cloudflare, zone_id),
        content=content,
        denied=adapter(cloudflare, zone_id, token="wrong"),
        unknown=CloudflareDns("f" * 32, "elsewhere.test.", cloudflare.token, cloudflare.endpoint),
    )


def wrapped(zone: DnsZone) -> DnsZone:
    """The zone behind the vendor's limit of calls, tried again at once."""
    cost = Cost(calls_to_read, calls_to_replace, settled=0)
    limited = RateLimitedZone(zone, Rate(1200, timedelta(minutes=5)), cost)
    return RetryingZone(limited, random.Random(7), Backoff(first=timedelta(milliseconds=10)))


def soon(seconds: float = 10) -> Deadline:
    """A deadline."""
    return Deadline.after(SystemClock(), timedelta(seconds=seconds))


def having(each: RecordSet, *attributes: tuple[str, str], ttl: int | None = None) -> RecordSet:
    """The record set with `attributes`, and with `ttl` seconds if they are given."""
    seconds = timedelta(seconds=ttl) if ttl is not None else each.ttl
    return replace(each, ttl=seconds, attributes=tuple(sorted(attributes)))


def lose(cloudflare: RunningCloudflare, *, request: int) -> None:
    """Let the answer to the `request`-th request from now on be lost, after it was carried out."""
    cloudflare.api.switch = Nth(request)


class Nth(FaultSwitch):
    """Loses the answer of one request, by its number."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._requests = number

    def spend(self) -> Fault | None:
        """Count down."""
        self._requests -= 1
        return Fault("lost-answer") if self._requests == 0 else super().spend()


class Meddler(FaultSwitch):
    """Somebody else, who changes or removes (None) the CNAME just before a request of ours is carried out."""

    def __init__(self, api: CloudflareApi, zone_id: str, foreign: dict[str, str] | None, *, request: int) -> None:
        super().__init__()
        self._api = api
        self._zone_id = zone_id
        self._foreign = foreign
        self._requests = request

    def spend(self) -> Fault | None:
        """Do it when the request is there."""
        self._requests -= 1
        if self._requests == 0:
            zone = next(zone for zone in self._api.zones if zone.id == self._zone_id)
            (alias,) = (each for each in zone.records if each.type == "CNAME")
            after = zone.without(alias.id)
            if self._foreign is not None:
                after = zone.with_record(written(zone.name, alias, self._foreign, alias.modified, whole=False))
            self._api.add_zone(after)
        return super().spend()
