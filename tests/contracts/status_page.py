"""What every :class:`defib.alerts.alert.StatusPage` keeps, whatever is behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from defib.alerts.alert import Notice, Stage, StatusPage
from defib.clock import Clock, Deadline, SystemClock
from defib.errors import Denied, NotFound, Unavailable

FIRST = Notice(Stage.INVESTIGATING, "Pulse Trading is not available", "We have noticed it.")
SECOND = Notice(Stage.MONITORING, "Pulse Trading is not available", "It is back since 02:46; <b>we & you</b> watch it.")


@dataclass(frozen=True)
class Shown:
    """One incident as users read it: `texts` is all that was said of it, oldest first."""

    title: str
    open: bool
    texts: tuple[str, ...]


@dataclass(frozen=True)
class PageWorld:
    """A page on which nothing of ours was ever said; `shown` reads past the adapter, oldest first.

    `denied` has credentials that are not taken, `unknown` a page that does not exist; None where there are none.
    """

    page: StatusPage
    shown: Callable[[], tuple[Shown, ...]]
    denied: StatusPage | None = None
    unknown: StatusPage | None = None
    keeps_history: bool = True
    clock: Clock = field(default_factory=SystemClock)

    def soon(self, seconds: float = 10) -> Deadline:
        """A deadline that is far enough."""
        return Deadline.after(self.clock, timedelta(seconds=seconds))


class StatusPageContract:
    """Subclass with a fixture `world`."""

    @pytest.fixture
    def world(self) -> Iterator[PageWorld]:
        """The page under test; each adapter's class gives its own."""
        raise NotImplementedError

    def test_one_incident_from_first_word_to_last(self, world: PageWorld) -> None:
        """Opened, brought up to date, closed: one incident, with everything that was said, in order."""
        world.page.say(FIRST, within=world.soon())
        assert world.shown() == (Shown(FIRST.title, open=True, texts=(FIRST.text,)),)
        world.page.say(SECOND, within=world.soon())
        assert world.shown() == (Shown(FIRST.title, open=True, texts=(FIRST.text, SECOND.text)),)
        world.page.resolve("It is over.", within=world.soon())
        assert world.shown() == (Shown(FIRST.title, open=False, texts=(FIRST.text, SECOND.text, "It is over.")),)

    def test_nothing_to_resolve(self, world: PageWorld) -> None:
        """The last word on nothing is not said, and said twice it is said once."""
        world.page.resolve("It is over.", within=world.soon())
        assert world.shown() == ()
        world.page.say(FIRST, within=world.soon())
        for _ in range(2):
            world.page.resolve("It is over.", within=world.soon())
        assert world.shown() == (Shown(FIRST.title, open=False, texts=(FIRST.text, "It is over.")),)

    def test_the_next_outage_is_another_incident(self, world: PageWorld) -> None:
        """What is over is not opened again."""
        world.page.say(FIRST, within=world.soon())
        world.page.resolve("It is over.", within=world.soon())
        world.page.say(SECOND, within=world.soon())
        last = Shown(SECOND.title, open=True, texts=(SECOND.text,))
        assert world.shown()[-1] == last
        assert len(world.shown()) == (2 if world.keeps_history else 1)

    def test_a_spent_deadline_says_nothing(self, world: PageWorld) -> None:
        """A call without time left asks nobody."""
        with pytest.raises(Unavailable):
            world.page.say(FIRST, within=world.soon(0))
        with pytest.raises(Unavailable):
            world.page.resolve("It is over.", within=world.soon(0))
        assert world.shown() == ()

    def test_wrong_credentials_are_denied(self, world: PageWorld) -> None:
        """Who may not, learns so."""
        if world.denied is None:
            return
        with pytest.raises(Denied):
            world.denied.say(FIRST, within=world.soon())
        assert world.shown() == ()

    def test_an_unknown_page_is_not_found(self, world: PageWorld) -> None:
        """A page that does not exist is a matter of configuration."""
        if world.unknown is None:
            return
        with pytest.raises(NotFound):
            world.unknown.say(FIRST, within=world.soon())
