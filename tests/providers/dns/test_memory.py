"""The zone in memory keeps the contract, and fails as it was told to."""

from __future__ import annotations

from datetime import timedelta

import pytest

from defib.clock import Deadline, SimulatedClock
from defib.errors import Denied, NotFound, Unavailable
from defib.ports import Receipt
from defib.providers.dns.memory import MemoryZone
from tests.contracts.dns_zone import SEED, WWW, WWW_B, ZONE, DnsZoneContract, ZoneWorld, change
from tests.contracts.weighted_zone import WeightedZoneContract


def memory_world() -> ZoneWorld:
    """A world in memory; refusals are scheduled, as there is nobody to refuse."""
    zone = MemoryZone(ZONE, SEED, settles_after=timedelta(milliseconds=50))
    denied, unknown = MemoryZone(ZONE), MemoryZone("elsewhere.test.")
    denied.failures.schedule(Denied("no", where=ZONE), calls=100)
    unknown.failures.schedule(NotFound("no", where=ZONE), calls=100)
    return ZoneWorld(zone, lambda: zone.records, denied, unknown)


class TestMemoryZone(DnsZoneContract, WeightedZoneContract):
    """The contract over memory."""

    @pytest.fixture
    def world(self) -> ZoneWorld:
        """A fresh zone."""
        return memory_world()


class TestScheduledFailures:
    """Failures and delays come as scheduled, on the simulated clock."""

    def setup_method(self) -> None:
        self.clock = SimulatedClock()
        self.zone = MemoryZone(ZONE, SEED, settles_after=timedelta(seconds=30))

    def soon(self, seconds: float = 10) -> Deadline:
        """A deadline on the simulated clock."""
        return Deadline.after(self.clock, timedelta(seconds=seconds))

    def test_next_calls_fail_and_then_all_is_well(self) -> None:
        """As many calls fail as were scheduled, of the methods named, in the order of the schedule."""
        self.zone.failures.schedule(Unavailable("first"), calls=2, methods=["read"])
        self.zone.failures.schedule(Denied("then"), methods=["read"])
        for expected in (Unavailable, Unavailable, Denied):
            with pytest.raises(expected):
                self.zone.read([WWW.key], within=self.soon())
        self.zone.replace([change(WWW, WWW_B)], within=self.soon())
        assert self.zone.read([WWW.key], within=self.soon()) == (WWW_B,)

    def test_hanging_call_takes_all_its_time(self) -> None:
        """A call that hangs ends at its deadline, not before."""
        self.zone.failures.schedule(Unavailable("hung"), hangs=True)
        with pytest.raises(Unavailable):
            self.zone.read([WWW.key], within=self.soon(7))
        assert self.clock.monotonic() == timedelta(seconds=7)

    def test_write_without_an_answer_does_not_land_by_itself(self) -> None:
        """A write that fails without more changes nothing."""
        self.zone.failures.schedule(Unavailable("lost"), methods=["replace"])
        with pytest.raises(Unavailable):
            self.zone.replace([change(WWW, WWW_B)], within=self.soon())
        assert self.zone.read([WWW.key], within=self.soon()) == (WWW,)
        assert self.zone.applied == ()

    def test_write_may_land_although_it_failed(self) -> None:
        """A write whose answer was lost stands."""
        self.zone.failures.schedule(Unavailable("lost"), methods=["replace"], lands_after=timedelta(0))
        with pytest.raises(Unavailable):
            self.zone.replace([change(WWW, WWW_B)], within=self.soon())
        assert self.zone.read([WWW.key], within=self.soon()) == (WWW_B,)

    def test_write_may_land_late(self) -> None:
        """A write may reach the vendor after its caller gave it up, and is compared then."""
        self.zone.failures.schedule(Unavailable("lost"), methods=["replace"], lands_after=timedelta(seconds=3))
        with pytest.raises(Unavailable):
            self.zone.replace([change(WWW, WWW_B)], within=self.soon())
        assert self.zone.read([WWW.key], within=self.soon()) == (WWW,)
        self.clock.sleep(timedelta(seconds=3))
        assert self.zone.read([WWW.key], within=self.soon()) == (WWW_B,)

    def test_late_write_is_compared_when_it_lands(self) -> None:
        """A late write that finds another value than it expected changes nothing."""
        self.zone.failures.schedule(Unavailable("lost"), methods=["replace"], lands_after=timedelta(seconds=3))
        with pytest.raises(Unavailable):
            self.zone.replace([change(WWW, WWW_B)], within=self.soon())
        self.zone.replace([change(WWW, None)], within=self.soon())
        self.clock.sleep(timedelta(seconds=3))
        assert self.zone.read([WWW.key], within=self.soon()) == (None,)

    def test_settles_when_its_time_has_come(self) -> None:
        """A change is settled as late as the zone says, and an unknown receipt is told as such."""
        receipt = self.zone.replace([change(WWW, WWW_B)], within=self.soon())
        self.clock.sleep(timedelta(seconds=29))
        assert not self.zone.settled(receipt, within=self.soon())
        self.clock.sleep(timedelta(seconds=1))
        assert self.zone.settled(receipt, within=self.soon())
        with pytest.raises(NotFound):
            self.zone.settled(Receipt("42"), within=self.soon())
