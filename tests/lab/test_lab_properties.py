"""The property that two DNS vendors hold, and the one that is armed beforehand, stand in the lab as their site files say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from defib.clock import Deadline, SystemClock
from defib.lab import furniture
from defib.ports import RecordChange, RecordKey, RecordSet
from defib.providers.aws import AwsAccess
from defib.providers.dns.route53 import Route53
from defib.providers.dns.s3_switch import S3Switch
from defib.sites.site import Site, load_site
from defib.sites.vendors import FailoverSwitch, Route53Zone
from defib.users.ways import SWITCH, to_host, ways
from tests.lab.lab_stage import Stage, running_world
from tests.lab.test_lab_world import SITES, ask, wait_until

WWW = f"www.{furniture.ZONE_TWO}"
NAMES = (f"www.{furniture.ZONE_ARMED}", furniture.ZONE_ARMED)
WAYS = {"primary": furniture.ORIGIN_EDGE, "secondary": furniture.BACKUP_EDGE}
"""The edge of each side of the switch."""

FOLLOWS = 60.0
"""Seconds within which name servers follow a change or a health check, also on a busy machine."""


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


def site(stage: Stage, name: str, folder: Path) -> Site:
    """A site file of the lab, moved to the network of the test."""
    file = folder / f"{name}.yaml"
    file.write_text((SITES / f"{name}.yaml").read_text().replace("127.77.", f"{stage.world.plan.net}."))
    return load_site(file)


def soon() -> Deadline:
    """A deadline."""
    return Deadline.after(SystemClock(), timedelta(seconds=FOLLOWS))


def access(stage: Stage) -> AwsAccess:
    """The lab's keys."""
    keys = stage.keys.aws
    return AwsAccess("us-east-1", stage.world.aws.server.url, keys.access_key, keys.secret_key)


def address_of(stage: Stage, name: str) -> str:
    """Where a resolver that remembers nothing sends users of `name`."""
    stage.world.names.resolvers[0].flush()
    found = ask(stage.world.plan.at("6.1"), name, "A")
    return found[-1] if found else ""


def test_both_vendors_hold_the_same_zone(stage: Stage, tmp_path: Path) -> None:
    """D10: from the start every server of both vendors gives the same steering record, apex and CAA records."""
    two = site(stage, "lab-two-dns", tmp_path)
    assert [zone.provider for zone in two.dns] == ["route53", "rfc2136"]
    assert {zone.zone for zone in two.dns} == {furniture.ZONE_TWO}
    for each in furniture.public_sets(stage.world.plan, furniture.ZONE_TWO):
        answers = {server.name: ask(server.address, each.key.name, each.key.type) for server in two.servers}
        assert {tuple(answer) for answer in answers.values()} == {each.values}
    assert len(two.servers) == 6


def test_a_split_state_is_seen_by_users(stage: Stage) -> None:
    """D10: changed at one vendor of two, a name leads here or there, as the resolver picks its server."""
    zone = Route53(furniture.ZONE_TWO_ID, access(stage))
    (standing,) = zone.read([RecordKey(WWW, "CNAME")], within=soon())
    assert standing is not None
    before = stage.world.fingerprint()
    there = RecordChange(standing, replace(standing, values=(f"{furniture.BACKUP}.",)))
    zone.replace([there], within=soon())
    assert stage.world.fingerprint() != before
    both = {stage.world.plan.at(last) for last in ("3.1", furniture.BACKUP_EDGE)}
    seen: set[str] = set()

    def seen_both() -> bool:
        seen.add(address_of(stage, WWW))
        return seen == both

    wait_until(seen_both, within=FOLLOWS)
    zone.replace([there.reversed()], within=soon())
    for number in range(1, 5):
        wait_until(lambda number=number: ask(stage.world.plan.at(f"5.{number}"), WWW) == list(standing.values))  # type: ignore[misc]
    assert stage.world.fingerprint() == before


def test_the_second_name_server_breaks_as_asked(stage: Stage) -> None:
    """D6, D10: each server of the second vendor can be silent by itself, and the name is resolved all the same."""
    for target, last in (("ns-two-primary", "5.13"), ("ns-two-secondary", "5.14")):
        stage.break_(target, "refusing")
        assert ask(stage.world.plan.at(last), WWW) == []
    assert address_of(stage, WWW) == stage.world.plan.at("3.1")


def test_the_armed_record_sets_are_those_of_the_site_file(stage: Stage, tmp_path: Path) -> None:
    """D9: www and apex stand twice, for each host under its identifier, the primary's under the check of the switch."""
    armed = site(stage, "lab-armed", tmp_path)
    zone, switch = armed.dns
    assert isinstance(zone, Route53Zone)
    assert isinstance(switch, FailoverSwitch)
    route53 = Route53(zone.zone_id, access(stage))
    for host, role in zip(armed.hosts, ("PRIMARY", "SECONDARY"), strict=True):
        leads = [lead for lead in to_host(armed, host).leads if lead.key.type != SWITCH]
        found = route53.read([lead.key for lead in leads], within=soon())
        for lead, record in zip(leads, found, strict=True):
            assert record is not None
            attributes = dict(record.attributes)
            assert lead.holds(record)
            assert (record.ttl, attributes["Failover"]) == (lead.ttl, role)
            assert attributes.get("HealthCheckId") == (switch.health_check if role == "PRIMARY" else None)
    assert [way.name for way in ways(armed)] == ["vercel", "netlify"]
    assert (switch.bucket, switch.key) == (stage.world.switch_bucket.name, furniture.SWITCH_KEY)


def test_the_switch_turns_apex_and_www_together(stage: Stage, tmp_path: Path) -> None:
    """D4, D9: the object in S3 sends users of both names to the backup, which serves them over TLS, and back."""
    _, config = site(stage, "lab-armed", tmp_path).dns
    assert isinstance(config, FailoverSwitch)
    switch = S3Switch(config.names, config.bucket, config.key, access(stage))
    sides = {value: [RecordSet(RecordKey(name, SWITCH), timedelta(0), (value,)) for name in NAMES] for value in WAYS}
    before = stage.world.fingerprint()
    stage.break_("route53-api", "denied")
    for old, new in (("primary", "secondary"), ("secondary", "primary")):
        switch.replace([RecordChange(*pair) for pair in zip(sides[old], sides[new], strict=True)], within=soon())
        for name in NAMES:
            address = stage.world.plan.at(WAYS[new])
            wait_until(lambda name=name, address=address: address_of(stage, name) == address, within=FOLLOWS)  # type: ignore[misc]
            assert stage.get(WAYS[new], host=name.rstrip(".")).status == 200
    stage.heal()
    assert stage.world.fingerprint() == before
