"""What a :class:`defib.ports.DnsZone` keeps whose vendor knows more of a record set than values and TTL."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from defib.errors import Conflict
from defib.ports import RecordKey, RecordSet
from tests.contracts.dns_zone import SEED, ZONE, ZoneWorld, change, sorted_sets


def weighted(identifier: str, weight: int) -> RecordSet:
    """One of several record sets of one name and type."""
    return RecordSet(
        RecordKey(f"split.{ZONE}", "CNAME", identifier),
        timedelta(seconds=30),
        (f"{identifier}.example.net.",),
        (("Weight", str(weight)),),
    )


BLUE, GREEN = weighted("blue", 100), weighted("green", 0)


class WeightedZoneContract:
    """To be inherited beside :class:`tests.contracts.dns_zone.DnsZoneContract`."""

    def test_weights_are_changed_together_and_restored(self, world: ZoneWorld) -> None:
        """D19: the attributes of the vendor read, compare, change and come back exactly."""
        world.zone.replace([change(None, BLUE), change(None, GREEN)], within=world.soon())
        assert world.zone.read([GREEN.key, BLUE.key], within=world.soon()) == (GREEN, BLUE)
        there = [change(BLUE, weighted("blue", 0)), change(GREEN, weighted("green", 100))]
        world.zone.replace(there, within=world.soon())
        assert sorted_sets(weighted("blue", 0), weighted("green", 100), *SEED) == world.content()
        world.zone.replace([each.reversed() for each in there], within=world.soon())
        assert sorted_sets(BLUE, GREEN, *SEED) == world.content()

    def test_stale_weight_conflicts(self, world: ZoneWorld) -> None:
        """A record set that differs in an attribute alone is another one."""
        world.zone.replace([change(None, BLUE), change(None, GREEN)], within=world.soon())
        stale = replace(BLUE, attributes=(("Weight", "50"),))
        with pytest.raises(Conflict):
            world.zone.replace([change(stale, weighted("blue", 0))], within=world.soon())
        assert sorted_sets(BLUE, GREEN, *SEED) == world.content()

    def test_identifier_is_part_of_the_key(self, world: ZoneWorld) -> None:
        """A weighted set is not found under its name alone, nor under another identifier."""
        world.zone.replace([change(None, BLUE), change(None, GREEN)], within=world.soon())
        keys = [RecordKey(BLUE.key.name, "CNAME"), RecordKey(BLUE.key.name, "CNAME", "amber")]
        assert world.zone.read(keys, within=world.soon()) == (None, None)
