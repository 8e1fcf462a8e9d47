"""Retry, rate limit and read-only keep the contract of what they wrap, and do their own part on top."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from defib.clock import Deadline, SimulatedClock
from defib.errors import Conflict, Denied, Interrupted, NotFound, Refused, Unavailable
from defib.lab.alone import RunningAws, serve_aws
from defib.ports import Cdn, DnsZone, Receipt, RecordChange
from defib.providers.cdn.memory import MemoryCdn
from defib.providers.dns.memory import MemoryZone
from defib.providers.wrappers import (
    Backoff,
    Cost,
    Rate,
    RateLimitedCdn,
    RateLimitedZone,
    ReadOnlyCdn,
    ReadOnlyZone,
    RetryingCdn,
    RetryingZone,
)
from defib.providers.wrappers.retry import UNCONFIRMED
from tests.contracts.cdn import CdnContract, CdnWorld
from tests.contracts.dns_zone import API, SEED, WWW, WWW_B, ZONE, DnsZoneContract, ZoneWorld, change
from tests.contracts.weighted_zone import WeightedZoneContract
from tests.providers.cdn.test_memory import EDGE
from tests.providers.cdn.test_memory import memory_world as memory_cdn_world
from tests.providers.dns.test_memory import memory_world
from tests.providers.dns.test_route53 import route53_world


def wrapped_zone(zone: DnsZone) -> DnsZone:
    """Both wrappers, as a site's zone is opened; the rate is high enough to be felt and no more."""
    return RetryingZone(RateLimitedZone(zone, Rate(5, timedelta(milliseconds=20))), random.Random(1))


def wrapped_cdn(cdn: Cdn) -> Cdn:
    """The same for a CDN."""
    return RetryingCdn(RateLimitedCdn(cdn, Rate(5, timedelta(milliseconds=20))), random.Random(1))


def wrapped_world(world: ZoneWorld) -> ZoneWorld:
    """A world whose ports are wrapped."""
    return replace(
        world, zone=wrapped_zone(world.zone), denied=wrapped_zone(world.denied), unknown=wrapped_zone(world.unknown)
    )


class TestWrappedMemoryZone(DnsZoneContract, WeightedZoneContract):
    """The contract over both wrappers around memory."""

    @pytest.fixture
    def world(self) -> ZoneWorld:
        """A fresh zone, wrapped."""
        return wrapped_world(memory_world())


@pytest.fixture(scope="module")
def aws() -> Iterator[RunningAws]:
    """AWS of the lab, for the wrapped Route 53."""
    with serve_aws() as running:
        yield running


class TestWrappedRoute53(DnsZoneContract, WeightedZoneContract):
    """The contract over both wrappers around Route 53."""

    @pytest.fixture
    def world(self, aws: RunningAws) -> ZoneWorld:
        """A fresh hosted zone, wrapped."""
        return wrapped_world(route53_world(aws))


class TestWrappedMemoryCdn(CdnContract):
    """The contract over both wrappers around memory."""

    @pytest.fixture
    def world(self) -> CdnWorld:
        """A fresh distribution, wrapped."""
        world = memory_cdn_world()
        return replace(
            world, cdn=wrapped_cdn(world.cdn), denied=wrapped_cdn(world.denied), unknown=wrapped_cdn(world.unknown)
        )


class TestRetryingZone:
    """What is retried, what is not, and that nothing is written blindly twice."""

    def setup_method(self) -> None:
        self.clock = SimulatedClock()
        self.memory = MemoryZone(ZONE, SEED)
        self.zone = RetryingZone(self.memory, random.Random(7), by_hand="see runbooks/x.md")

    def soon(self, seconds: float = 30) -> Deadline:
        """A deadline on the simulated clock."""
        return Deadline.after(self.clock, timedelta(seconds=seconds))

    def test_passing_failure_is_not_seen(self) -> None:
        """A read that fails three times in a row succeeds within its deadline."""
        self.memory.failures.schedule(Unavailable("busy"), calls=3)
        assert self.zone.read([WWW.key], within=self.soon()) == (WWW,)
        assert timedelta(0) < self.clock.monotonic() < timedelta(seconds=2)

    def test_lasting_failure_ends_by_the_deadline(self) -> None:
        """A vendor that stays away costs the deadline at most, and the message says how often it was tried."""
        self.memory.failures.schedule(Unavailable("busy", where="the vendor"), calls=1000)
        with pytest.raises(Unavailable) as caught:
            self.zone.read([WWW.key], within=self.soon())
        assert timedelta(seconds=20) < self.clock.monotonic() <= timedelta(seconds=30)
        assert "times, no time is left" in caught.value.what
        assert (caught.value.where, caught.value.then) == ("the vendor", "see runbooks/x.md")

    def test_hanging_attempt_leaves_time_for_another(self) -> None:
        """One attempt that hangs does not use up the whole call."""
        self.memory.failures.schedule(Unavailable("hung"), hangs=True)
        assert self.zone.read([WWW.key], within=self.soon()) == (WWW,)
        assert timedelta(seconds=5) < self.clock.monotonic() < timedelta(seconds=6)

    @pytest.mark.parametrize("error", [Denied("no"), NotFound("no"), Conflict("no")])
    def test_lasting_refusal_is_not_retried(self, error: Exception) -> None:
        """What waiting does not change is raised at once."""
        assert isinstance(error, Denied | NotFound | Conflict)
        self.memory.failures.schedule(error)
        with pytest.raises(type(error)):
            self.zone.read([WWW.key], within=self.soon())
        assert self.clock.monotonic() == timedelta(0)

    def test_wish_of_the_vendor_is_honoured(self) -> None:
        """C10: a Retry-After that fits is waited for, exactly."""
        self.memory.failures.schedule(Unavailable("busy", retry_after=timedelta(seconds=9)))
        assert self.zone.read([WWW.key], within=self.soon()) == (WWW,)
        assert self.clock.monotonic() == timedelta(seconds=9)

    def test_wish_beyond_the_deadline_fails_at_once(self) -> None:
        """C10: a Retry-After that does not fit fails without waiting, says how long it is, and leads to the manual way."""
        self.memory.failures.schedule(Unavailable("busy", retry_after=timedelta(seconds=300)))
        with pytest.raises(Unavailable) as caught:
            self.zone.read([WWW.key], within=self.soon())
        assert self.clock.monotonic() == timedelta(0)
        assert "asks to wait 300 s, and 30 s are left" in caught.value.what
        assert caught.value.then == "see runbooks/x.md"
        assert caught.value.retry_after == timedelta(seconds=300)

    def test_interruption_ends_the_wait(self) -> None:
        """E3: a signal during a pause is not retried over."""
        self.memory.failures.schedule(Unavailable("busy", retry_after=timedelta(seconds=9)))
        self.clock.at(timedelta(seconds=2), self.clock.interrupt)
        with pytest.raises(Interrupted):
            self.zone.read([WWW.key], within=self.soon())
        assert self.clock.monotonic() == timedelta(seconds=2)

    def test_write_that_did_not_land_is_made(self) -> None:
        """After a failed write the value still stands, so it is written again."""
        self.memory.failures.schedule(Unavailable("busy"), calls=2, methods=["replace"])
        receipt = self.zone.replace([change(WWW, WWW_B)], within=self.soon())
        assert self.memory.applied == ((change(WWW, WWW_B),),)
        assert self.zone.settled(receipt, within=self.soon())

    @pytest.mark.parametrize("hangs", [True, False], ids=["after a time-out", "after a lost answer"])
    def test_write_that_landed_is_success(self, hangs: bool) -> None:
        """A write whose answer was lost is found in place and not repeated; that its receipt is unknown is said."""
        self.memory.failures.schedule(Unavailable("lost"), methods=["replace"], hangs=hangs, lands_after=timedelta(0))
        receipt = self.zone.replace([change(WWW, WWW_B)], within=self.soon())
        assert self.memory.applied == ((change(WWW, WWW_B),),)
        assert not self.zone.settled(receipt, within=self.soon())

    def test_write_that_lands_late_is_success(self) -> None:
        """A write that lands between our look and our second attempt makes that one conflict: it is success too."""
        memory = _SlowToWrite(ZONE, SEED)
        memory.failures.schedule(Unavailable("lost"), methods=["replace"], lands_after=timedelta(seconds=1))
        RetryingZone(memory, random.Random(7)).replace([change(WWW, WWW_B)], within=self.soon())
        assert memory.read([WWW.key], within=self.soon()) == (WWW_B,)
        assert memory.conflicts == 1

    def test_foreign_change_after_a_lost_answer_conflicts(self) -> None:
        """D1: where neither `before` nor `after` stands after a lost answer, somebody else was there: nothing is written."""
        foreign = replace(WWW, values=("foreign.example.net.",))
        self.memory.failures.schedule(Unavailable("lost", retry_after=timedelta(seconds=3)), methods=["replace"])
        self.clock.at(timedelta(seconds=1), lambda: void(self.memory.replace([change(WWW, foreign)], within=self.soon())))
        with pytest.raises(Conflict):
            self.zone.replace([change(WWW, WWW_B)], within=self.soon())
        assert self.memory.read([WWW.key], within=self.soon()) == (foreign,)

    def test_half_of_a_batch_conflicts(self) -> None:
        """A batch of which one part stands and another does not is nobody's whole batch: it conflicts."""
        batch = [change(WWW, WWW_B), change(API, None)]
        self.memory.failures.schedule(Unavailable("lost", retry_after=timedelta(seconds=3)), methods=["replace"])
        self.clock.at(timedelta(seconds=1), lambda: void(self.memory.replace(batch[:1], within=self.soon())))
        with pytest.raises(Conflict):
            self.zone.replace(batch, within=self.soon())

    def test_first_conflict_is_raised(self) -> None:
        """A conflict of the first attempt is never taken for success, even where `after` stands already."""
        self.memory.replace([change(WWW, WWW_B)], within=self.soon())
        with pytest.raises(Conflict):
            self.zone.replace([change(WWW, WWW_B)], within=self.soon())

    def test_landed_write_without_a_receipt_is_still_made(self) -> None:
        """Where only the receipt cannot be had, the change is reported as made, and never as settled."""
        self.memory.failures.schedule(Unavailable("lost"), methods=["replace"], lands_after=timedelta(0))
        self.memory.failures.schedule(Unavailable("down"), methods=["replace"])
        receipt = self.zone.replace([change(WWW, WWW_B)], within=self.soon())
        assert receipt == UNCONFIRMED
        assert not self.zone.settled(receipt, within=self.soon())
        assert self.memory.read([WWW.key], within=self.soon()) == (WWW_B,)

    def test_landed_removal_has_no_receipt(self) -> None:
        """An absence cannot be set again, so a removal whose answer was lost stays unconfirmed."""
        self.memory.failures.schedule(Unavailable("lost"), methods=["replace"], lands_after=timedelta(0))
        assert self.zone.replace([change(API, None)], within=self.soon()) == UNCONFIRMED
        assert self.memory.read([API.key], within=self.soon()) == (None,)

    def test_settled_is_asked_again(self) -> None:
        """A failure of the question is no answer to it."""
        receipt = self.zone.replace([change(WWW, WWW_B)], within=self.soon())
        self.memory.failures.schedule(Unavailable("busy"), calls=2, methods=["settled"])
        assert self.zone.settled(receipt, within=self.soon())


class _SlowToWrite(MemoryZone):
    """A zone whose writes after the first are two seconds under way, and which counts those that conflict."""

    conflicts = 0
    writes = 0

    def replace(self, changes: Sequence[RecordChange], *, within: Deadline) -> Receipt:
        """Write, later."""
        self.writes += 1
        if self.writes > 1:
            within.clock.sleep(timedelta(seconds=2))
        try:
            return super().replace(changes, within=within)
        except Conflict:
            self.conflicts += 1
            raise


def void(_: object) -> None:
    """Drop a result."""


def test_pauses_double_up_to_the_cap_and_vary() -> None:
    """Pauses grow from the first to the cap, each shortened by chance by at most half."""
    backoff = Backoff(first=timedelta(seconds=1), cap=timedelta(seconds=8))
    chance = random.Random(3)
    for failures, longest in ((1, 1), (2, 2), (3, 4), (4, 8), (5, 8), (5000, 8)):
        pauses = {backoff.pause(failures, chance) for _ in range(50)}
        assert min(pauses) >= timedelta(seconds=longest / 2)
        assert max(pauses) <= timedelta(seconds=longest)
        assert len(pauses) > 1


class TestRetryingCdn:
    """Purges may be repeated, so they are."""

    def test_every_call_is_tried_again(self) -> None:
        """Status, purge and settled survive a vendor that fails for a moment."""
        clock = SimulatedClock()
        memory = MemoryCdn("E1", EDGE)
        cdn = RetryingCdn(memory, random.Random(7))
        within = Deadline.after(clock, timedelta(seconds=30))
        memory.failures.schedule(Unavailable("busy"), methods=["status"])
        memory.failures.schedule(Unavailable("lost"), methods=["purge"], lands_after=timedelta(0))
        memory.failures.schedule(Unavailable("busy"), methods=["settled"])
        assert cdn.status(within=within) == EDGE
        assert cdn.settled(cdn.purge(["/index.html"], within=within), within=within)
        assert memory.purged == (("/index.html",), ("/index.html",))


class TestRate:
    """Calls keep to the vendor's limit and no slower."""

    def setup_method(self) -> None:
        self.clock = SimulatedClock()
        self.zone = RateLimitedZone(MemoryZone(ZONE, SEED), Rate(5, timedelta(seconds=1)))

    def soon(self, seconds: float = 30) -> Deadline:
        """A deadline on the simulated clock."""
        return Deadline.after(self.clock, timedelta(seconds=seconds))

    def test_first_calls_do_not_wait(self) -> None:
        """A run that has been idle acts at once."""
        for _ in range(5):
            self.zone.read([WWW.key], within=self.soon())
        assert self.clock.monotonic() == timedelta(0)

    def test_never_more_than_the_limit_in_any_span(self) -> None:
        """Of twenty calls, no six fall into one second."""
        moments = []
        for _ in range(20):
            self.zone.settled(Receipt(""), within=self.soon())
            moments.append(self.clock.monotonic())
        spans = [later - earlier for earlier, later in zip(moments, moments[5:], strict=False)]
        assert min(spans) >= timedelta(seconds=1)
        assert self.clock.monotonic() == timedelta(seconds=3)

    def test_read_counts_key_by_key(self) -> None:
        """Six keys are six calls at the vendor, so the sixth waits."""
        assert self.zone.read([each.key for each in (*SEED, WWW)], within=self.soon())[5] == WWW
        assert self.clock.monotonic() == timedelta(seconds=1)

    def test_one_call_a_span_is_a_spacing(self) -> None:
        """A rate of one is a minimum spacing, shared by all that hold it."""
        rate = Rate(1, timedelta(seconds=2))
        zones = [RateLimitedZone(MemoryZone(ZONE, SEED), rate) for _ in range(2)]
        for _ in range(2):
            for zone in zones:
                zone.replace([], within=self.soon())
        assert self.clock.monotonic() == timedelta(seconds=6)

    def test_cost_of_several_calls_is_taken_as_a_whole(self) -> None:
        """A vendor that needs several calls for one of ours is given them together or not at all."""
        cost = Cost(read=len, replace=lambda _: 4, settled=0)
        zone = RateLimitedZone(MemoryZone(ZONE, SEED), Rate(5, timedelta(seconds=1)), cost)
        assert zone.read([WWW.key, API.key], within=self.soon()) == (WWW, API)
        assert self.clock.monotonic() == timedelta(0)
        with pytest.raises(Unavailable):
            zone.replace([change(WWW, WWW_B)], within=self.soon(0.5))
        assert zone.settled(Receipt(""), within=self.soon(0.5))
        zone.read([WWW.key, API.key], within=self.soon(0.5))
        assert self.clock.monotonic() == timedelta(0)
        zone.replace([change(WWW, WWW_B)], within=self.soon())
        assert self.clock.monotonic() == timedelta(seconds=1)

    def test_call_that_would_be_late_fails_at_once(self) -> None:
        """Where no call is free before the deadline, nobody waits for it, and the slot is not used up."""
        for _ in range(5):
            self.zone.read([WWW.key], within=self.soon())
        with pytest.raises(Unavailable) as caught:
            self.zone.read([WWW.key], within=self.soon(0.5))
        assert caught.value.retry_after == timedelta(seconds=1)
        assert self.clock.monotonic() == timedelta(0)
        self.zone.read([WWW.key], within=self.soon())
        assert self.clock.monotonic() == timedelta(seconds=1)


class TestReadOnly:
    """In plan mode every write is refused before anybody is asked."""

    def setup_method(self) -> None:
        self.within = Deadline.after(SimulatedClock(), timedelta(seconds=5))

    def test_zone_reads_and_never_writes(self) -> None:
        """Reads pass through; a change is refused by name and does not reach the vendor."""
        memory = MemoryZone(ZONE, SEED)
        zone = ReadOnlyZone(memory)
        assert zone.read([WWW.key], within=self.within) == (WWW,)
        assert zone.settled(Receipt(""), within=self.within)
        assert (zone.vendor, zone.zone) == ("memory", ZONE)
        with pytest.raises(Refused) as caught:
            zone.replace([change(WWW, WWW_B)], within=self.within)
        assert str(WWW.key) in caught.value.what
        assert memory.applied == ()

    def test_cdn_tells_and_never_purges(self) -> None:
        """Status passes through; a purge is refused and does not reach the vendor."""
        memory = MemoryCdn("E1", EDGE)
        cdn = ReadOnlyCdn(memory)
        assert cdn.status(within=self.within) == EDGE
        assert cdn.settled(Receipt(""), within=self.within)
        assert (cdn.vendor, cdn.distribution) == ("memory", "E1")
        with pytest.raises(Refused):
            cdn.purge(["/index.html"], within=self.within)
        assert memory.purged == ()
