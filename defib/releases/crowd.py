"""Many small pieces of work at once: bounded in number and in memory, stopped by the first that fails."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, TypeVar

from defib.clock import Deadline
from defib.errors import BudgetSpent

Item = TypeVar("Item")
Result = TypeVar("Result")
First = TypeVar("First")
Second = TypeVar("Second")

_NOTHING = timedelta(0)


@dataclass(frozen=True)
class Crowd:
    """How many pieces are done at once, and how many bytes they may hold together."""

    parallel: int = 16
    memory: int = 64 * 1024 * 1024

    def each(
        self,
        work: Callable[[Item], Result],
        items: Iterable[Item],
        *,
        within: Deadline,
        weight: Callable[[Item], int] = lambda _item: 0,
    ) -> tuple[Result, ...]:
        """Do `work` for every item, and give the results in the order of the items.

        After a failure nothing more is begun, what has begun is waited for, and the first failure is raised. Raises
        :class:`BudgetSpent` once nothing is left of `within`, and :class:`Interrupted` as the clock does.
        """
        scales = _Scales(self.memory)

        def one(item: Item) -> Result:
            with scales.holding(weight(item)):
                shift.go_on(within)
                return work(item)

        shift = _Shift(one, items)
        shift.work(self.parallel)
        return shift.results()


def both(one: Callable[[], First], other: Callable[[], Second], *, within: Deadline) -> tuple[First, Second]:
    """Do both at once, and give both results; fails as :meth:`Crowd.each` does."""
    pieces: tuple[Callable[[], Any], ...] = (one, other)
    first, second = Crowd(2).each(lambda piece: piece(), pieces, within=within)
    return first, second


class _Stopped(Exception):
    """Another piece has failed, so this one was not begun."""


class _Shift(Generic[Item, Result]):
    """Items of which whoever is free takes the next, until none is left or one has failed; who waits for that works too.

    Plain threads rather than the library's pool, which takes longer to import than a whole site to compare.
    """

    def __init__(self, one: Callable[[Item], Result], items: Iterable[Item]) -> None:
        self._one = one
        self._left = deque(enumerate(items))
        self._count = len(self._left)
        self._done: dict[int, Result] = {}
        self._failed: dict[int, BaseException] = {}
        self._over = threading.Event()

    def work(self, parallel: int) -> None:
        """Let so many threads take items, this one among them, and wait for all of them."""
        others: list[threading.Thread] = []
        try:
            others.extend(_begun(self._take) for _ in range(min(parallel, self._count) - 1))
            self._take()
            _wait_for(others)
        finally:
            self._over.set()  # where a signal ended the waiting, nothing more is begun
            _wait_for(others)

    def go_on(self, within: Deadline) -> None:
        """Raises where nothing may be begun any more."""
        if self._over.is_set():
            raise _Stopped
        within.clock.sleep(_NOTHING)  # raises where the run was interrupted
        if within.expired():
            raise BudgetSpent("no time was left for all of it")

    def results(self) -> tuple[Result, ...]:
        """The results in the order of the items; raises the first failure."""
        for number in sorted(self._failed):
            if not isinstance(self._failed[number], _Stopped):
                raise self._failed[number]
        return tuple(self._done[number] for number in range(self._count))

    def _take(self) -> None:
        while self._left and not self._over.is_set():
            try:
                number, item = self._left.popleft()
            except IndexError:  # another one took the last
                return
            try:
                self._done[number] = self._one(item)
            except BaseException as error:
                self._failed[number] = error
                self._over.set()


def _begun(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, name="defib-releases")
    thread.start()
    return thread


def _wait_for(threads: Iterable[threading.Thread]) -> None:
    for thread in threads:
        thread.join()


class _Scales:
    """Holds back who would bring more than the limit; who is heavier than the limit goes alone."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = 0
        self._changed = threading.Condition()

    @contextmanager
    def holding(self, weight: int) -> Iterator[None]:
        weight = min(weight, self._limit)
        if not weight:
            yield
            return
        with self._changed:
            self._changed.wait_for(lambda: self._held + weight <= self._limit)
            self._held += weight
        try:
            yield
        finally:
            with self._changed:
                self._held -= weight
                self._changed.notify_all()
