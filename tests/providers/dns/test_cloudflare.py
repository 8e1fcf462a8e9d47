"""Cloudflare's DNS adapter keeps the contract against the lab's API, and restores what only Cloudflare knows."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from defib.clock import Deadline, SystemClock
from defib.errors import Conflict, Denied, NotFound, Unavailable
from defib.lab.alone import RunningCloudflare, serve_cloudflare
from defib.lab.cloudflare_records import DnsRecord
from defib.lab.cloudflare_state import CloudflareZone
from defib.lab.faults import Fault, FaultSwitch
from defib.ports import RecordKey, RecordSet
from defib.providers.dns.cloudflare import CloudflareDns
from defib.providers.dns.cloudflare_format import HeldRecord, record_set, wish_of, wishes_of
from tests.contracts.dns_zone import SEED, WWW, WWW_B, ZONE, DnsZoneContract, ZoneWorld, change, record

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def cloudflare() -> Iterator[RunningCloudflare]:
    """Cloudflare of the lab, for all tests of this file."""
    with serve_cloudflare() as running:
        yield running


@pytest.fixture(autouse=True)
def healed(cloudflare: RunningCloudflare) -> Iterator[None]:
    """No test leaves the API broken."""
    yield
    cloudflare.set_fault(None)


def add_zone(cloudflare: RunningCloudflare, sets: Sequence[RecordSet], *, batch_limit: int = 200) -> str:
    """The id of a new zone in full set-up that holds `sets`."""
    zone_id = f"{next(_NUMBERS):032x}"
    now = SystemClock().now()
    records = []
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


class TestCloudflareDns(DnsZoneContract):
    """The contract over the lab's Cloudflare."""

    @pytest.fixture
    def world(self, cloudflare: RunningCloudflare) -> ZoneWorld:
        """A fresh zone."""
        return cloudflare_world(cloudflare)
