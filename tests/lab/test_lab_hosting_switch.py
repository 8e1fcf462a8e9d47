"""Users follow the record sets from the CDN and the primary host to the backup, at each of three DNS providers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import dns.message
import dns.query
import dns.rdatatype
import dns.tsig
import pytest

from defib.clock import Deadline, SystemClock
from defib.errors import Unavailable
from defib.lab import furniture as common
from defib.lab.hosting import furniture
from defib.lab.names import TSIG_NAME
from defib.lab.plan import API_PORT, DNS_PORT
from defib.ports import DnsZone, RecordChange, RecordKey, RecordSet
from defib.providers.aws import AwsAccess
from defib.providers.dns.cloudflare import CloudflareDns
from defib.providers.dns.rfc2136 import Rfc2136
from defib.providers.dns.route53 import Route53
from defib.sites.vendors import Server
from tests.lab.lab_stage import Stage, running_world

CLOCK = SystemClock()


@pytest.fixture(scope="module")
def world() -> Iterator[Stage]:
    """One world for the module."""
    with running_world() as running:
        yield running


@pytest.fixture
def stage(world: Stage) -> Iterator[Stage]:
    """The world, healed after each test."""
    yield world
    world.heal()


def route53(stage: Stage) -> DnsZone:
    """The hosted zone, by its id."""
    keys = stage.keys.aws
    endpoint = f"http://{stage.world.plan.at('1.1')}:{API_PORT}"
    access = AwsAccess(endpoint=endpoint, access_key=keys.access_key, secret_key=keys.secret_key, region="us-east-1")
    return Route53(common.ZONE_ID, access)


def rfc2136(stage: Stage) -> DnsZone:
    """The zone on the name server that takes updates."""
    servers = [
        Server(name=name, address=stage.world.plan.at(last), port=DNS_PORT)
        for name, last in (("ns-primary", "5.11"), ("ns-secondary", "5.12"))
    ]
    key = dns.tsig.Key(TSIG_NAME, stage.keys.tsig_key)
    return Rfc2136(common.ZONE_2136, servers[0], key, servers)


def cloudflare(stage: Stage) -> DnsZone:
    """The zone at Cloudflare, by its id."""
    api = f"{stage.world.cloudflare.server.url}/client/v4"
    return CloudflareDns(common.CLOUDFLARE_DNS_ZONE_ID, common.ZONE_CF, stage.keys.cloudflare_token, api)


ZONES: dict[str, Callable[[Stage], DnsZone]] = {
    common.ZONE: route53,
    common.ZONE_2136: rfc2136,
    common.ZONE_CF: cloudflare,
}


@pytest.fixture(params=ZONES)
def zone(request: pytest.FixtureRequest) -> str:
    """Each zone in turn."""
    return str(request.param)


def soon() -> Deadline:
    """A deadline."""
    return Deadline.after(CLOCK, timedelta(seconds=10))


def to_netlify(stage: Stage, before: RecordSet) -> RecordSet:
    """The record set that leads to Netlify in place of Vercel."""
    value = f"{furniture.NETLIFY_NAME}." if before.key.type == "CNAME" else stage.world.plan.at(furniture.NETLIFY_EDGE)
    return replace(before, values=(value,))


def address_of(stage: Stage, name: str) -> str:
    """Where a resolver sends users of `name` now; one that asks anew, where TTLs are a minute."""
    if name.endswith(common.ZONE_CF):
        stage.world.names.resolvers[1].flush()
    query = dns.message.make_query(name, "A")
    answer = dns.query.udp(query, stage.world.plan.at("6.2"), port=DNS_PORT, timeout=10)
    return str(next(item for rrset in answer.answer if rrset.rdtype == dns.rdatatype.A for item in rrset))


def test_users_follow_the_record_sets_and_back(stage: Stage, zone: str) -> None:
    """D3, D4: apex and www go together, within the TTL; each answers over TLS at either end; CAA stays; back is exact."""
    dns_zone = ZONES[zone](stage)
    keys = [RecordKey(zone, "A"), RecordKey(f"www.{zone}", "CNAME"), RecordKey(zone, "CAA")]
    fingerprint = stage.world.fingerprint()
    apex, www, caa = dns_zone.read(keys, within=soon())
    assert apex is not None
    assert www is not None
    assert caa is not None
    expected = common.public_sets(stage.world.plan, zone)
    assert [each.values for each in (apex, www, caa)] == [each.values for each in expected]
    ttl = common.CLOUDFLARE_TTL if zone == common.ZONE_CF else common.STEERING_TTL
    assert (apex.ttl, www.ttl, caa.ttl) == (ttl, ttl, expected[2].ttl)
    changes = [RecordChange(each, to_netlify(stage, each)) for each in (apex, www)]
    stage.break_("vercel", "5xx")
    there, back = changes, [each.reversed() for each in changes]
    for batch, ends in ((there, ("9.1", "9.1")), (back, ("8.1", "3.1"))):
        dns_zone.replace(batch, within=soon())
        for name, edge in zip((zone, f"www.{zone}"), ends, strict=True):
            deadline = soon()
            # Asked anew, another name server of the zone may answer, which is a little behind: the answer that came, counts.
            while (seen := address_of(stage, name)) != stage.world.plan.at(edge) and not deadline.expired():
                CLOCK.sleep(timedelta(milliseconds=50))
            assert seen == stage.world.plan.at(edge)
            assert stage.get(edge, host=name.rstrip(".")).status == (200 if batch is there else 503)
    assert dns_zone.read(keys, within=soon()) == (apex, www, caa)
    stage.heal()
    assert fingerprint == stage.world.fingerprint()


def test_updates_that_are_lost_are_lost_here_too(stage: Stage) -> None:
    """The faults of RFC 2136 hold for the records of hosts as for the steering record."""
    dns_zone = rfc2136(stage)
    (www,) = dns_zone.read([RecordKey(f"www.{common.ZONE_2136}", "CNAME")], within=soon())
    assert www is not None
    stage.break_("rfc2136", "lost-answer")
    with pytest.raises(Unavailable):
        dns_zone.replace([RecordChange(www, www)], within=Deadline.after(CLOCK, timedelta(milliseconds=500)))
