"""Scheduled failures of the in-memory adapters: the next calls fail as told, and writes may land all the same."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import NoReturn

from defib.clock import Deadline
from defib.errors import ProviderError, Unavailable


@dataclass(frozen=True)
class Failure:
    """How the next `calls` calls of the `methods` named (of all when empty) fail: each raises `error`.

    `hangs` lets the call wait until its deadline first. `lands_after` makes a write happen in spite of the error, that
    long after it was asked for: a time-out at the client says nothing about the server.
    """

    error: ProviderError
    calls: int = 1
    methods: frozenset[str] = frozenset()
    hangs: bool = False
    lands_after: timedelta | None = None


class Failures:
    """The failures that are still to come, in the order in which they were scheduled."""

    def __init__(self) -> None:
        self._coming: list[Failure] = []

    def schedule(
        self,
        error: ProviderError,
        *,
        calls: int = 1,
        methods: Collection[str] = (),
        hangs: bool = False,
        lands_after: timedelta | None = None,
    ) -> None:
        """Add a :class:`Failure` after those that are scheduled already."""
        self._coming.append(Failure(error, calls, frozenset(methods), hangs, lands_after))

    def take(self, method: str) -> Failure | None:
        """The failure that a call of `method` meets now, used up once; None where it goes well."""
        for position, failure in enumerate(self._coming):
            if failure.methods and method not in failure.methods:
                continue
            if failure.calls > 1:
                self._coming[position] = Failure(
                    failure.error, failure.calls - 1, failure.methods, failure.hangs, failure.lands_after
                )
            else:
                del self._coming[position]
            return failure
        return None


def meet(failure: Failure, within: Deadline) -> NoReturn:
    """Raise the error of `failure`, after the wait that goes with it."""
    if failure.hangs:
        within.clock.sleep(within.remaining())
    raise failure.error


def refuse_if_spent(within: Deadline, where: str) -> None:
    """Raise :class:`Unavailable` when nothing is left of the deadline."""
    if within.expired():
        raise Unavailable("no time was left to ask", where=where)
