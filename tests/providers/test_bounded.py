"""A vendor's call ends by its deadline, whatever the vendor does."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from defib.clock import Deadline, SimulatedClock, SystemClock
from defib.errors import Denied, Unavailable
from defib.providers.bounded import bounded


def test_gives_the_result() -> None:
    """Work that is done in time gives its result."""
    assert bounded(lambda: 7, Deadline.after(SystemClock(), timedelta(seconds=5)), "asking", "here") == 7


def test_error_of_the_work_is_its_own() -> None:
    """What the work raises is not hidden."""

    def refuse() -> None:
        raise Denied("no")

    with pytest.raises(Denied):
        bounded(refuse, Deadline.after(SystemClock(), timedelta(seconds=5)), "asking", "here")


def test_trickling_vendor_is_left_behind() -> None:
    """Work that goes on for ever costs the deadline and the clock's clean-up, and is unavailable, by name and place."""
    never = threading.Event()
    clock = SystemClock()
    started = clock.monotonic()
    with pytest.raises(Unavailable) as caught:
        bounded(never.wait, Deadline.after(clock, timedelta(seconds=0.2)), "asking", "the vendor")
    never.set()
    assert timedelta(seconds=0.2) <= clock.monotonic() - started < timedelta(seconds=30)
    assert (caught.value.what, caught.value.where) == ("asking: no answer in time", "the vendor")


def test_spent_deadline_begins_nothing() -> None:
    """Nothing is sent when there is no time left."""
    begun: list[int] = []
    with pytest.raises(Unavailable):
        bounded(lambda: begun.append(1), Deadline.after(SimulatedClock(), timedelta(0)), "asking", "here")
    assert begun == []
