"""One vendor call that ends by its deadline."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from defib.clock import Deadline
from defib.errors import BudgetSpent, Unavailable

T = TypeVar("T")


def bounded(work: Callable[[], T], within: Deadline, what: str, where: str) -> T:
    """Run `work`, or raise :class:`Unavailable` once nothing is left of `within`; a spent deadline sends nothing.

    The clock lets work that is over its time clean up for a few seconds, so a vendor who trickles costs that much more.
    Socket time-outs are per read, so a server that trickles bytes outlives them: only this bounds the whole call. The
    work that was given up may still be running, so whoever builds it bounds its connecting and reading as well, and a
    write that timed out may have landed.
    """
    remaining = within.remaining()
    if not remaining:
        raise Unavailable(f"{what}: no time was left to ask", where=where)
    try:
        return within.clock.call(work, remaining)
    except BudgetSpent as error:
        raise Unavailable(
            f"{what}: no answer in time",
            where=where,
            expected=f"an answer within {remaining.total_seconds():.3g} s",
        ) from error
