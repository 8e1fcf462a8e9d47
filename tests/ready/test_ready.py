"""What findings amount to, and that questions are over in time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from defib.clock import Deadline, SimulatedClock, SystemClock
from defib.errors import Denied, LeaseHeld, SecretMissing, Unavailable
from defib.ready import board
from defib.ready.access import Grant
from defib.ready.board import ask_all
from defib.ready.check import Check, Question, Readiness, State, lasting, worst
from defib.ready.credentials import judge

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def found(*states: State) -> Readiness:
    """Findings of these states."""
    return Readiness("lab", NOW, tuple(Check("a", "b", state, "c") for state in states))


def fine(within: Deadline) -> Iterator[Check]:
    """A check that ends well."""
    del within
    yield Check("a", "b", State.OK, "c")


@pytest.mark.parametrize(
    ("states", "state", "code"),
    [
        ((State.OK, State.OK), State.OK, 0),
        ((State.OK, State.WARN), State.WARN, 0),
        ((State.WARN, State.UNKNOWN), State.UNKNOWN, 6),
        ((State.UNKNOWN, State.FAIL, State.OK), State.FAIL, 1),
        ((), State.UNKNOWN, 6),
    ],
)
def test_the_worst_finding_is_the_verdict(states: tuple[State, ...], state: State, code: int) -> None:
    """Unknown is never success, a failure is worse than that, and nothing checked is unknown."""
    assert (found(*states).state, found(*states).exit_code) == (state, code)


@pytest.mark.parametrize(
    ("left", "state"),
    [
        (timedelta(days=31), State.OK),
        (timedelta(days=30), State.OK),
        (timedelta(days=29, hours=23), State.WARN),
        (timedelta(days=7), State.WARN),
        (timedelta(days=6, hours=23), State.FAIL),
        (timedelta(0), State.FAIL),
        (timedelta(days=-1), State.FAIL),
    ],
)
def test_what_ends_soon_is_a_warning_and_then_a_failure(left: timedelta, state: State) -> None:
    """Less than 30 days are a warning, less than 7 a failure, and an end in the past is one."""
    assert lasting(NOW + left, NOW)[0] is state


def test_the_worst_of_nothing_is_unknown() -> None:
    """No state is not a good state."""
    assert worst(()) is State.UNKNOWN


@pytest.mark.parametrize(
    ("grant", "state", "says"),
    [
        (Grant(may_edit=True), State.OK, "may edit"),
        (Grant(may_edit=False, why="it lacks DNS:Edit"), State.FAIL, "may not edit: it lacks DNS:Edit"),
        (Grant(may_edit=None, why="the vendor does not tell"), State.UNKNOWN, "cannot be told"),
        (Grant(may_edit=True, until=NOW + timedelta(days=3)), State.FAIL, "for 3 days"),
        (Grant(may_edit=True, until=NOW + timedelta(days=20)), State.WARN, "for 20 days"),
        (Grant(may_edit=None, until=NOW - timedelta(days=1)), State.FAIL, "ended on 2025-12-31"),
        (Grant(may_edit=None, until=NOW + timedelta(days=20)), State.UNKNOWN, "for 20 days"),
    ],
)
def test_credentials_are_as_good_as_their_worst_part(grant: Grant, state: State, says: str) -> None:
    """D11: what may only read fails, what ends soon fails, and what nobody tells stays unknown."""
    check = judge("route53 Z1", grant, NOW)
    assert (check.state, check.name, check.about) == (state, "credentials", "route53 Z1")
    assert says in check.text


def test_secrets_are_cut_out_of_every_word() -> None:
    """What a vendor quotes back at us does not leave."""
    told = Readiness("lab", NOW, (Check("a", "token t0p", State.FAIL, "t0p is wrong", "renew t0p"),))
    check = told.redacted(lambda text: text.replace("t0p", "***")).checks[0]
    assert (check.about, check.text, check.then) == ("token ***", "*** is wrong", "renew ***")


@pytest.mark.parametrize("at_once", [1, 8])
@pytest.mark.parametrize(
    ("error", "state"),
    [
        (Unavailable("no answer"), State.UNKNOWN),
        (Denied("refused", then="renew it"), State.FAIL),
        (SecretMissing("not there"), State.FAIL),
        (LeaseHeld("taken"), State.FAIL),
        (ZeroDivisionError("ours"), State.UNKNOWN),
    ],
)
def test_what_a_check_raises_is_its_finding(error: Exception, state: State, at_once: int) -> None:
    """A vendor that does not answer is unknown, one that refuses a failure, and a defect of ours hides no other finding."""

    def breaks(within: Deadline) -> Iterator[Check]:
        raise error

    asked = [Question("x", "y", breaks), Question("a", "b", fine)]
    first, second = ask_all(asked, SystemClock(), at_once=at_once)
    assert (first.name, first.about, first.state) == ("x", "y", state)
    assert str(error.args[0]) in first.text
    assert second.state is State.OK


def test_every_question_has_its_own_deadline() -> None:
    """One that takes long leaves the others their own time, but never more than the whole."""
    clock, given = SimulatedClock(), list[timedelta]()

    def slow(within: Deadline) -> Iterator[Check]:
        given.append(within.remaining())
        clock.sleep(within.remaining())
        return iter(())

    ask_all([Question("x", "y", slow)] * 4, clock, at_once=1)
    assert given == [board.EACH, board.EACH]
    assert clock.monotonic() == board.WHOLE


def test_the_whole_is_over_in_time_if_everything_hangs() -> None:
    """Far more checks hang than there are threads: all of them are unknown at the deadline, and those that answer count."""
    held = threading.Event()

    def hangs(within: Deadline) -> Iterator[Check]:
        held.wait(120)
        return iter(())

    clock = SystemClock()
    started = clock.monotonic()
    try:
        checks = ask_all(
            [Question("a", "b", fine), *[Question("x", "y", hangs)] * 50],
            clock,
            at_once=8,
            whole=timedelta(milliseconds=300),
        )
    finally:
        took = clock.monotonic() - started
        held.set()
    assert [check.state for check in checks] == [State.OK] + [State.UNKNOWN] * 50
    assert "no answer within" in checks[-1].text
    assert timedelta(milliseconds=300) <= took < timedelta(seconds=60)
