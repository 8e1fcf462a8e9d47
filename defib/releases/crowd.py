"""Many small pieces of work at once: bounded in number and in memory, stopped by the first that fails."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from defib.clock import Deadline
from defib.errors import BudgetSpent

Item = TypeVar("Item")
Result = TypeVar("Result")

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
        scales, stop = _Scales(self.memory), threading.Event()

        def one(item: Item) -> Result:
            with scales.holding(weight(item)):
                _go_on(within, stop)
                try:
                    return work(item)
                except BaseException:
                    stop.set()  # here, because the thread that waits may wake up late
                    raise

        with ThreadPoolExecutor(self.parallel, thread_name_prefix="defib-releases") as pool:
            futures = [pool.submit(one, item) for item in items]
            try:
                wait(futures, return_when=FIRST_EXCEPTION)
            finally:
                stop.set()
                pool.shutdown(cancel_futures=True)
        _raise_first(futures)
        return tuple(future.result() for future in futures)


class _Stopped(Exception):
    """Another piece has failed, so this one was not begun."""


def _go_on(within: Deadline, stop: threading.Event) -> None:
    if stop.is_set():
        raise _Stopped
    within.clock.sleep(_NOTHING)  # raises where the run was interrupted
    if within.expired():
        raise BudgetSpent("no time was left for all of it")


def _raise_first(futures: Iterable[Future[Result]]) -> None:
    failures = [future.exception() for future in futures if not future.cancelled()]
    for failure in failures:
        if failure is not None and not isinstance(failure, _Stopped):
            raise failure


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
