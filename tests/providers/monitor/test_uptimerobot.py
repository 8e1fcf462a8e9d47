"""UptimeRobot's adapter against its API in the lab, every exchange compared with the vendor's own description."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from defib.clock import Deadline, SystemClock
from defib.errors import Unavailable
from defib.lab.faults import Fault
from defib.lab.monitoring.alone import RunningMonitoring, serve_uptimerobot
from defib.lab.monitoring.uptimerobot import MONITOR, UptimeRobotDialect
from defib.ports import Health
from defib.providers.monitor.uptimerobot import UptimeRobot
from tests.contracts.described import UPTIMEROBOT, compared
from tests.contracts.monitor import MonitorContract, MonitorWorld, eventually


@pytest.fixture
def running() -> Iterator[RunningMonitoring]:
    """The API alone."""
    with serve_uptimerobot() as api:
        yield api


def adapter(running: RunningMonitoring, endpoint: str = "") -> UptimeRobot:
    """The adapter with everything right."""
    return UptimeRobot("uptimerobot", MONITOR, running.token, endpoint or running.endpoint)


def soon() -> Deadline:
    """A deadline that is far enough."""
    return Deadline.after(SystemClock(), timedelta(seconds=10))


def dialect(running: RunningMonitoring) -> UptimeRobotDialect:
    """The monitor as it stands there."""
    assert isinstance(running.api.dialect, UptimeRobotDialect)
    return running.api.dialect


class TestUptimeRobot(MonitorContract):
    @pytest.fixture
    def world(self, running: RunningMonitoring) -> Iterator[MonitorWorld]:
        """The monitor in the lab, behind the vendor's description."""
        with compared(running.endpoint, UPTIMEROBOT) as endpoint:
            yield MonitorWorld(
                adapter(running, endpoint),
                lambda problem: setattr(running.looks, "problem", problem),
                lambda: setattr(dialect(running), "paused", True),
                UptimeRobot("uptimerobot", MONITOR, "wrong", endpoint),
                UptimeRobot("uptimerobot", MONITOR + 1, running.token, endpoint),
            )


def test_what_looks_down_is_not_down_yet(running: RunningMonitoring) -> None:
    """One failed check, which UptimeRobot has not confirmed, is unknown."""
    monitor = adapter(running)
    assert monitor.sighting(within=soon()).health is Health.GOOD
    running.set_fault(Fault("stale"))
    schedule = dialect(running).schedules[0]
    running.looks.problem = "HTTP 503"
    running.loop.run(schedule.once())
    told = monitor.sighting(within=soon())
    assert (Health.UNKNOWN, "looks down, and UptimeRobot is not sure yet") == (told.health, told.reason)


def test_down_says_why(running: RunningMonitoring) -> None:
    """The reason of the incident is the vendor's own."""
    running.looks.problem = "HTTP 503"
    monitor = adapter(running)
    eventually(lambda: monitor.sighting(within=soon()).health is Health.BAD)
    assert monitor.sighting(within=soon()).reason == "HTTP 503"


def test_up_without_checks_is_unknown(running: RunningMonitoring) -> None:
    """A monitor that says up, and has not checked for longer than its interval allows, cannot tell."""
    monitor = adapter(running)
    eventually(lambda: len(dialect(running).schedules[0].seen) > 3 or not monitor.sighting(within=soon()))
    dialect(running).interval = timedelta(milliseconds=200)
    running.set_fault(Fault("stale"))
    eventually(lambda: monitor.sighting(within=soon()).health is Health.UNKNOWN)
    assert monitor.sighting(within=soon()).reason.startswith("no check is on record since")


def test_a_recent_change_dates_the_check(running: RunningMonitoring) -> None:
    """What is up for two seconds was checked in the last two seconds, whatever the interval."""
    running.looks.problem = "HTTP 503"
    monitor, clock = adapter(running), SystemClock()
    eventually(lambda: monitor.sighting(within=soon()).health is Health.BAD)
    running.looks.problem = ""
    eventually(lambda: monitor.sighting(within=soon()).health is Health.GOOD)
    seen = monitor.sighting(within=soon()).seen
    assert seen is not None
    assert clock.now() - seen < timedelta(seconds=10)


def test_too_many_questions(running: RunningMonitoring) -> None:
    """429 comes with how long to wait."""
    running.set_fault(Fault("429", {"retry_after": 7}))
    with pytest.raises(Unavailable) as caught:
        adapter(running).sighting(within=soon())
    assert caught.value.retry_after == timedelta(seconds=7)


@pytest.mark.parametrize("fault", ["500", "refuse"])
def test_an_api_that_fails(running: RunningMonitoring, fault: str) -> None:
    """An outage of the vendor's is unavailable, and says nothing about the site."""
    running.set_fault(Fault(fault))
    with pytest.raises(Unavailable):
        adapter(running).sighting(within=soon())


def test_an_api_that_hangs(running: RunningMonitoring) -> None:
    """The deadline holds."""
    running.set_fault(Fault("hang"))
    with pytest.raises(Unavailable):
        adapter(running).sighting(within=Deadline.after(SystemClock(), timedelta(milliseconds=300)))
