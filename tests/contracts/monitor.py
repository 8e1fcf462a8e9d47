"""What every :class:`defib.monitor.Monitor` and :class:`defib.monitor.Signal` keeps, whoever is behind it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from defib.clock import Clock, Deadline, SystemClock
from defib.errors import Denied, NotFound, Unavailable
from defib.monitor import Monitor, Sighting, Signal
from defib.ports import Health

WATCHED = "https://www.pulse-trading.test:8443/"
_PATIENCE = 60.0


def eventually(check: Callable[[], bool]) -> None:
    """Wait for what must come."""
    end = time.monotonic() + _PATIENCE
    while not check():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.02)


@dataclass(frozen=True)
class MonitorWorld:
    """A monitor of :data:`WATCHED`; `find` makes its checks find a problem, or with "" that all is well; `pause` stops them.

    `denied` has a token that is not taken, `unknown` an id that does not exist; None where there are none.
    """

    monitor: Monitor
    find: Callable[[str], None]
    pause: Callable[[], None]
    denied: Monitor | None = None
    unknown: Monitor | None = None
    clock: Clock = field(default_factory=SystemClock)

    def soon(self, seconds: float = 10) -> Deadline:
        """A deadline that is far enough."""
        return Deadline.after(self.clock, timedelta(seconds=seconds))

    def sighting(self) -> Sighting:
        """What the monitor saw last."""
        return self.monitor.sighting(within=self.soon())


class MonitorContract:
    """Subclass with a fixture `world`."""

    @pytest.fixture
    def world(self) -> Iterator[MonitorWorld] | MonitorWorld:
        """The monitor under test; each adapter's class gives its own."""
        raise NotImplementedError

    def test_up_then_down_then_up(self, world: MonitorWorld) -> None:
        """What its checks find is what it says, both ways."""
        for problem, health in (("", Health.GOOD), ("HTTP 503", Health.BAD), ("", Health.GOOD)):
            world.find(problem)
            eventually(lambda wanted=health: world.sighting().health is wanted)  # type: ignore[misc]

    def test_what_it_saw_has_an_age(self, world: MonitorWorld) -> None:
        """The moment that it names is never later than the question, and moves on."""
        first = world.sighting()
        asked = world.clock.now()
        assert first.seen is not None
        assert first.seen <= asked

    def test_it_says_what_it_watches(self, world: MonitorWorld) -> None:
        """Address and interval, so that a monitor of something else is found out."""
        told = world.sighting()
        assert (WATCHED, timedelta(minutes=1)) == (told.watches, told.interval)

    def test_a_paused_one_cannot_tell(self, world: MonitorWorld) -> None:
        """Paused is neither up nor down."""
        world.pause()
        told = world.sighting()
        assert (Health.UNKNOWN, None) == (told.health, told.seen)
        assert "paused" in told.reason

    def test_a_spent_deadline_asks_nobody(self, world: MonitorWorld) -> None:
        """A call without time left is unavailable."""
        with pytest.raises(Unavailable):
            world.monitor.sighting(within=world.soon(0))

    def test_a_wrong_token_is_denied(self, world: MonitorWorld) -> None:
        """Who may not, learns so."""
        if world.denied is not None:
            with pytest.raises(Denied):
                world.denied.sighting(within=world.soon())

    def test_an_unknown_id_is_not_found(self, world: MonitorWorld) -> None:
        """A monitor that does not exist is a matter of configuration."""
        if world.unknown is not None:
            with pytest.raises(NotFound):
                world.unknown.sighting(within=world.soon())


@dataclass(frozen=True)
class SignalWorld:
    """A signal; with `fails` True users meet errors from then on, with False they do not."""

    signal: Signal
    fails: Callable[[bool], None]
    denied: Signal | None = None
    unknown: Signal | None = None
    clock: Clock = field(default_factory=SystemClock)

    def soon(self, seconds: float = 10) -> Deadline:
        """A deadline that is far enough."""
        return Deadline.after(self.clock, timedelta(seconds=seconds))


WINDOW = timedelta(seconds=20)


class SignalContract:
    """Subclass with a fixture `world`."""

    @pytest.fixture
    def world(self) -> Iterator[SignalWorld] | SignalWorld:
        """The signal under test; each adapter's class gives its own."""
        raise NotImplementedError

    def test_errors_are_counted_among_all(self, world: SignalWorld) -> None:
        """Sessions without errors and with them, over no less than the window."""
        eventually(lambda: world.signal.sessions(WINDOW, within=world.soon()).all >= 3)
        assert world.signal.sessions(WINDOW, within=world.soon()).bad == 0
        world.fails(True)
        eventually(lambda: world.signal.sessions(WINDOW, within=world.soon()).bad >= 3)
        told = world.signal.sessions(WINDOW, within=world.soon())
        assert 0 < told.share < 1
        assert told.until - told.since >= WINDOW

    def test_a_spent_deadline_asks_nobody(self, world: SignalWorld) -> None:
        """A call without time left is unavailable."""
        with pytest.raises(Unavailable):
            world.signal.sessions(WINDOW, within=world.soon(0))

    def test_a_wrong_token_is_denied(self, world: SignalWorld) -> None:
        """Who may not, learns so."""
        if world.denied is not None:
            with pytest.raises(Denied):
                world.denied.sessions(WINDOW, within=world.soon())

    def test_an_unknown_project_is_refused(self, world: SignalWorld) -> None:
        """A project that does not exist, or is another's, is no figure."""
        if world.unknown is not None:
            with pytest.raises((NotFound, Denied)):
                world.unknown.sessions(WINDOW, within=world.soon())
