"""Looks that run side by side: started on schedule, collected as they end."""

from __future__ import annotations

import queue
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from heapq import heappop, heappush
from itertools import count
from typing import Protocol

from defib.clock import Clock, Deadline
from defib.monitor import Monitors, Nobody, Word
from defib.observe.memory import MemoryObservers
from defib.ports import Aim, Observation, Observers

_NOTICE = timedelta(milliseconds=100)
"""How soon an interruption is noticed while nothing arrives."""


@dataclass(frozen=True)
class Online:
    """Which observers reach the rest of the world."""

    flags: Mapping[str, bool]


Seen = Observation | Online | Word


class Looks(Protocol):
    """Starts looks without waiting for them, and hands over what they saw."""

    def look(self, aim: Aim, observer: str, allowed: timedelta) -> None:
        """Start one look by one observer that is over after `allowed`."""
        ...

    def ask_online(self, allowed: timedelta) -> None:
        """Start asking all observers whether they are online."""
        ...

    def ask(self, monitor: str, allowed: timedelta) -> None:
        """Start asking a monitor or a signal for its word."""
        ...

    def next(self, within: timedelta) -> Seen | None:
        """The next result, or None after `within`. Raises :class:`Interrupted`, and whatever a look raised."""
        ...

    def close(self) -> None:
        """Start nothing more."""
        ...


class ThreadedLooks:
    """Looks of real observers, each in a thread of a pool with room for `at_once` of them."""

    def __init__(self, observers: Observers, clock: Clock, at_once: int, monitors: Monitors | None = None) -> None:
        self._observers = observers
        self._monitors = monitors or Nobody()
        self._clock = clock
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix="defib-look")
        self._results: queue.SimpleQueue[Seen | BaseException] = queue.SimpleQueue()

    def look(self, aim: Aim, observer: str, allowed: timedelta) -> None:
        """Start one look by one observer that is over after `allowed`."""
        self._start(lambda within: self._observers.look(aim, within=within, only=observer)[0], allowed)

    def ask_online(self, allowed: timedelta) -> None:
        """Start asking all observers whether they are online."""
        names = self._observers.names
        self._start(lambda within: Online(dict(zip(names, self._observers.online(within=within), strict=True))), allowed)

    def ask(self, monitor: str, allowed: timedelta) -> None:
        """Start asking a monitor or a signal for its word."""
        self._start(lambda within: self._monitors.ask(monitor, within=within), allowed)

    def next(self, within: timedelta) -> Seen | None:
        """The next result, or None after `within`."""
        until = Deadline.after(self._clock, within)
        while True:
            self._clock.sleep(timedelta(0))  # raises when interrupted
            try:
                result = self._results.get(timeout=min(until.remaining(), _NOTICE).total_seconds())
            except queue.Empty:
                if until.expired():
                    return None
                continue
            if isinstance(result, BaseException):
                raise result
            return result

    def close(self) -> None:
        """Start nothing more; looks under way end with their own deadlines."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _start(self, work: Callable[[Deadline], Seen], allowed: timedelta) -> None:
        def body() -> None:
            try:
                self._results.put(work(Deadline.after(self._clock, allowed)))
            except BaseException as error:
                self._results.put(error)

        self._pool.submit(body)


class SimulatedLooks:
    """Looks of in-memory observers: each result arrives when its look would have ended, on any clock."""

    def __init__(self, observers: MemoryObservers, clock: Clock, monitors: Monitors | None = None) -> None:
        self._observers = observers
        self._monitors = monitors or Nobody()
        self._clock = clock
        self._numbers = count()
        self._due: list[tuple[timedelta, int, Seen]] = []

    def look(self, aim: Aim, observer: str, allowed: timedelta) -> None:
        """Start one look by one observer that is over after `allowed`."""
        observation = self._observers.glimpse(aim, observer, allowed)
        self._deliver(observation.took, observation)

    def ask_online(self, allowed: timedelta) -> None:
        """Start asking all observers whether they are online; one that is not costs all the time there is."""
        flags, took = self._observers.glimpse_online(allowed)
        self._deliver(took, Online(dict(zip(self._observers.names, flags, strict=True))))

    def ask(self, monitor: str, allowed: timedelta) -> None:
        """Ask a monitor or a signal for its word, which in memory takes no time."""
        self._deliver(timedelta(0), self._monitors.ask(monitor, within=Deadline.after(self._clock, allowed)))

    def next(self, within: timedelta) -> Seen | None:
        """The next result, or None after `within`; the clock has then moved so far."""
        now = self._clock.monotonic()
        if not self._due or self._due[0][0] > now + within:
            self._clock.sleep(within)
            return None
        self._clock.sleep(self._due[0][0] - now)
        return heappop(self._due)[2]

    def close(self) -> None:
        """Forget what is under way."""
        self._due.clear()

    def _deliver(self, after: timedelta, seen: Seen) -> None:
        heappush(self._due, (self._clock.monotonic() + after, next(self._numbers), seen))
