"""The distribution in memory keeps the contract, and fails as it was told to."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from defib.clock import Deadline, SimulatedClock
from defib.errors import Denied, NotFound, Unavailable
from defib.ports import EdgeStatus, Receipt
from defib.providers.cdn.memory import MemoryCdn
from tests.contracts.cdn import CdnContract, CdnWorld

EDGE = EdgeStatus(enabled=True, deployed=True, names=("www.contract.test.",), origin="origin.test", version="1")


def memory_world() -> CdnWorld:
    """A world in memory; refusals are scheduled, as there is nobody to refuse."""
    cdn = MemoryCdn("E1", EDGE, settles_after=timedelta(milliseconds=50))
    denied, unknown = MemoryCdn("E1", EDGE), MemoryCdn("E2", EDGE)
    denied.failures.schedule(Denied("no", where="E1"), calls=100)
    unknown.failures.schedule(NotFound("no", where="E2"), calls=100)

    def disable() -> None:
        cdn.edge = replace(cdn.edge, enabled=False, version="2")

    def purged() -> tuple[str, ...]:
        return tuple(path for paths in cdn.purged for path in paths)

    return CdnWorld(cdn, "www.contract.test.", "origin.test", disable, purged, denied, unknown)


class TestMemoryCdn(CdnContract):
    """The contract over memory."""

    @pytest.fixture
    def world(self) -> CdnWorld:
        """A fresh distribution."""
        return memory_world()


class TestScheduledFailures:
    """Failures and delays come as scheduled, on the simulated clock."""

    def setup_method(self) -> None:
        self.clock = SimulatedClock()
        self.cdn = MemoryCdn("E1", EDGE, settles_after=timedelta(seconds=40))

    def soon(self) -> Deadline:
        """A deadline on the simulated clock."""
        return Deadline.after(self.clock, timedelta(seconds=10))

    def test_purge_may_be_carried_out_although_it_failed(self) -> None:
        """A purge whose answer was lost is made; one that failed otherwise is not."""
        self.cdn.failures.schedule(Unavailable("lost"), methods=["purge"], lands_after=timedelta(0), hangs=True)
        self.cdn.failures.schedule(Unavailable("down"), methods=["purge"])
        for path in ("/lost", "/down"):
            with pytest.raises(Unavailable):
                self.cdn.purge([path], within=self.soon())
        assert self.cdn.purged == (("/lost",),)
        assert self.clock.monotonic() == timedelta(seconds=10)

    def test_settles_when_its_time_has_come(self) -> None:
        """C13: a purge stays in progress as long as it was told to, and an unknown receipt is told as such."""
        receipt = self.cdn.purge(["/index.html"], within=self.soon())
        self.clock.sleep(timedelta(seconds=39))
        assert not self.cdn.settled(receipt, within=self.soon())
        self.clock.sleep(timedelta(seconds=1))
        assert self.cdn.settled(receipt, within=self.soon())
        with pytest.raises(NotFound):
            self.cdn.settled(Receipt("7"), within=self.soon())
