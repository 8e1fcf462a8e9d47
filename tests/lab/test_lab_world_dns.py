"""The lab's DNS vendors in one world: what is changed by their APIs is what their name servers answer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from defib.clock import Deadline, SystemClock
from defib.lab import furniture
from defib.ports import RecordChange, RecordKey, RecordSet
from defib.providers.aws import AwsAccess
from defib.providers.dns.cloudflare import CloudflareDns
from defib.providers.dns.route53 import Route53
from tests.lab.lab_stage import Stage, running_world
from tests.lab.test_lab_world import ask, wait_until

WWW = RecordKey(f"www.{furniture.ZONE_CF}", "CNAME")
STANDBY = f"{WWW.name}cdn.cloudflare.net."


@pytest.fixture(scope="module")
def world() -> Iterator[Stage]:
    """One world for the module."""
    with running_world() as running:
        yield running


@pytest.fixture
def stage(world: Stage) -> Iterator[Stage]:
    """The world, healed after each test, without anything in its resolvers' caches."""
    for resolver in world.world.names.resolvers:
        resolver.flush()
    yield world
    world.heal()


def soon() -> Deadline:
    """A deadline."""
    return Deadline.after(SystemClock(), timedelta(seconds=10))


@pytest.fixture
def zone(stage: Stage) -> CloudflareDns:
    """The adapter for the zone at Cloudflare."""
    api = f"{stage.world.cloudflare.server.url}/client/v4"
    return CloudflareDns(furniture.CLOUDFLARE_DNS_ZONE_ID, furniture.ZONE_CF, stage.keys.cloudflare_token, api)


def read(zone: CloudflareDns, key: RecordKey) -> RecordSet:
    """What stands."""
    (found,) = zone.read([key], within=soon())
    assert found is not None
    return found


def servers(stage: Stage) -> tuple[str, ...]:
    """The addresses of Cloudflare's name servers."""
    return tuple(stage.world.plan.at(last) for last in ("5.21", "5.22"))


def test_a_change_reaches_name_servers_and_resolvers_and_is_taken_back(stage: Stage, zone: CloudflareDns) -> None:
    """D19: the steering record goes to the standby and comes back, comment and all, and leaves no trace."""
    before = stage.world.fingerprint()
    standing = read(zone, WWW)
    assert standing.attributes == (("comment", "steering, by defib"),)
    there = RecordChange(standing, RecordSet(WWW, standing.ttl, (STANDBY,), standing.attributes))
    zone.replace([there], within=soon())
    for address in servers(stage):
        wait_until(lambda address=address: ask(address, WWW.name) == [STANDBY])  # type: ignore[misc]
    assert ask(stage.world.plan.at("6.1"), WWW.name, "A") == [stage.world.plan.at("4.1")]
    zone.replace([there.reversed()], within=soon())
    for address in servers(stage):
        wait_until(lambda address=address: ask(address, WWW.name) == list(standing.values))  # type: ignore[misc]
    assert stage.world.fingerprint() == before


def test_types_exchanged_and_back_leave_no_trace(stage: Stage, zone: CloudflareDns) -> None:
    """D4: new ids of records that were removed and came back are no difference."""
    before = stage.world.fingerprint()
    standing = read(zone, WWW)
    address = RecordSet(RecordKey(WWW.name, "A"), standing.ttl, ("192.0.2.1",))
    batch = [RecordChange(standing, None), RecordChange(None, address)]
    zone.replace(batch, within=soon())
    for server in servers(stage):
        wait_until(lambda server=server: ask(server, WWW.name, "A") == ["192.0.2.1"])  # type: ignore[misc]
    zone.replace([each.reversed() for each in batch], within=soon())
    assert stage.world.fingerprint() == before


def test_proxied_and_apex_names_answer_addresses(stage: Stage, zone: CloudflareDns) -> None:
    """D3, D5: a proxied name answers the edge and is served by it; an alias at the apex its target; no CNAME shows."""
    standing = read(zone, RecordKey(furniture.ZONE_CF, "A"))
    alias = RecordSet(RecordKey(furniture.ZONE_CF, "CNAME"), standing.ttl, (f"{furniture.DISTRIBUTION_DOMAIN}.",))
    batch = [RecordChange(standing, None), RecordChange(None, alias)]
    zone.replace(batch, within=soon())
    for address in servers(stage):
        wait_until(
            lambda address=address: ask(address, furniture.ZONE_CF, "A") == [stage.world.plan.at("3.1")]  # type: ignore[misc]
        )
        assert ask(address, f"{furniture.PROXIED_NAME}.", "A") == [stage.world.plan.at("4.1")]
        assert ask(address, furniture.ZONE_CF, "CNAME") == ask(address, f"{furniture.PROXIED_NAME}.", "CNAME") == []
        assert ask(address, furniture.ZONE_CF, "MX") == ["10 mail.example.net."]
    zone.replace([each.reversed() for each in batch], within=soon())
    for address in servers(stage):
        wait_until(lambda address=address: ask(address, furniture.ZONE_CF, "A") == list(standing.values))  # type: ignore[misc]
    page = stage.get("4.1", host=furniture.PROXIED_NAME)
    assert (page.status, b"<title>Pulse Trading</title>" in page.body) == (200, True)


def test_frozen_name_server_keeps_the_old_answer(stage: Stage, zone: CloudflareDns) -> None:
    """D6: Cloudflare's API calls the change made while one of its servers goes on as before."""
    standing = read(zone, WWW)
    stage.break_("cf-ns-2", "frozen")
    there = RecordChange(standing, RecordSet(WWW, standing.ttl, (STANDBY,), standing.attributes))
    receipt = zone.replace([there], within=soon())
    assert zone.settled(receipt, within=soon())
    first, second = servers(stage)
    wait_until(lambda: ask(first, WWW.name) == [STANDBY])
    assert ask(second, WWW.name) == list(standing.values)
    stage.heal()
    wait_until(lambda: ask(second, WWW.name) == [STANDBY])
    zone.replace([there.reversed()], within=soon())


def test_pre_armed_switch_turns_with_the_health_check(stage: Stage) -> None:
    """D9: failover sets answer the secondary while the primary's health check fails, without any call to Route 53."""
    keys = stage.keys.aws
    access = AwsAccess(endpoint=stage.world.aws.server.url, access_key=keys.access_key, secret_key=keys.secret_key)
    zone = Route53(furniture.ZONE_ID, access)
    name = f"switch.{furniture.ZONE}"
    sets = [
        RecordSet(
            RecordKey(name, "CNAME", role.lower()),
            timedelta(seconds=3),
            (f"{role.lower()}.example.net.",),
            (("Failover", role), *((("HealthCheckId", furniture.HEALTH_CHECK),) if role == "PRIMARY" else ())),
        )
        for role in ("PRIMARY", "SECONDARY")
    ]
    zone.replace([RecordChange(None, each) for each in sets], within=soon())
    server = stage.world.plan.at("5.4")
    wait_until(lambda: ask(server, name) == ["primary.example.net."])
    stage.break_("route53-api", "500")
    stage.break_("health-check", "unhealthy")
    wait_until(lambda: ask(server, name) == ["secondary.example.net."])
    stage.heal()
    wait_until(lambda: ask(server, name) == ["primary.example.net."])
    zone.replace([RecordChange(each, None) for each in sets], within=soon())
