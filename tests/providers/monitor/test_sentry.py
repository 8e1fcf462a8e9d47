"""Sentry's adapter against its API in the lab."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from defib.clock import Deadline, SystemClock
from defib.errors import NotFound, Unavailable
from defib.lab.faults import Fault
from defib.lab.monitoring.alone import RunningMonitoring, serve_sentry
from defib.lab.monitoring.sentry import ORGANIZATION, PROJECT
from defib.providers.monitor.sentry import Sentry, _read_refusal
from tests.contracts.monitor import SignalContract, SignalWorld, eventually

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WINDOW = timedelta(seconds=20)


@pytest.fixture
def running() -> Iterator[RunningMonitoring]:
    """The API alone."""
    with serve_sentry() as api:
        yield api


def adapter(running: RunningMonitoring, project: int = PROJECT, token: str = "", organization: str = "") -> Sentry:
    """The adapter with everything right unless told otherwise."""
    return Sentry("sentry", organization or ORGANIZATION, project, "", token or running.token, running.endpoint)


def soon() -> Deadline:
    """A deadline that is far enough."""
    return Deadline.after(SystemClock(), timedelta(seconds=10))


class TestSentry(SignalContract):
    @pytest.fixture
    def world(self, running: RunningMonitoring) -> SignalWorld:
        """The project in the lab."""
        return SignalWorld(
            adapter(running),
            lambda failing: setattr(running.looks, "problem", "api.test: HTTP 503" if failing else ""),
            adapter(running, token="wrong"),
            adapter(running, PROJECT + 1),
        )


def test_who_gets_no_page_has_no_session(running: RunningMonitoring) -> None:
    """When the site is down nobody sends anything: no sessions, and not sessions with errors."""
    running.looks.problem = "no session: HTTP 503"
    told = adapter(running).sessions(WINDOW, within=soon())
    assert (0, 0) == (told.all, told.bad)


def test_an_organization_that_does_not_exist(running: RunningMonitoring) -> None:
    """It is a matter of configuration, and the message says of what."""
    with pytest.raises(NotFound, match="Sentry does not know it") as caught:
        adapter(running, organization="nobody").sessions(WINDOW, within=soon())
    assert caught.value.then == "check organization and project of sentry in the site file"


def test_five_minutes_are_asked_by_the_minute(running: RunningMonitoring) -> None:
    """A window of minutes is counted in minutes, and never begins later than it should."""
    told = adapter(running).sessions(timedelta(minutes=5), within=soon())
    assert timedelta(minutes=5) <= told.until - told.since <= timedelta(minutes=6)


def test_too_many_questions(running: RunningMonitoring) -> None:
    """429 is unavailable."""
    running.set_fault(Fault("429", {"retry_after": 7}))
    with pytest.raises(Unavailable) as caught:
        adapter(running).sessions(WINDOW, within=soon())
    assert caught.value.retry_after == timedelta(seconds=7)


def test_limits_of_the_caller() -> None:
    """Sentry tells the moment when a limit is renewed."""
    reset = str(int((NOW + timedelta(seconds=9)).timestamp()))
    answer = httpx.Response(429, headers={"X-Sentry-Rate-Limit-Reset": reset}, text="{}")
    assert _read_refusal(answer, NOW).wish == timedelta(seconds=9)
    assert _read_refusal(httpx.Response(403, headers=dict(answer.headers), text="{}"), NOW).wish is None


def test_lying_and_stale(running: RunningMonitoring) -> None:
    """A vendor that lies tells of healthy sessions only; one that has stopped counting tells of no new ones."""
    signal = adapter(running)
    running.looks.problem = "api.test: HTTP 503"
    eventually(lambda: signal.sessions(WINDOW, within=soon()).bad >= 3)
    running.set_fault(Fault("lying"))
    assert signal.sessions(WINDOW, within=soon()).bad == 0
    running.set_fault(Fault("stale"))
    first = signal.sessions(WINDOW, within=soon()).all
    assert signal.sessions(WINDOW, within=soon()).all == first
