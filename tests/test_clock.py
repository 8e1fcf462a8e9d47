"""Both clocks keep one contract; the real one also ends waits for signals and leaves no late call in charge."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from defib.clock import Clock, Deadline, SimulatedClock, SystemClock
from defib.errors import BudgetSpent, Denied, Interrupted

MS = timedelta(milliseconds=1)
SECOND = timedelta(seconds=1)


@pytest.fixture(params=[SystemClock, SimulatedClock])
def clock(request: pytest.FixtureRequest) -> Clock:
    """Each of the two."""
    made: Clock = request.param()
    return made


@pytest.fixture
def sigterm() -> Iterator[SystemClock]:
    """A real clock that SIGTERM interrupts, as at a command's desk."""
    clock = SystemClock()
    before = signal.signal(signal.SIGTERM, lambda *_: clock.interrupt())
    yield clock
    signal.signal(signal.SIGTERM, before)


class TestContract:
    """What holds for both."""

    def test_now_is_aware(self, clock: Clock) -> None:
        """Stamps carry their zone."""
        assert clock.now().utcoffset() == timedelta(0)

    def test_sleep_takes_its_time(self, clock: Clock) -> None:
        """The monotonic clock moves by what was slept, at least."""
        before = clock.monotonic()
        clock.sleep(20 * MS)
        assert clock.monotonic() - before >= 20 * MS

    @pytest.mark.parametrize("duration", [timedelta(0), -SECOND])
    def test_sleeping_for_nothing(self, clock: Clock, duration: timedelta) -> None:
        """Nothing and less than nothing cost no time and never turn the clock back."""
        before = clock.monotonic()
        clock.sleep(duration)
        assert before <= clock.monotonic() < before + SECOND

    def test_call_gives_the_result(self, clock: Clock) -> None:
        """Work in time gives its result, also where that is None."""
        assert clock.call(lambda: 7, SECOND) == 7
        assert clock.call(lambda: None, SECOND) is None

    def test_call_raises_what_the_work_raised(self, clock: Clock) -> None:
        """The error is the work's own."""

        def deny() -> None:
            raise Denied("no")

        with pytest.raises(Denied, match="no"):
            clock.call(deny, SECOND)

    def test_late_work_is_not_done_in_time(self, clock: Clock) -> None:
        """A result that comes after the budget is none, even if it comes while others clean up."""
        with pytest.raises(BudgetSpent):
            clock.call(lambda: clock.sleep(150 * MS), 50 * MS)

    def test_late_error_says_more_than_the_budget(self) -> None:
        """Work that ends because its time is over explains itself."""
        clock = SystemClock()

        def work() -> None:
            clock.sleep(100 * MS)
            raise BudgetSpent("ns-3 keeps the old answer")

        with pytest.raises(BudgetSpent, match="ns-3"):
            clock.call(work, 50 * MS)

    def test_interrupted_clock_begins_nothing(self, clock: Clock) -> None:
        """After a signal no work is begun, until the clock is told to go on."""
        begun: list[int] = []
        clock.interrupt()
        with pytest.raises(Interrupted, match="stopped by a signal"):
            clock.call(lambda: begun.append(1), SECOND)
        clock.interrupt("the lab is gone")
        with pytest.raises(Interrupted, match="the lab is gone"):
            clock.sleep(timedelta(0))
        clock.resume()
        clock.call(lambda: begun.append(2), SECOND)
        assert begun == [2]

    def test_every_repeats_until_it_is_stopped(self, clock: Clock) -> None:
        """Background work comes again and again, and not after it was stopped."""
        thrice, beats = threading.Event(), []

        def work() -> None:
            beats.append(clock.monotonic())
            if len(beats) == 3:
                thrice.set()

        stop = clock.every(10 * MS, work)
        deadline = Deadline.after(clock, 60 * SECOND)
        while not thrice.is_set() and not deadline.expired():
            clock.sleep(5 * MS)
        stop()
        assert len(beats) >= 3


class TestDeadline:
    """A moment by which something must be over."""

    def test_runs_down(self) -> None:
        """What remains is never negative, and zero is over."""
        clock = SimulatedClock()
        deadline = Deadline.after(clock, SECOND)
        assert (deadline.remaining(), deadline.expired()) == (SECOND, False)
        clock.sleep(SECOND)
        assert (deadline.remaining(), deadline.expired()) == (timedelta(0), True)
        clock.sleep(SECOND)
        assert deadline.remaining() == timedelta(0)

    def test_sooner_never_gives_more_time(self) -> None:
        """A part of the work gets what it may have, and no more than is left."""
        deadline = Deadline.after(SimulatedClock(), SECOND)
        assert deadline.sooner(10 * SECOND).remaining() == SECOND
        assert deadline.sooner(10 * MS).remaining() == 10 * MS


class TestSystemClock:
    """Signals and threads."""

    def test_signal_ends_a_wait(self, sigterm: SystemClock) -> None:
        """E3: SIGTERM ends a long wait at once."""
        started = sigterm.monotonic()
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM)).start()
        with pytest.raises(Interrupted):
            sigterm.sleep(60 * SECOND)
        assert sigterm.monotonic() - started < 50 * SECOND

    def test_signal_ends_a_call(self, sigterm: SystemClock) -> None:
        """E3: SIGTERM reaches the work in the other thread through its own wait, and the call ends with it."""
        told: list[str] = []

        def work() -> None:
            threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM)).start()
            try:
                sigterm.sleep(60 * SECOND)
            except Interrupted:
                told.append("cleaned up")
                raise

        with pytest.raises(Interrupted):
            sigterm.call(work, 60 * SECOND)
        assert told == ["cleaned up"]

    def test_signal_does_not_wait_for_work_that_hears_nothing(self, sigterm: SystemClock) -> None:
        """Work that ignores the signal is left behind after a moment to clean up."""
        never = threading.Event()
        started = sigterm.monotonic()

        def work() -> None:
            os.kill(os.getpid(), signal.SIGTERM)
            never.wait()

        with pytest.raises(Interrupted):
            sigterm.call(work, 60 * SECOND)
        never.set()
        assert sigterm.monotonic() - started < 50 * SECOND


class TestSimulatedClock:
    """Time that moves only when somebody sleeps."""

    def test_events_come_in_order_at_their_time(self) -> None:
        """What is scheduled happens when its time has come, whatever the order of scheduling."""
        clock, seen = SimulatedClock(), list[tuple[str, timedelta]]()
        clock.at(2 * SECOND, lambda: seen.append(("second", clock.monotonic())))
        clock.at(SECOND, lambda: seen.append(("first", clock.monotonic())))
        clock.sleep(1.5 * SECOND)
        assert seen == [("first", SECOND)]
        clock.sleep(SECOND)
        assert seen == [("first", SECOND), ("second", 2 * SECOND)]

    def test_event_that_sleeps_does_not_turn_the_clock_back(self) -> None:
        """Monotonic means monotonic, also where an event takes longer than the sleep around it."""
        clock = SimulatedClock()
        clock.at(SECOND, lambda: clock.sleep(10 * SECOND))
        clock.sleep(2 * SECOND)
        assert clock.monotonic() == 11 * SECOND

    def test_wall_clock_can_be_set(self) -> None:
        """The wall jumps; the monotonic clock does not."""
        clock = SimulatedClock(datetime.fromisoformat("2026-01-01T00:00:00+00:00"))
        clock.set_wall(-timedelta(hours=1))
        assert clock.now() == datetime.fromisoformat("2025-12-31T23:00:00+00:00")
        assert clock.monotonic() == timedelta(0)
