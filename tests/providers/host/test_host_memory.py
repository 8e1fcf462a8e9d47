"""The host in memory keeps the contract, and fails as it was told to."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from defib.clock import Clock, Deadline, SimulatedClock, SystemClock
from defib.errors import Conflict, Denied, NotFound, Unavailable
from defib.ports import Attachment, Deployment, Quota
from defib.providers.host.memory import MemoryHost
from tests.contracts.host import HostContract, HostWorld

HELD, FREE, TAKEN = "www.contract.test.", "new.contract.test.", "www.others.test."


def memory_host(clock: Clock, publishes_after: timedelta = timedelta(milliseconds=30)) -> MemoryHost:
    """A project with two deployments and one name."""
    now = clock.now()
    deployments = [Deployment(name, now - timedelta(hours=age), name * 40) for name, age in (("b", 1), ("a", 40))]
    until = now + timedelta(days=60)
    attachments = [Attachment(HELD, attached=True, verified=True, certificate_until=until)]
    return MemoryHost(
        "P1", deployments, "b", attachments, foreign={TAKEN}, certifies_until=until, publishes_after=publishes_after
    )


def memory_world() -> HostWorld:
    """A world in memory; refusals are scheduled, as there is nobody to refuse."""
    clock = SystemClock()
    host, denied, unknown = memory_host(clock), memory_host(clock), memory_host(clock)
    denied.failures.schedule(Denied("no", where="P1"), calls=100)
    unknown.failures.schedule(NotFound("no", where="P1"), calls=100)

    def stands() -> str:
        found = host.live(within=Deadline.after(clock, timedelta(seconds=1)))
        return found.id if found is not None else ""

    def suspend() -> None:
        host.quota_told = Quota(suspended=True, details="unpaid")

    return HostWorld(
        host=host,
        live="b",
        older="a",
        held=HELD,
        free=FREE,
        taken=TAKEN,
        stands=stands,
        names=lambda: (HELD.rstrip("."), *(name.rstrip(".") for name in host.attached)),
        suspend=suspend,
        denied=denied,
        unknown=unknown,
        clock=clock,
    )


class TestMemoryHost(HostContract):
    """The contract over memory."""

    @pytest.fixture
    def world(self) -> HostWorld:
        """A fresh project."""
        return memory_world()


class TestScheduledFailures:
    """Failures and delays come as scheduled, on the simulated clock."""

    def setup_method(self) -> None:
        self.clock = SimulatedClock()
        self.host = memory_host(self.clock, timedelta(seconds=40))

    def soon(self) -> Deadline:
        """A deadline on the simulated clock."""
        return Deadline.after(self.clock, timedelta(seconds=10))

    def test_publishing_takes_its_time(self) -> None:
        """What was published is live once its time has come, and not before."""
        self.host.publish("a", within=self.soon())
        for wait, expected in ((39, "b"), (1, "a")):
            self.clock.sleep(timedelta(seconds=wait))
            found = self.host.live(within=self.soon())
            assert found is not None
            assert expected == found.id
        assert self.host.published == ("a",)

    def test_write_may_land_although_it_failed(self) -> None:
        """A write whose answer was lost is made; one that failed otherwise is not."""
        self.host.failures.schedule(Unavailable("lost"), methods=["attach"], lands_after=timedelta(0), hangs=True)
        self.host.failures.schedule(Unavailable("down"), methods=["publish"])
        with pytest.raises(Unavailable):
            self.host.attach(FREE, within=self.soon())
        assert self.clock.monotonic() == timedelta(seconds=10)
        with pytest.raises(Unavailable):
            self.host.publish("a", within=self.soon())
        assert (self.host.attached, self.host.published) == ((FREE,), ())

    def test_what_is_told_of_a_name_can_be_set(self) -> None:
        """A certificate that is missing is told, and stays missing when the name is attached once more."""
        bare = Attachment(HELD, attached=True, verified=True, certificate_until=None, problem="no certificate")
        self.host.put(bare)
        assert bare == self.host.attachment(HELD, within=self.soon())
        assert bare == self.host.attach(HELD, within=self.soon())
        assert not bare.ready
        assert replace(bare, problem="").ready

    def test_nothing_may_be_live(self) -> None:
        """A project that was never published has no live deployment."""
        assert MemoryHost("P1", [], "").live(within=self.soon()) is None

    def test_conflict_names_the_platform(self) -> None:
        """The name of somebody else is refused by name."""
        with pytest.raises(Conflict) as caught:
            self.host.attach(TAKEN, within=self.soon())
        assert TAKEN in str(caught.value)
