"""What every :class:`defib.alerts.alert.Channel` keeps, whatever is behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from defib.alerts.alert import Alert, AlertKind, Channel, Severity
from defib.clock import Clock, Deadline, SystemClock
from defib.errors import Denied, ProviderError, Unavailable

TITLE = "Pulse Trading: cdn-failover started"
TEXT = 'Users lost service 2 s ago.\n.A line that begins with a dot\n<b>bold & "quoted"</b> ünïcode 100 %'
ALERT = Alert(AlertKind.START, "start", TITLE, TEXT, Severity.WARNING, "lab", "run-1")


@dataclass(frozen=True)
class ChannelWorld:
    """A channel that works and has carried nothing. `arrived` are all texts that came in, titles included.

    `fail` breaks what is behind it: ``refuse``, ``hang`` or ``500``. `denied` is the same channel with a token that is not
    taken, None where there is none.
    """

    channel: Channel
    arrived: Callable[[], tuple[str, ...]]
    fail: Callable[[str], None]
    denied: Channel | None = None
    clock: Clock = field(default_factory=SystemClock)

    def soon(self, seconds: float = 10) -> Deadline:
        """A deadline that is far enough."""
        return Deadline.after(self.clock, timedelta(seconds=seconds))


class ChannelContract:
    """Subclass with a fixture `world`."""

    @pytest.fixture
    def world(self) -> Iterator[ChannelWorld]:
        """The channel under test; each adapter's class gives its own."""
        raise NotImplementedError

    def test_an_alert_arrives_whole(self, world: ChannelWorld) -> None:
        """Once, with its title, every line of its text, and no character changed."""
        world.channel.send(ALERT, within=world.soon())
        (arrived,) = world.arrived()
        assert TITLE in arrived
        assert TEXT in arrived.replace("\r\n", "\n")

    def test_every_alert_arrives(self, world: ChannelWorld) -> None:
        """Each of several in a row, without the pauses that a channel may make between its messages."""
        started = world.clock.monotonic()
        for _ in range(3):
            world.channel.send(ALERT, within=world.soon())
        assert len(world.arrived()) == 3
        assert world.clock.monotonic() - started < timedelta(seconds=5)

    @pytest.mark.parametrize("fault", ["refuse", "500"])
    def test_what_is_not_taken_is_unavailable(self, world: ChannelWorld, fault: str) -> None:
        """A channel that is down, or says that it failed, raises; nothing arrived, and it works again afterwards."""
        world.fail(fault)
        with pytest.raises(Unavailable) as caught:
            world.channel.send(ALERT, within=world.soon())
        assert caught.value.where == world.channel.name
        world.fail("")
        assert world.arrived() == ()
        world.channel.send(ALERT, within=world.soon())
        assert len(world.arrived()) == 1

    def test_a_hanging_channel_ends_by_its_deadline(self, world: ChannelWorld) -> None:
        """One that takes the connection and never answers costs no more than was given to it."""
        world.fail("hang")
        started = world.clock.monotonic()
        with pytest.raises(Unavailable):
            world.channel.send(ALERT, within=world.soon(1))
        assert world.clock.monotonic() - started < timedelta(seconds=5)

    def test_a_spent_deadline_sends_nothing(self, world: ChannelWorld) -> None:
        """A call without time left asks nobody."""
        with pytest.raises(Unavailable):
            world.channel.send(ALERT, within=world.soon(0))
        assert world.arrived() == ()

    def test_a_wrong_token_is_denied(self, world: ChannelWorld) -> None:
        """Who may not, learns so; the error holds no token."""
        if world.denied is None:
            return
        with pytest.raises(Denied) as caught:
            world.denied.send(ALERT, within=world.soon())
        assert "wrongtoken" not in str(caught.value)
        assert isinstance(caught.value, ProviderError)
        assert world.arrived() == ()
