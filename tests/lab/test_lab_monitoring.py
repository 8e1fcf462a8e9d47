"""UptimeRobot, Pingdom and Sentry in the lab: what they see from elsewhere, and what that is worth to detection."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from defib.clock import Deadline, SystemClock
from defib.home import Home
from defib.lab.background import BackgroundLoop
from defib.lab.monitoring.pingdom import PingdomDialect
from defib.lab.monitoring.uptimerobot import UptimeRobotDialect
from defib.lab.plan import AddressPlan
from defib.lab.world import Secrets, World
from defib.monitor import Word
from defib.observe.asking import AskedMonitors
from defib.observe.detect import Decision, Detector, State
from defib.observe.watch import Watcher
from defib.observe.web import WebObservers
from defib.ports import Health
from defib.providers.open_monitors import open_monitor, open_signal
from defib.providers.secret import resolve
from defib.ready import monitors as readiness
from defib.ready.board import ask_all
from defib.ready.check import Check
from defib.ready.check import State as Found
from defib.ready.scene import Here
from defib.sites.site import Site, load_site
from defib.sites.vendors import Server
from tests.lab.lab_stage import Stage
from tests.lab.test_lab_world import wait_until
from tests.observe.loopback import Loopback, Zone, loopback

SITES = Path(__file__).parents[2] / "runbooks" / "sites"
NET = "127.165"
CLOCK = SystemClock()
PAGE = "www.pulse-trading.test"
VENDORS = ("uptimerobot", "pingdom", "sentry")


@pytest.fixture(scope="module")
def world() -> Iterator[Stage]:
    """A world for all tests of this file."""
    with BackgroundLoop() as loop:
        keys = Secrets.random()

        async def build() -> World:
            made = World(AddressPlan(NET), keys)
            await made.start()
            return made

        made = loop.run(build())
        try:
            yield Stage(made, keys, loop)
        finally:
            loop.run(made.stop())


@dataclass
class Place:
    """A home whose secrets lead into the lab, and the site file moved to the network of the test."""

    stage: Stage
    home: Path
    site: Site

    def monitors(self) -> AskedMonitors:
        """Those of the site, asked as `watch` asks them."""
        secrets = partial(resolve, home=self.home)
        return AskedMonitors(self.site, partial(open_monitor, secrets=secrets), partial(open_signal, secrets=secrets), CLOCK)

    def ready(self) -> dict[str, Check]:
        """What readiness says of each."""
        here = Here(self.site, self.home, Home.open(self.home), self.home, CLOCK, partial(resolve, home=self.home))
        return {check.about: check for check in ask_all(list(readiness.questions(here)), CLOCK)}


@pytest.fixture
def place(world: Stage, tmp_path: Path) -> Iterator[Place]:
    """All is well, and is so again after the test."""
    text = (SITES / "lab-monitored.yaml").read_text().replace("127.77.", f"{NET}.")
    (tmp_path / "lab-monitored.yaml").write_text(text)
    world.keys.write(tmp_path / "lab" / "secrets", {})
    (tmp_path / "lab" / "ca.pem").write_bytes(world.world.authority.pem)
    yield Place(world, tmp_path, load_site(tmp_path / "lab-monitored.yaml"))
    world.heal()
    for api in world.world.monitoring.values():
        for schedule in api.dialect.schedules:
            world.loop.run(schedule.stop())
            schedule.seen.clear()
    robot(world).paused = pingdom(world).paused = False
    robot(world).watches = pingdom(world).watches = f"https://{PAGE}:8443/"


def robot(stage: Stage) -> UptimeRobotDialect:
    """UptimeRobot's monitor."""
    found = stage.world.monitoring["uptimerobot-api"].dialect
    assert isinstance(found, UptimeRobotDialect)
    return found


def pingdom(stage: Stage) -> PingdomDialect:
    """Pingdom's check."""
    found = stage.world.monitoring["pingdom-api"].dialect
    assert isinstance(found, PingdomDialect)
    return found


def within(seconds: float = 5) -> Deadline:
    """A deadline on the machine's clock."""
    return Deadline.after(CLOCK, timedelta(seconds=seconds))


def until_it_says(monitors: AskedMonitors, name: str, health: Health) -> Word:
    """Ask until it says so."""
    end = time.monotonic() + 60
    while (word := monitors.ask(name, within=within())).health is not health:
        assert time.monotonic() < end, word
        time.sleep(0.1)
    return word


class TestWords:
    """What each says of the site, broken or not, and of itself when it is broken."""

    def test_up_and_down(self, place: Place) -> None:
        """They look from elsewhere, as users do: up, then down for the reason that users meet, then up."""
        monitors = place.monitors()
        for name in VENDORS[:2]:
            assert until_it_says(monitors, name, Health.GOOD).reason == "up"
        place.stage.break_("cloudfront", "5xx")
        assert until_it_says(monitors, "uptimerobot", Health.BAD).reason == "down: HTTP 503"
        assert until_it_says(monitors, "pingdom", Health.BAD).reason == "down"
        place.stage.heal()
        for name in VENDORS[:2]:
            until_it_says(monitors, name, Health.GOOD)

    @pytest.mark.parametrize(
        ("fault", "options"), [("refuse", {}), ("500", {}), ("429", {"retry_after": 30}), ("denied", {})]
    )
    def test_a_broken_vendor_is_unknown(self, place: Place, fault: str, options: dict[str, float]) -> None:
        """Down for themselves, throttling, or with another token: neither up nor down, and it says why."""
        for name in VENDORS:
            place.stage.break_(f"{name}-api", fault, **options)
        monitors = place.monitors()
        for name in VENDORS:
            word = monitors.ask(name, within=within())
            assert Health.UNKNOWN is word.health
            assert word.reason.startswith("cannot be asked: ")

    def test_a_vendor_that_hangs_is_unknown(self, place: Place) -> None:
        """The question ends by its deadline."""
        place.stage.break_("pingdom-api", "hang")
        assert place.monitors().ask("pingdom", within=within(0.3)).health is Health.UNKNOWN

    def test_stale_is_found_out(self, place: Place) -> None:
        """Both look no more and go on saying up: unknown, once what they saw is too old."""
        monitors = place.monitors()
        for name in VENDORS[:2]:
            until_it_says(monitors, name, Health.GOOD)
        # One point of response times does not tell how far apart they are.
        wait_until(lambda: len(robot(place.stage).schedules[0].seen) >= 3, within=10)
        for name in VENDORS[:2]:
            place.stage.break_(f"{name}-api", "stale")
        assert until_it_says(monitors, "uptimerobot", Health.UNKNOWN).reason.startswith("no check is on record since")
        assert "too old to say anything" in until_it_says(monitors, "pingdom", Health.UNKNOWN).reason

    def test_a_lie_is_believed_and_is_one_voice(self, place: Place) -> None:
        """Who says up while the site is down cannot be found out alone; that is why one alone decides nothing."""
        place.stage.break_("cloudfront", "refuse")
        place.stage.break_("pingdom-api", "lying")
        monitors = place.monitors()
        until_it_says(monitors, "pingdom", Health.GOOD)
        until_it_says(monitors, "uptimerobot", Health.BAD)

    def test_users_meet_errors(self, place: Place) -> None:
        """The page is there, and what it calls fails: Sentry's sessions say so, and nobody else does."""
        place.stage.break_("api-broker", "5xx")
        monitors = place.monitors()
        word = until_it_says(monitors, "sentry", Health.BAD)
        assert "sessions met errors since" in word.reason
        until_it_says(monitors, "pingdom", Health.GOOD)

    def test_users_without_a_page_send_nothing(self, place: Place) -> None:
        """When the site is down there are no sessions, and Sentry cannot tell."""
        place.stage.break_("cloudfront", "refuse")
        word = place.monitors().ask("sentry", within=within())
        assert (Health.UNKNOWN, True) == (word.health, word.reason.startswith("no sessions since"))

    def test_nobody_looks_unasked(self, place: Place) -> None:
        """A lab whose monitors nobody asks is not looked at by them."""
        assert [] == [
            seen for api in place.stage.world.monitoring.values() for each in api.dialect.schedules for seen in each.seen
        ]


class TestReadiness:
    """Whether they would be of use in an outage, before there is one."""

    def test_all_is_well(self, place: Place) -> None:
        """Token, id, page and interval are right."""
        monitors = place.monitors()
        for name in VENDORS:
            until_it_says(monitors, name, Health.GOOD)
        found = place.ready()
        assert (Found.OK, "checks the page every 1 s; up") == (found["uptimerobot"].state, found["uptimerobot"].text)
        assert (Found.OK, True) == (found["sentry"].state, found["sentry"].text.endswith("(a voice)"))
        # Pingdom counts in minutes, which is longer than the lab's site file believes anybody.
        assert (Found.WARN, True) == (
            found["pingdom"].state,
            found["pingdom"].text.startswith("checks the page every 60 s; up"),
        )

    def test_another_page_is_refused(self, place: Place) -> None:
        """A monitor of something else would be a voice about something else."""
        robot(place.stage).watches = f"https://{PAGE}:8443/health"
        found = place.ready()["uptimerobot"]
        assert (Found.FAIL, True) == (found.state, f"https://{PAGE}:8443/health" in found.text)
        assert place.monitors().ask("uptimerobot", within=within()).health is Health.UNKNOWN

    def test_paused_is_told(self, place: Place) -> None:
        """A paused check is no voice."""
        pingdom(place.stage).paused = True
        found = place.ready()["pingdom"]
        assert (Found.WARN, "its word does not count: the check is paused") == (found.state, found.text)

    @pytest.mark.parametrize(("fault", "state"), [("denied", Found.FAIL), ("429", Found.UNKNOWN), ("refuse", Found.UNKNOWN)])
    def test_vendors_that_do_not_answer(self, place: Place, fault: str, state: Found) -> None:
        """A token that is not taken is a failure; a vendor that cannot answer now leaves it unknown."""
        for name in VENDORS:
            place.stage.break_(f"{name}-api", fault)
        assert dict.fromkeys(VENDORS, state) == {about: check.state for about, check in place.ready().items()}

    def test_a_missing_token(self, place: Place) -> None:
        """It is named, with what to do."""
        (place.home / "lab" / "secrets" / "pingdom-token").unlink()
        assert place.ready()["pingdom"].state is Found.FAIL


class Network:
    """The own network of this machine: its DNS gives what it is told to, whatever the site's servers answer."""

    def __init__(self, net: Loopback) -> None:
        addresses = {PAGE: f"{NET}.3.1", "reference-one.test": f"{NET}.7.1", "reference-two.test": f"{NET}.7.2"}
        self._zone = Zone({(f"{name}.", "A"): (0, [address]) for name, address in addresses.items()})
        self._server = net.dns(self._zone)

    def of(self, site: Site) -> Site:
        """The site as this machine's network lets it be seen."""
        here = self._server
        servers = tuple(Server(name=each.name, address=here.address, port=here.port) for each in site.resolvers)
        return site.model_copy(update={"resolvers": servers})

    def fail(self) -> None:
        """The page is not reached any more, and everybody else's sites are."""
        self._zone.records[f"{PAGE}.", "A"] = (0, [f"{NET}.66.66"])


@contextmanager
def watching(place: Place, site: Site) -> Iterator[Callable[[Callable[[Decision, list[Word]], bool], float], bool]]:
    """Watch the site with its monitors until a condition holds; whether it came in time."""
    words: list[Word] = []
    monitors = place.monitors()
    with WebObservers(site, place.home, CLOCK) as observers:
        detector = Detector(observers.names, site.detection)

        def watch(condition: Callable[[Decision, list[Word]], bool], seconds: float) -> bool:
            met, end = False, time.monotonic() + seconds

            def until(decision: Decision) -> bool:
                nonlocal met
                met = met or condition(decision, words)
                return met or time.monotonic() > end

            Watcher(site, observers, detector, CLOCK, monitors=monitors, on_word=words.append).run(until)
            return met

        yield watch


def heard_up(words: list[Word]) -> bool:
    """Whether both monitors have said that it is up."""
    return {word.name for word in words if word.health is Health.GOOD} >= {"uptimerobot", "pingdom"}


def test_our_own_network_fails_and_then_the_site(place: Place, tmp_path: Path) -> None:
    """Looks fail from this machine only while both monitors say up: no recovery. Both say down as well: it is decided."""
    (tmp_path / "net").mkdir()
    with loopback(tmp_path / "net") as net:
        network = Network(net)
        with watching(place, network.of(place.site)) as watch:
            assert watch(lambda decision, words: decision.state is State.HEALTHY and heard_up(words), 15)
            network.fail()
            assert not watch(lambda decision, _: decision.state is State.DOWN, 11)
            assert watch(lambda decision, _: decision.held.startswith("held back: "), 10)
            place.stage.break_("cloudfront", "refuse")
            assert watch(lambda decision, _: decision.act, 10)


def test_vendors_are_down_and_then_the_site(place: Place) -> None:
    """Both APIs are down: nothing starts while users are served, and the site's outage is decided as soon as ever."""
    for name in VENDORS:
        place.stage.break_(f"{name}-api", "refuse")
    with watching(place, place.site) as watch:
        assert not watch(lambda decision, _: decision.state is State.DOWN, 4)
        place.stage.break_("cloudfront", "refuse")
        began = time.monotonic()
        assert watch(lambda decision, _: decision.act, 10)
        # fall x interval, and the looks of a busy machine; less than what monitors would be waited for.
        assert time.monotonic() - began < place.site.detection.wait_for_monitors.total_seconds()
