"""A monitor and a signal in memory, for decisions under a simulated clock; their failures come on schedule."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from defib.clock import Deadline
from defib.monitor import Sessions, Sighting
from defib.providers.failures import Failures, meet, refuse_if_spent


class MemoryMonitor:
    """Fulfils :class:`defib.monitor.Monitor`: says at each moment what `world` gives for it, and counts the questions."""

    def __init__(self, name: str, world: Callable[[datetime], Sighting]) -> None:
        self.failures = Failures()
        self.asked = 0
        self._name, self._world = name, world

    @property
    def name(self) -> str:
        return self._name

    def sighting(self, *, within: Deadline) -> Sighting:
        refuse_if_spent(within, self._name)
        self.asked += 1
        failure = self.failures.take("sighting")
        if failure is not None:
            meet(failure, within)
        return self._world(within.clock.now())


class MemorySignal:
    """Fulfils :class:`defib.monitor.Signal`: `world` gives for each moment how many sessions there were, and bad ones."""

    def __init__(self, name: str, world: Callable[[datetime], tuple[int, int]]) -> None:
        self.failures = Failures()
        self.asked = 0
        self._name, self._world = name, world

    @property
    def name(self) -> str:
        return self._name

    def sessions(self, window: timedelta, *, within: Deadline) -> Sessions:
        refuse_if_spent(within, self._name)
        self.asked += 1
        failure = self.failures.take("sessions")
        if failure is not None:
            meet(failure, within)
        now = within.clock.now()
        return Sessions(now - window, now, *self._world(now))
