"""The switch in S3 turns all its names by one compare-and-set, as a site file asks for it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from defib.errors import Conflict, LeaseLost, NotFound, ProviderError
from defib.lab.alone import RunningAws, serve_aws
from defib.lab.faults import Fault
from defib.ports import DnsZone, RecordChange, RecordKey, RecordSet
from defib.providers.dns.s3_switch import S3Switch
from defib.providers.open import open_zone
from defib.sites.values import Aws
from defib.sites.vendors import FailoverSwitch
from defib.users import ways
from tests.providers.dns.s3_switch_stage import (
    BACK,
    KEY,
    KEYS,
    NAMES,
    OVER,
    PRIMARY,
    SECONDARY,
    World,
    at,
    fresh_switch,
    soon,
    turned,
)


@pytest.fixture(scope="module")
def aws() -> Iterator[RunningAws]:
    """AWS of the lab, for all tests of this file."""
    with serve_aws() as running:
        yield running


@pytest.fixture
def world(aws: RunningAws) -> Iterator[World]:
    """A switch that stands at its primary."""
    with fresh_switch(aws) as made:
        yield made


class TestReading:
    """Where the switch stands."""

    def test_absence_is_the_primary_and_presence_the_secondary(self, world: World) -> None:
        """Every name reads alike, in the order asked, and the object alone decides."""
        assert world.switch.read(KEYS, within=soon()) == PRIMARY
        world.put_by_hand(b"")
        assert world.switch.read(KEYS[::-1], within=soon()) == SECONDARY[::-1]

    def test_it_is_called_by_bucket_and_key(self, world: World) -> None:
        """Vendor and zone name the object, under which a journal finds it again."""
        assert (world.switch.vendor, world.switch.zone) == ("s3-switch", f"{world.bucket.name}/{KEY}")

    def test_what_it_does_not_turn_is_not_there(self, world: World) -> None:
        """Another name, another type and a set identifier read as None; case makes no difference."""
        strangers = [
            RecordKey("api.pulse.test.", "SWITCH"),
            RecordKey(NAMES[0], "A"),
            RecordKey(NAMES[0], "SWITCH", "one"),
            RecordKey(NAMES[0].upper(), "switch"),
        ]
        assert world.switch.read(strangers, within=soon()) == (None, None, None, PRIMARY[0])

    def test_nothing_asked_costs_nothing(self, world: World) -> None:
        """What needs no answer of S3's is answered while S3 is down."""
        world.aws.set_fault("s3", Fault("500"))
        assert world.switch.read([], within=soon()) == ()
        assert world.switch.read([RecordKey(NAMES[0], "A")], within=soon()) == (None,)

    def test_a_large_object_costs_no_more_than_a_small_one(self, world: World) -> None:
        """Presence says it all: a body that cannot have been read by the deadline is not waited for."""
        world.put_by_hand(b"x" * 4_000_000)
        assert world.switch.read(KEYS, within=soon()) == SECONDARY
        world.switch.replace(BACK, within=soon())
        assert world.found is None


class TestTurning:
    """All names together, by compare-and-set."""

    def test_there_and_back(self, world: World) -> None:
        """D19: turning puts the object there, turning back takes it away, and both are settled at once."""
        receipt = world.switch.replace(OVER, within=soon())
        assert world.switch.settled(receipt, within=soon())
        assert world.switch.read(KEYS, within=soon()) == SECONDARY
        receipt = world.switch.replace([each.reversed() for each in OVER], within=soon())
        assert world.switch.settled(receipt, within=soon())
        assert world.switch.read(KEYS, within=soon()) == PRIMARY
        assert world.bucket.keys() == ()

    def test_the_object_says_what_it_does_and_is_always_the_same(self, world: World) -> None:
        """Whoever finds it learns what it does and how to take it back; two runs write the same bytes."""
        bodies = []
        for _ in range(2):
            world.switch.replace(OVER, within=soon())
            assert world.found is not None
            bodies.append(world.found.body)
            world.switch.replace(BACK, within=soon())
        assert bodies[0] == bodies[1]
        told = json.loads(bodies[0])
        assert told["names"] == list(NAMES)
        assert told["to take it back"] == f"aws s3 rm s3://{world.bucket.name}/{KEY}"

    def test_what_somebody_put_there_by_hand_is_taken_back(self, world: World) -> None:
        """The object turns the switch whatever it says, so a failback after a manual failover works."""
        world.put_by_hand(b"by hand, at three in the morning")
        world.switch.replace(BACK, within=soon())
        assert world.found is None

    @pytest.mark.parametrize(("there", "batch"), [(True, OVER), (False, BACK)], ids=["over", "back"])
    def test_stale_before_conflicts(self, world: World, there: bool, batch: list[RecordChange]) -> None:
        """D1: a switch that somebody turned already is not turned again, what it holds stays, and the error says where."""
        if there:
            world.put_by_hand(b"theirs")
        with pytest.raises(Conflict) as caught:
            world.switch.replace(batch, within=soon())
        assert str(batch[0].key) in str(caught.value)
        assert world.switch.zone in caught.value.where
        assert (world.found.body if world.found else None) == (b"theirs" if there else None)

    @pytest.mark.parametrize(
        "before",
        [None, at("elsewhere", NAMES[0]), replace(PRIMARY[0], ttl=timedelta(seconds=60)), SECONDARY[0]],
        ids=["absence", "value", "ttl", "mixed"],
    )
    def test_before_that_no_switch_can_hold_conflicts(self, world: World, before: RecordSet | None) -> None:
        """One name's `before` that does not hold stops the whole batch."""
        with pytest.raises(Conflict):
            world.switch.replace([RecordChange(before, SECONDARY[0]), OVER[1]], within=soon())
        assert world.found is None

    @pytest.mark.parametrize(
        "batch",
        [
            OVER[:1],
            [*OVER, *turned("primary", "secondary", ["api.pulse.test."])],
            [OVER[0], RecordChange(PRIMARY[1], PRIMARY[1])],
            [OVER[0], RecordChange(PRIMARY[1], None)],
            [OVER[0], RecordChange(PRIMARY[1], at("tertiary", NAMES[1]))],
            [OVER[0], RecordChange(PRIMARY[1], replace(SECONDARY[1], ttl=timedelta(seconds=60)))],
            [RecordChange(RecordSet(RecordKey(NAMES[0], "A"), timedelta(0), ("192.0.2.1",)), None)],
        ],
        ids=["partial", "strange-name", "both-ways", "removal", "value", "ttl", "record-set"],
    )
    def test_what_one_object_cannot_say_is_refused(self, world: World, batch: list[RecordChange]) -> None:
        """A batch that turns some names and not others, or to what there is not, is refused and not sent."""
        with pytest.raises(NotFound):
            world.switch.replace(batch, within=soon())
        assert world.found is None

    def test_a_name_twice_in_a_batch_conflicts(self, world: World) -> None:
        """A batch that contradicts itself changes nothing."""
        with pytest.raises(Conflict):
            world.switch.replace([*OVER, OVER[0]], within=soon())
        assert world.found is None

    def test_what_stands_may_be_set_again(self, world: World) -> None:
        """A change from what stands to itself is taken; from what does not stand, it conflicts."""
        stay = turned("primary", "primary")
        world.switch.replace(stay, within=soon())
        assert world.found is None
        world.put_by_hand(b"theirs")
        with pytest.raises(Conflict):
            world.switch.replace(stay, within=soon())

    def test_empty_batch_changes_nothing(self, world: World) -> None:
        """No changes are made, and they are settled."""
        assert world.switch.settled(world.switch.replace([], within=soon()), within=soon())
        assert world.found is None

    @pytest.mark.parametrize("batch", [OVER, BACK], ids=["over", "back"])
    def test_one_of_two_writers_wins(self, world: World, batch: list[RecordChange]) -> None:
        """Of two that turn it the same way at the same time one does, and the other learns that it did not."""
        if batch is BACK:
            world.put_by_hand(b"")
        rivals = [world.switch, world.other()]
        start = threading.Barrier(len(rivals))

        def attempt(rival: S3Switch) -> type[ProviderError] | None:
            start.wait(timeout=60)
            try:
                rival.replace(batch, within=soon())
            except ProviderError as error:
                return type(error)
            return None

        with ThreadPoolExecutor(len(rivals)) as pool:
            outcomes = list(pool.map(attempt, rivals))
        assert sorted(outcomes, key=str) == [Conflict, None]


class TestOpened:
    """As a site file asks for it."""

    def config(self, world: World) -> FailoverSwitch:
        """The part of a site file."""
        return FailoverSwitch(
            provider="s3-switch",
            zone="pulse.test.",
            names=NAMES,
            bucket=world.bucket.name,
            key=KEY,
            health_check="abcdef11-2222-3333-4444-555555fedcba",
            aws=Aws(endpoint=world.aws.endpoint, access_key="env:KEY", secret_key="env:SECRET"),
        )

    def opened(self, world: World, before_write: Callable[[], None]) -> DnsZone:
        """The zone that a run gets."""
        values = {"env:KEY": world.aws.credentials.access_key, "env:SECRET": world.aws.credentials.secret_key}
        return open_zone(self.config(world), values.__getitem__, before_write)

    def test_site_file_leads_to_the_switch(self, world: World) -> None:
        """D9: names, bucket, key and credentials of the site file turn the object, after a check for each write."""
        checks: list[str] = []
        zone = self.opened(world, lambda: checks.append("checked"))
        assert zone.read(KEYS, within=soon()) == PRIMARY
        zone.replace(OVER, within=soon())
        assert (world.found is not None, checks) == (True, ["checked"])

    def test_a_way_turns_it_in_place(self, world: World) -> None:
        """What a plan makes of a way's lead and of what was read is what the switch takes, and what is read afterwards."""
        leads = [ways.Lead(key, (ways.SECONDARY,), timedelta(seconds=60), "s3-switch") for key in KEYS]
        present = world.switch.read([lead.key for lead in leads], within=soon())
        after = [lead.put_into(record) for lead, record in zip(leads, present, strict=True)]
        batch = [RecordChange(record, there) for record, there in zip(present, after, strict=True)]
        world.switch.replace(batch, within=soon())
        seen = world.switch.read(KEYS, within=soon())
        assert list(seen) == after
        assert all(lead.holds(record) for lead, record in zip(leads, seen, strict=True))

    def test_fence_stops_a_write(self, world: World) -> None:
        """E8: who may no longer write turns nothing, and can still read."""

        def lost() -> None:
            raise LeaseLost("another run holds the site")

        zone = self.opened(world, lost)
        with pytest.raises(LeaseLost):
            zone.replace(OVER, within=soon())
        assert world.found is None
        assert zone.read(KEYS, within=soon()) == PRIMARY

    def test_refusals_are_waited_out(self, world: World) -> None:
        """What may pass is tried again, inside the deadline."""
        world.aws.set_fault("s3", Fault("500", {"times": 1}))
        zone = self.opened(world, lambda: None)
        assert zone.read(KEYS, within=soon()) == PRIMARY
