"""Time, the only module that asks the machine for it.

Durations come from a monotonic clock, stamps from the wall. :class:`SimulatedClock` lets a whole procedure run in
milliseconds; nothing else in the project knows which of the two it holds.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol, TypeVar

from defib.errors import BudgetSpent, Interrupted

T = TypeVar("T")

SIGNALLED = "stopped by a signal"

_CLEAN_UP = timedelta(seconds=3)
"""What is left to a call whose time is over, to end its processes and close its sockets."""


class Clock(Protocol):
    """Wall time, elapsed time, waiting, and calls that end in time."""

    def now(self) -> datetime:
        """The wall clock, aware, in UTC."""
        ...

    def monotonic(self) -> timedelta:
        """Time since an arbitrary instant; never goes back."""
        ...

    def sleep(self, duration: timedelta) -> None:
        """Wait. Raises :class:`Interrupted` as soon as :meth:`interrupt` is called."""
        ...

    def call(self, work: Callable[[], T], within: timedelta) -> T:
        """Run `work` and give its result, or raise :class:`BudgetSpent` once `within` has passed.

        `work` may still be running after that; whoever calls must make sure that it can no longer do harm.
        """
        ...

    def every(self, interval: timedelta, work: Callable[[], object]) -> Callable[[], None]:
        """Run `work` each `interval` in the background until the returned function is called."""
        ...

    def interrupt(self, why: str = SIGNALLED) -> None:
        """Make the current and every later wait raise :class:`Interrupted` with `why`, until :meth:`resume`."""
        ...

    def resume(self) -> None:
        """Forget an interruption, so that undoing can wait again."""
        ...


@dataclass(frozen=True)
class Deadline:
    """A moment on a clock's monotonic scale by which something must be over."""

    clock: Clock
    at: timedelta

    @classmethod
    def after(cls, clock: Clock, duration: timedelta) -> Deadline:
        """The deadline `duration` from now."""
        return cls(clock, clock.monotonic() + duration)

    def remaining(self) -> timedelta:
        """Time left, never negative."""
        return max(self.at - self.clock.monotonic(), timedelta(0))

    def expired(self) -> bool:
        """True once nothing is left."""
        return self.clock.monotonic() >= self.at

    def sooner(self, duration: timedelta) -> Deadline:
        """This deadline, or the one `duration` from now, whichever comes first."""
        return Deadline(self.clock, min(self.at, self.clock.monotonic() + duration))


class SystemClock:
    """The machine's own clocks. Waits end early when :meth:`interrupt` is called from a signal handler or a thread."""

    def __init__(self) -> None:
        self._stirred = threading.Condition()
        self._interrupted = False
        self._why = SIGNALLED

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> timedelta:
        return timedelta(seconds=time.monotonic())

    def sleep(self, duration: timedelta) -> None:
        with self._stirred:
            self._stirred.wait_for(lambda: self._interrupted, duration.total_seconds())
            self._raise_if_interrupted()

    def call(self, work: Callable[[], T], within: timedelta) -> T:
        self._raise_if_interrupted()
        outcome: list[T] = []
        failure: list[BaseException] = []

        def body() -> None:
            try:
                outcome.append(work())
            except BaseException as error:
                failure.append(error)
            with self._stirred:
                self._stirred.notify_all()

        threading.Thread(target=body, name="defib-step", daemon=True).start()
        with self._stirred:
            over = self._stirred.wait_for(lambda: outcome or failure or self._interrupted, within.total_seconds())
            if not over or self._interrupted:
                # What runs in there is told by its own waits and deadline; let it clean up behind itself.
                self._stirred.wait_for(lambda: outcome or failure, _CLEAN_UP.total_seconds())
            self._raise_if_interrupted()
        if failure:
            raise failure[0]
        if outcome and over:
            return outcome[0]
        raise BudgetSpent(f"not done within {within.total_seconds():g} s")

    def every(self, interval: timedelta, work: Callable[[], object]) -> Callable[[], None]:
        stop = threading.Event()

        def body() -> None:
            while not stop.wait(interval.total_seconds()):
                work()

        threading.Thread(target=body, name="defib-every", daemon=True).start()
        return stop.set

    def interrupt(self, why: str = SIGNALLED) -> None:
        # Called from a signal handler in the thread that may hold the condition: hand the wake-up to another thread.
        self._interrupted, self._why = True, why
        threading.Thread(target=self._wake, name="defib-interrupt", daemon=True).start()

    def resume(self) -> None:
        self._interrupted = False

    def _wake(self) -> None:
        with self._stirred:
            self._stirred.notify_all()

    def _raise_if_interrupted(self) -> None:
        if self._interrupted:
            raise Interrupted(self._why)


class SimulatedClock:
    """A clock that moves only when somebody sleeps. `events` run when their time comes, in order."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._start = start
        self._elapsed = timedelta(0)
        self._interrupted = False
        self._why = SIGNALLED
        self._events: list[tuple[timedelta, Callable[[], None]]] = []

    def now(self) -> datetime:
        return self._start + self._elapsed

    def monotonic(self) -> timedelta:
        return self._elapsed

    def set_wall(self, by: timedelta) -> None:
        """Set the wall clock on, or back where `by` is negative, as an operator or a time server does."""
        self._start += by

    def at(self, elapsed: timedelta, event: Callable[[], None]) -> None:
        """Run `event` when `elapsed` has passed since the start."""
        self._events.append((elapsed, event))
        self._events.sort(key=lambda pair: pair[0])

    def sleep(self, duration: timedelta) -> None:
        self._raise_if_interrupted()
        target = self._elapsed + max(duration, timedelta(0))
        while self._events and self._events[0][0] <= target:
            when, event = self._events.pop(0)
            self._elapsed = max(when, self._elapsed)
            event()
            self._raise_if_interrupted()
        self._elapsed = max(target, self._elapsed)  # an event may have slept beyond it

    def call(self, work: Callable[[], T], within: timedelta) -> T:
        self._raise_if_interrupted()
        limit = self._elapsed + within
        result = work()
        if self._elapsed > limit:
            raise BudgetSpent(f"not done within {within.total_seconds():g} s")
        return result

    def every(self, interval: timedelta, work: Callable[[], object]) -> Callable[[], None]:
        running = [True]

        def body() -> None:
            if running[0]:
                work()
                self.at(self._elapsed + interval, body)

        self.at(self._elapsed + interval, body)
        return lambda: running.__setitem__(0, False)

    def interrupt(self, why: str = SIGNALLED) -> None:
        self._interrupted, self._why = True, why

    def resume(self) -> None:
        self._interrupted = False

    def _raise_if_interrupted(self) -> None:
        if self._interrupted:
            raise Interrupted(self._why)
