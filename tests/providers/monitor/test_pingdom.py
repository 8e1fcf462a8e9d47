"""Pingdom's adapter against its API in the lab."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from defib.clock import Deadline, SystemClock
from defib.errors import Unavailable
from defib.lab.faults import Fault
from defib.lab.monitoring.alone import RunningMonitoring, serve_pingdom
from defib.lab.monitoring.pingdom import CHECK, PingdomDialect
from defib.ports import Health
from defib.providers.monitor.pingdom import Pingdom, _read_refusal
from tests.contracts.monitor import MonitorContract, MonitorWorld, eventually


@pytest.fixture
def running() -> Iterator[RunningMonitoring]:
    """The API alone."""
    with serve_pingdom() as api:
        yield api


def adapter(running: RunningMonitoring, check: int = CHECK, token: str = "") -> Pingdom:
    """The adapter with everything right unless told otherwise."""
    return Pingdom("pingdom", check, token or running.token, running.endpoint)


def soon() -> Deadline:
    """A deadline that is far enough."""
    return Deadline.after(SystemClock(), timedelta(seconds=10))


def dialect(running: RunningMonitoring) -> PingdomDialect:
    """The check as it stands there."""
    assert isinstance(running.api.dialect, PingdomDialect)
    return running.api.dialect


class TestPingdom(MonitorContract):
    @pytest.fixture
    def world(self, running: RunningMonitoring) -> MonitorWorld:
        """The check in the lab."""
        return MonitorWorld(
            adapter(running),
            lambda problem: setattr(running.looks, "problem", problem),
            lambda: setattr(dialect(running), "paused", True),
            adapter(running, token="wrong"),
            adapter(running, CHECK + 1),
        )


def test_the_last_test_dates_it(running: RunningMonitoring) -> None:
    """When nothing is tested any more the moment stays where it is."""
    check = adapter(running)
    eventually(lambda: check.sighting(within=soon()).health is Health.GOOD)
    running.set_fault(Fault("stale"))
    first = check.sighting(within=soon()).seen
    tested = dialect(running).schedules[0].seen[-1].at
    assert first == tested.replace(microsecond=0)
    assert check.sighting(within=soon()).seen == first


def test_another_kind_of_check(running: RunningMonitoring) -> None:
    """An address over HTTP, or on another path, is told as it is."""
    dialect(running).watches = "http://www.pulse-trading.test:8080/health"
    assert adapter(running).sighting(within=soon()).watches == "http://www.pulse-trading.test:8080/health"


def test_too_many_questions(running: RunningMonitoring) -> None:
    """429 comes with how long to wait, in Retry-After where there is one."""
    running.set_fault(Fault("429", {"retry_after": 7}))
    with pytest.raises(Unavailable) as caught:
        adapter(running).sighting(within=soon())
    assert caught.value.retry_after == timedelta(seconds=7)


def test_limits_of_the_account() -> None:
    """Where a limit is used up, Pingdom tells when it is renewed; the longer one counts."""
    headers = {
        "Req-Limit-Short": "Remaining: 0 Time until reset: 120",
        "Req-Limit-Long": "Remaining: 71994 Time until reset: 2591989",
    }
    answer = httpx.Response(429, headers=headers, text="{}")
    assert _read_refusal(answer, datetime(2026, 1, 1, tzinfo=UTC)).wish == timedelta(seconds=120)
