"""The monitor and the signal in memory keep the same contracts as the real ones."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import count

import pytest

from defib.clock import SystemClock
from defib.monitor import Sighting
from defib.ports import Health
from defib.providers.monitor.memory import MemoryMonitor, MemorySignal
from tests.contracts.monitor import WATCHED, MonitorContract, MonitorWorld, SignalContract, SignalWorld

MINUTE = timedelta(minutes=1)


class TestMemoryMonitor(MonitorContract):
    @pytest.fixture
    def world(self) -> MonitorWorld:
        """A monitor that says what it is told to."""
        told = {"problem": "", "paused": ""}

        def seen(at: datetime) -> Sighting:
            if told["paused"]:
                return Sighting(Health.UNKNOWN, None, WATCHED, MINUTE, "paused")
            health = Health.BAD if told["problem"] else Health.GOOD
            return Sighting(health, at, WATCHED, MINUTE, told["problem"])

        def find(problem: str) -> None:
            told["problem"] = problem

        def pause() -> None:
            told["paused"] = "yes"

        return MonitorWorld(MemoryMonitor("memory", seen), find, pause, clock=SystemClock())


class TestMemorySignal(SignalContract):
    @pytest.fixture
    def world(self) -> SignalWorld:
        """One more session each time that it is asked."""
        told, number = {"bad": 0, "failing": 0}, count(1)

        def counted(_: datetime) -> tuple[int, int]:
            told["bad"] += told["failing"]
            return next(number), told["bad"]

        def fails(failing: bool) -> None:
            told["failing"] = int(failing)

        return SignalWorld(MemorySignal("memory", counted), fails)
