"""The store in memory keeps the promises of every store."""

from __future__ import annotations

import pytest

from defib.clock import SimulatedClock
from defib.errors import Unavailable
from defib.providers.releases.memory import MemoryReleases
from tests.providers.releases.store_contract import ReleaseStoreContract, StoreWorld


class TestMemoryReleases(ReleaseStoreContract):
    @pytest.fixture
    def world(self) -> StoreWorld:
        """An empty store."""
        clock = SimulatedClock()
        return StoreWorld(MemoryReleases(clock), clock)


def test_failures_come_as_scheduled() -> None:
    """One call fails as told, the next goes well."""
    clock = SimulatedClock()
    world = StoreWorld(MemoryReleases(clock), clock)
    assert isinstance(world.store, MemoryReleases)
    world.store.failures.schedule(Unavailable("slow down"), methods=["put"])
    with pytest.raises(Unavailable):
        world.put("releases/a/x")
    world.put("releases/a/x")
