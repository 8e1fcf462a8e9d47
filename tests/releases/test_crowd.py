"""Many pieces of work at once."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from defib.clock import Deadline, SimulatedClock, SystemClock
from defib.errors import BudgetSpent, Interrupted, Unavailable
from defib.releases.crowd import Crowd, both

CLOCK = SystemClock()


def soon() -> Deadline:
    """A deadline that is far enough."""
    return Deadline.after(CLOCK, timedelta(seconds=120))


class Gauge:
    """How much is going on at once, and the most that ever did."""

    def __init__(self) -> None:
        self.now, self.most = 0, 0
        self._lock = threading.Lock()

    def work(self, amount: int) -> int:
        """A piece of work that weighs so much."""
        with self._lock:
            self.now += amount
            self.most = max(self.most, self.now)
        threading.Event().wait(0.005)  # gives the others the chance to come in, if they may
        with self._lock:
            self.now -= amount
        return amount


def test_results_in_order() -> None:
    """Each item's result, in the order of the items."""
    assert tuple(number * 2 for number in range(100)) == Crowd(8).each(lambda n: n * 2, range(100), within=soon())
    assert () == Crowd().each(lambda n: n, (), within=soon())


def test_no_more_than_so_many_at_once() -> None:
    """Never more than allowed, and as many as allowed."""
    gauge = Gauge()
    Crowd(4).each(lambda _: gauge.work(1), range(60), within=soon())
    assert 4 == gauge.most


def test_no_more_than_so_many_bytes() -> None:
    """What all pieces hold together stays below the limit; one that is larger goes alone."""
    gauge = Gauge()
    Crowd(8, memory=100).each(gauge.work, [30, 60, 30, 100, 10] * 8, within=soon(), weight=lambda amount: amount)
    assert gauge.most <= 100
    alone = Gauge()
    Crowd(8, memory=100).each(alone.work, [500, 50, 500], within=soon(), weight=lambda amount: amount)
    assert 500 == alone.most


def test_the_first_failure_is_raised() -> None:
    """After a failure nothing new is begun, and the failure comes out as it was."""
    begun: list[int] = []

    def work(number: int) -> None:
        begun.append(number)
        if number == 3:
            raise Unavailable("three")

    with pytest.raises(Unavailable, match="three"):
        Crowd(1).each(work, range(1000), within=soon())
    assert [0, 1, 2, 3] == begun


def test_what_waits_for_its_turn_is_not_begun_after_a_failure() -> None:
    """One that was held back, because the others were too heavy, never begins once another has failed."""
    begun: list[int] = []

    def work(number: int) -> None:
        begun.append(number)
        raise Unavailable(f"number {number}")

    with pytest.raises(Unavailable, match="number"):
        Crowd(8, memory=1).each(work, range(8), within=soon(), weight=lambda _: 1)
    assert 1 == len(begun)


def test_two_things_at_once() -> None:
    """Both are done at the same time, whichever is done first, and each result is in its place."""
    met = threading.Barrier(2, timeout=120)

    def meet(result: str) -> str:
        met.wait()
        return result

    assert ("one", 2) == both(lambda: meet("one"), lambda: len(meet("ab")), within=soon())


def test_one_of_two_fails() -> None:
    """Its failure is raised, after the other has ended."""
    begun, ended = threading.Event(), threading.Event()

    def slow() -> None:
        begun.set()
        threading.Event().wait(0.05)
        ended.set()

    def fails() -> None:
        assert begun.wait(120)
        raise Unavailable("the second")

    with pytest.raises(Unavailable, match="the second"):
        both(slow, fails, within=soon())
    assert ended.is_set()


def test_a_deadline() -> None:
    """Nothing is begun once the time is over."""
    clock = SimulatedClock()
    within = Deadline.after(clock, timedelta(seconds=10))
    done: list[int] = []

    def work(number: int) -> None:
        clock.sleep(timedelta(seconds=4))
        done.append(number)

    with pytest.raises(BudgetSpent):
        Crowd(1).each(work, range(10), within=within)
    assert [0, 1, 2] == done


def test_an_interruption() -> None:
    """A signal ends it between two pieces."""
    clock = SimulatedClock()
    done: list[int] = []

    def work(number: int) -> None:
        done.append(number)
        clock.interrupt()

    with pytest.raises(Interrupted):
        Crowd(1).each(work, range(10), within=Deadline.after(clock, timedelta(seconds=10)))
    assert [0] == done
