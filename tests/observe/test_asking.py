"""Asking monitors and signals: what is old, cannot be asked or is about another page is unknown, and limits are kept."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from defib.clock import Deadline, SimulatedClock, SystemClock
from defib.errors import Denied, NotFound, ProviderError, SecretMissing, Unavailable
from defib.monitor import Monitor, Sighting, Word
from defib.observe.asking import AskedMonitors, same_page
from defib.ports import Health
from defib.providers.monitor.memory import MemoryMonitor, MemorySignal
from defib.sites.monitors import MonitorOfSite
from defib.sites.site import Site
from defib.sites.vendors import Server
from tests.observe.loopback import NAME, site_with
from tests.ports import free_port

PAGE = f"https://{NAME}/"
MINUTE = timedelta(minutes=1)


def site(**signal: Any) -> Site:
    """One monitor and one signal."""
    made = site_with(PAGE, [Server(name="a", address="127.0.0.1", port=free_port())], quorum=1).model_dump()
    made["monitors"] = [{"name": "robot", "provider": "uptimerobot", "monitor": 1, "token": "env:ROBOT"}]
    made["signals"] = [
        {
            "name": "sentry",
            "provider": "sentry",
            "organization": "pulse",
            "project": 7,
            "token": "env:SENTRY",
            "errors_above": 0.2,
            **signal,
        }
    ]
    return Site.model_validate(made)


class Stage:
    """Both, in memory, on a simulated clock."""

    def __init__(self, told: Callable[[datetime], Sighting] | None = None, sessions: tuple[int, int] = (100, 0)) -> None:
        self.clock = SimulatedClock()
        self.sessions = sessions
        self.monitor = MemoryMonitor("robot", told or (lambda at: Sighting(Health.GOOD, at, PAGE, MINUTE)))
        self.signal = MemorySignal("sentry", lambda _: self.sessions)
        self.asked = AskedMonitors(site(), lambda _: self.monitor, lambda _: self.signal, self.clock)

    def ask(self, name: str = "robot") -> Word:
        """Its word now."""
        return self.asked.ask(name, within=Deadline.after(self.clock, timedelta(seconds=5)))

    def later(self, seconds: float) -> None:
        """Some time passes."""
        self.clock.sleep(timedelta(seconds=seconds))


def seen(health: Health, age: float = 0, watches: str = PAGE, reason: str = "") -> Callable[[datetime], Sighting]:
    """A monitor whose last check is that old."""
    return lambda at: Sighting(health, at - timedelta(seconds=age), watches, MINUTE, reason)


def test_pauses_are_those_of_the_site_file() -> None:
    """Who they are, and how often they may be asked."""
    expected: Mapping[str, timedelta] = {"robot": timedelta(seconds=30), "sentry": MINUTE}
    assert expected == Stage().asked.pauses


@pytest.mark.parametrize(
    ("health", "reason", "words"), [(Health.GOOD, "", "up"), (Health.BAD, "HTTP 503", "down: HTTP 503")]
)
def test_a_word_holds_as_long_as_it_is_believed(health: Health, reason: str, words: str) -> None:
    """Two minutes from the check on, and not from the question on."""
    stage = Stage(seen(health, age=50, reason=reason))
    word = stage.ask()
    now = stage.clock.now()
    assert (health, words, now - timedelta(seconds=50)) == (word.health, word.reason, word.seen)
    assert [health, Health.UNKNOWN] == [word.at(now + timedelta(seconds=70)), word.at(now + timedelta(seconds=71))]


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (seen(Health.GOOD, age=121), "its last check may be 121 s old, too old to say anything"),
        (seen(Health.BAD, age=121), "its last check may be 121 s old, too old to say anything"),
        (seen(Health.GOOD, age=-60), "its vendor's clock is 60 s ahead of ours"),
        (
            seen(Health.BAD, watches="https://staging.pulse.test/"),
            "looks at https://staging.pulse.test/, and not at the page",
        ),
        (lambda _: Sighting(Health.UNKNOWN, None, PAGE, MINUTE, "the monitor is paused"), "the monitor is paused"),
        (lambda _: Sighting(Health.GOOD, None, PAGE, MINUTE), "nothing was seen yet"),
    ],
)
def test_what_says_nothing_is_unknown(told: Callable[[datetime], Sighting], why: str) -> None:
    """Too old, from a wrong clock, about another page, paused: neither up nor down."""
    word = Stage(told).ask()
    assert (Health.UNKNOWN, why, None) == (word.health, word.reason, word.seen)


@pytest.mark.parametrize(
    "error",
    [Unavailable("no answer", seen="HTTP 503"), Denied("the token is refused", seen="HTTP 401"), NotFound("unknown")],
)
def test_a_vendor_that_cannot_be_asked_is_unknown(error: ProviderError) -> None:
    """An outage, a token that is not taken, an id that is not there: never up, never down, and it can be read why."""
    stage = Stage()
    stage.monitor.failures.schedule(error)
    word = stage.ask()
    assert Health.UNKNOWN is word.health
    assert word.reason.startswith(f"cannot be asked: {error.what}")


def test_an_earlier_word_does_not_outlive_a_vendors_outage() -> None:
    """Once it cannot be asked any more, what it said before is not repeated."""
    stage = Stage()
    assert stage.ask().health is Health.GOOD
    stage.monitor.failures.schedule(Unavailable("no answer"))
    stage.later(30)
    assert stage.ask().health is Health.UNKNOWN


def test_a_token_that_is_missing_stops_nothing() -> None:
    """A secret that is not there makes one word unknown; the vendor is asked once it is."""
    stage, missing = Stage(), [True]

    def opener(_: MonitorOfSite) -> Monitor:
        if missing:
            raise SecretMissing("env:ROBOT is not set")
        return stage.monitor

    stage.asked = AskedMonitors(site(), opener, lambda _: stage.signal, stage.clock)
    assert stage.ask().reason == "cannot be asked: env:ROBOT is not set"
    missing.clear()
    stage.later(30)
    assert stage.ask().health is Health.GOOD


def test_asked_no_oftener_than_told() -> None:
    """Our looks come each second, questions to a vendor every thirty; between them its last word is given again."""
    stage = Stage()
    words = []
    for _ in range(61):
        words.append(stage.ask())
        stage.later(1)
    assert (3, 3) == (stage.monitor.asked, len(set(words)))


def test_left_alone_as_long_as_it_asks() -> None:
    """429 with Retry-After: unknown, and not asked before that is over."""
    stage = Stage()
    stage.monitor.failures.schedule(Unavailable("too many requests", retry_after=timedelta(seconds=90)))
    for _ in range(3):
        assert stage.ask().health is Health.UNKNOWN
        stage.later(29)
    assert stage.monitor.asked == 1
    stage.later(4)
    assert (Health.GOOD, 2) == (stage.ask().health, stage.monitor.asked)


def test_asked_by_one_at_a_time() -> None:
    """While one thread waits for a vendor that hangs, another gets what is known, at once."""
    begun, go_on = threading.Event(), threading.Event()

    def slow(at: datetime) -> Sighting:
        begun.set()
        go_on.wait(120)
        return Sighting(Health.GOOD, at, PAGE, MINUTE)

    monitor, clock = MemoryMonitor("robot", slow), SystemClock()
    asked = AskedMonitors(site(), lambda _: monitor, lambda _: MemorySignal("sentry", lambda _: (0, 0)), clock)
    within = Deadline.after(clock, timedelta(seconds=100))
    first = threading.Thread(target=lambda: asked.ask("robot", within=within))
    first.start()
    assert begun.wait(60)
    assert asked.ask("robot", within=within).health is Health.UNKNOWN
    go_on.set()
    first.join()
    assert (Health.GOOD, 1) == (asked.ask("robot", within=within).health, monitor.asked)


@pytest.mark.parametrize(
    ("sessions", "health", "words"),
    [
        ((0, 0), Health.UNKNOWN, "no sessions since 23:55:00Z, too few to tell"),
        ((1, 0), Health.UNKNOWN, "1 session since 23:55:00Z, too few to tell"),
        ((19, 19), Health.UNKNOWN, "19 sessions since 23:55:00Z, too few to tell"),
        ((100, 20), Health.GOOD, "20% of 100 sessions met errors since 23:55:00Z"),
        ((100, 21), Health.BAD, "21% of 100 sessions met errors since 23:55:00Z, more than 20%"),
    ],
)
def test_how_users_fare(sessions: tuple[int, int], health: Health, words: str) -> None:
    """Above the threshold users suffer; without traffic nothing is known."""
    word = Stage(sessions=sessions).ask("sentry")
    assert (health, words, True, False) == (word.health, word.reason, word.signal, word.counts)


def test_a_signal_counts_where_the_site_file_says_so() -> None:
    """It is one voice more, and its word is not believed for ever."""
    stage = Stage(sessions=(100, 50))
    counting = site().model_copy(update={"signals": (site().signals[0].model_copy(update={"counts": True}),)})
    stage.asked = AskedMonitors(counting, lambda _: stage.monitor, lambda _: stage.signal, stage.clock)
    word = stage.ask("sentry")
    assert word.counts
    assert [Health.BAD, Health.UNKNOWN] == [word.at(stage.clock.now() + each * MINUTE) for each in (2, 2.1)]


@pytest.mark.parametrize(
    ("watched", "same"),
    [
        (f"https://{NAME}", True),
        (f"HTTPS://{NAME.upper()}:443/", True),
        (f"https://{NAME}./", True),
        (f"http://{NAME}/", False),
        (f"https://{NAME}:8443/", False),
        (f"https://{NAME}/health", False),
        (f"https://{NAME}/?cache=no", False),
        (f"https://{NAME}:port/", False),
        (NAME, False),
        ("", False),
    ],
)
def test_the_same_page(watched: str, same: bool) -> None:
    """Spelling does not matter; another host, port, path or scheme does."""
    assert same is same_page(watched, PAGE)
