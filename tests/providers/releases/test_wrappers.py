"""Retry and fence around a store."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta

import pytest

from defib.clock import Deadline, SimulatedClock
from defib.errors import Denied, LeaseLost, Unavailable
from defib.providers.releases.fenced import FencedReleases
from defib.providers.releases.memory import MemoryReleases
from defib.providers.releases.retrying import RetryingReleases
from tests.providers.releases.store_contract import ReleaseStoreContract, StoreWorld, upload


class TestRetryingReleases(ReleaseStoreContract):
    @pytest.fixture
    def world(self) -> StoreWorld:
        """A store in memory, with retries."""
        clock = SimulatedClock()
        return StoreWorld(RetryingReleases(MemoryReleases(clock), random.Random(1)), clock)


class TestFencedReleases(ReleaseStoreContract):
    @pytest.fixture
    def world(self) -> StoreWorld:
        """A store in memory, behind an open fence."""
        clock = SimulatedClock()
        return StoreWorld(FencedReleases(MemoryReleases(clock), lambda: None), clock)


@pytest.mark.parametrize("method", ["list", "folders", "head", "read", "put", "copy", "delete"])
def test_every_call_is_tried_again(method: str) -> None:
    """Three failures in a row cost some waiting and nothing else."""
    clock = SimulatedClock()
    memory = MemoryReleases(clock)
    world = StoreWorld(memory, clock)
    world.put("releases/a/x")
    store = RetryingReleases(memory, random.Random(1))
    memory.failures.schedule(Unavailable("slow down"), calls=3, methods=[method])
    calls: dict[str, Callable[[], object]] = {
        "list": lambda: store.list("releases/a/", within=world.soon()),
        "folders": lambda: store.folders("releases/", within=world.soon()),
        "head": lambda: store.head("releases/a/x", within=world.soon()),
        "read": lambda: store.read("releases/a/x", within=world.soon()),
        "put": lambda: store.put(upload("releases/a/y"), within=world.soon()),
        "copy": lambda: store.copy("releases/a/x", "releases/a/z", within=world.soon()),
        "delete": lambda: store.delete(["releases/a/x"], within=world.soon()),
    }
    began = clock.monotonic()
    calls[method]()
    assert 3 == store.repeated
    assert timedelta(seconds=0.3) < clock.monotonic() - began


def test_what_will_not_change_is_not_tried_again() -> None:
    """Refused credentials are told at once."""
    clock = SimulatedClock()
    memory = MemoryReleases(clock)
    memory.failures.schedule(Denied("no"), calls=5)
    with pytest.raises(Denied):
        RetryingReleases(memory, random.Random(1)).put(
            upload("releases/a/x"), within=Deadline.after(clock, timedelta(seconds=30))
        )
    assert 1 == memory.calls["put"]


def test_a_store_that_hangs_leaves_time_for_another_attempt() -> None:
    """An attempt does not take all the time that is left; a large file gets more of it."""
    clock = SimulatedClock()
    memory = MemoryReleases(clock)
    memory.failures.schedule(Unavailable("no answer"), methods=["put"], hangs=True)
    RetryingReleases(memory, random.Random(1)).put(
        upload("releases/a/x"), within=Deadline.after(clock, timedelta(minutes=10))
    )
    assert 2 == memory.calls["put"]
    assert clock.monotonic() < timedelta(seconds=20)


def test_no_write_without_the_lease() -> None:
    """Whoever lost the right to write reads on and writes nothing."""
    clock = SimulatedClock()
    memory = MemoryReleases(clock)
    world = StoreWorld(memory, clock)
    world.put("releases/a/x")

    def lost() -> None:
        raise LeaseLost("another run holds the site")

    store = FencedReleases(memory, lost)
    for write in (
        lambda: store.put(upload("releases/a/y"), within=world.soon()),
        lambda: store.copy("releases/a/x", "releases/a/y", within=world.soon()),
        lambda: store.delete(["releases/a/x"], within=world.soon()),
    ):
        with pytest.raises(LeaseLost):
            write()
    assert ["releases/a/x"] == [each.key for each in store.list("releases/a/", within=world.soon())]
