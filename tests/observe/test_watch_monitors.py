"""Watching with monitors beside it: asked on the side, no oftener than told, and never in the way of our own looks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from defib.clock import SimulatedClock, SystemClock
from defib.errors import Unavailable
from defib.monitor import Sighting, Word
from defib.observe.asking import AskedMonitors
from defib.observe.detect import Decision, Detector, State
from defib.observe.looks import SimulatedLooks
from defib.observe.memory import MemoryObservers, Sight
from defib.observe.watch import Watcher
from defib.ports import Health
from defib.providers.monitor.memory import MemoryMonitor, MemorySignal
from defib.sites.site import Site
from tests.observe.test_asking import MINUTE, PAGE
from tests.observe.test_watch import GOOD, REFUSED, seconds
from tests.observe.test_watch import site as watched_site

NAMES = ("robot", "pingdom")


def site(ask_every: str, wait: timedelta) -> Site:
    """Three observers and two monitors, whose word is believed for two minutes."""
    plain = watched_site().model_dump() | {"lab": True}
    plain["detection"]["wait_for_monitors"] = wait
    same = {"token": "env:TOKEN", "ask_every": ask_every}
    plain["monitors"] = [
        {"name": "robot", "provider": "uptimerobot", "monitor": 1, **same},
        {"name": "pingdom", "provider": "pingdom", "check": 1, **same},
    ]
    return Site.model_validate(plain)


class Rehearsal:
    """A scripted world on a simulated clock: what the observers see from here, and what monitors see elsewhere.

    Monitors check once a minute, each at a second of its own.
    """

    def __init__(
        self,
        here: Callable[[timedelta], Sight],
        elsewhere: Callable[[str, timedelta], Health],
        *,
        ask_every: str = "10s",
        wait: timedelta = timedelta(0),
    ) -> None:
        self.clock = SimulatedClock()
        self.start = self.clock.now()
        self.site = site(ask_every, wait)
        self.words: list[Word] = []
        self.decisions: list[Decision] = []
        self.looked: list[str] = []
        names = [observer.name for observer in self.site.observers]
        observers = MemoryObservers(names, lambda _, __, at: here(at - self.start), self.clock)
        self.monitors = {
            name: MemoryMonitor(name, self._checks(name, number * 20, elsewhere)) for number, name in enumerate(NAMES)
        }
        asked = AskedMonitors(self.site, lambda config: self.monitors[config.name], _no_signal, self.clock)
        self.watcher = Watcher(
            self.site,
            observers,
            Detector(names, self.site.detection),
            self.clock,
            monitors=asked,
            looks=SimulatedLooks(observers, self.clock, asked),
            on_decision=self.decisions.append,
            on_observation=lambda look: self.looked.append(look.observer),
            on_word=self.words.append,
        )

    def _checks(
        self, name: str, offset: int, elsewhere: Callable[[str, timedelta], Health]
    ) -> Callable[[datetime], Sighting]:
        def sighting(at: datetime) -> Sighting:
            since = (at - self.start + MINUTE - seconds(offset)) // MINUTE * MINUTE - MINUTE + seconds(offset)
            return Sighting(elsewhere(name, since), self.start + since, PAGE, MINUTE)

        return sighting

    def acted(self, end: float) -> timedelta | None:
        """Watch until a recovery is called for; None where none was until `end`."""
        acts = []

        def until(decision: Decision) -> bool:
            acts.append(decision.act)
            return decision.act or self.clock.monotonic() >= seconds(end)

        self.watcher.run(until)
        return self.clock.monotonic() if acts[-1] else None


def _no_signal(_: object) -> MemorySignal:
    raise AssertionError("the site has no signals")


def fails_at(second: float) -> Callable[[timedelta], Sight]:
    """From then on nothing is served here."""
    return lambda now: REFUSED if now >= seconds(second) else GOOD


def test_our_own_network_fails() -> None:
    """Looks fail from here only, and references answer: UptimeRobot and Pingdom see it up, so nothing starts."""
    rehearsal = Rehearsal(fails_at(100), lambda *_: Health.GOOD, wait=timedelta(seconds=90))
    assert rehearsal.acted(600) is None
    assert {State.HEALTHY, State.SUSPECT} == {decision.state for decision in rehearsal.decisions}


def test_the_site_fails() -> None:
    """Everybody sees it down: it is decided with the first monitor that has checked since, not at the end of the waiting."""
    rehearsal = Rehearsal(
        fails_at(100),
        lambda _, checked: Health.BAD if checked >= seconds(100) else Health.GOOD,
        wait=timedelta(seconds=90),
    )
    acted = rehearsal.acted(600)
    # UptimeRobot checks at 120 s and is asked every ten.
    assert acted is not None
    assert seconds(120) <= acted <= seconds(131)
    assert rehearsal.decisions[-1].first_bad == rehearsal.start + seconds(100)


def test_without_waiting_it_is_decided_as_ever() -> None:
    """By default our own looks decide in fall x interval, whatever monitors saw before."""
    rehearsal = Rehearsal(fails_at(100), lambda *_: Health.GOOD)
    acted = rehearsal.acted(600)
    assert acted is not None
    assert acted <= seconds(104)


def test_vendors_that_fail_delay_nothing() -> None:
    """Both APIs are down: with waiting it is decided as soon as without."""
    rehearsal = Rehearsal(fails_at(100), lambda *_: Health.GOOD, wait=timedelta(seconds=90))
    for monitor in rehearsal.monitors.values():
        monitor.failures.schedule(Unavailable("no answer"), calls=1000)
    acted = rehearsal.acted(600)
    assert acted is not None
    assert acted <= seconds(104)


def test_asked_no_oftener_than_told() -> None:
    """Five minutes of looks each second are thirty questions to each vendor, and as many words."""
    rehearsal = Rehearsal(lambda _: GOOD, lambda *_: Health.GOOD)
    rehearsal.acted(299.5)
    assert [30, 30] == [monitor.asked for monitor in rehearsal.monitors.values()]
    assert len(rehearsal.words) == 60
    assert 899 <= len(rehearsal.looked) <= 901


def test_a_vendor_that_hangs_holds_up_no_look() -> None:
    """Against real threads: while one vendor does not answer, every observer goes on looking."""
    clock, begun, go_on = SystemClock(), threading.Event(), threading.Event()
    at = watched_site(interval="20ms", probe_deadline="1s")
    plain = at.model_dump() | {"lab": True, "monitors": site("50ms", timedelta(0)).model_dump()["monitors"][:1]}
    at = Site.model_validate(plain)
    names = [observer.name for observer in at.observers]

    def hangs(moment: datetime) -> Sighting:
        begun.set()
        go_on.wait(120)
        return Sighting(Health.GOOD, moment, PAGE, MINUTE)

    monitor = MemoryMonitor("robot", hangs)
    observers = MemoryObservers(names, lambda *_: Sight(Health.GOOD, took=timedelta(0)), clock)
    asked = AskedMonitors(at, lambda _: monitor, _no_signal, clock)
    seen: list[str] = []
    watcher = Watcher(
        at,
        observers,
        Detector(names, at.detection),
        clock,
        monitors=asked,
        on_observation=lambda look: seen.append(look.observer),
    )
    try:
        watcher.run(lambda _: begun.is_set() and len(seen) >= 30)
    finally:
        go_on.set()
    assert monitor.asked == 1
    assert min(seen.count(name) for name in names) >= 9
