"""One of the three APIs by itself, with looks that find what they are told to, for whoever tests an adapter against it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import timedelta

from defib.clock import Clock, SystemClock
from defib.lab.background import BackgroundLoop
from defib.lab.faults import Fault
from defib.lab.monitoring import pingdom, sentry, uptimerobot
from defib.lab.monitoring.api import Dialect, MonitoringApi
from defib.lab.monitoring.looking import NotServedError, Schedule

WATCHED = "https://www.pulse-trading.test:8443/"
_INTERVAL = timedelta(milliseconds=50)


class ToldLooks:
    """Every look finds `problem`, or with "" that all is well."""

    def __init__(self) -> None:
        self.problem = ""

    async def look(self) -> None:
        """One look."""
        if self.problem:
            raise NotServedError(self.problem)


@dataclass(frozen=True)
class RunningMonitoring:
    """An API on `endpoint`, and what its looks find."""

    endpoint: str
    token: str
    api: MonitoringApi
    looks: ToldLooks
    loop: BackgroundLoop

    def set_fault(self, fault: Fault | None) -> None:
        """Break the API, or heal it with None."""
        self.loop.run(self.api.set_fault(fault))


def serve_uptimerobot() -> AbstractContextManager[RunningMonitoring]:
    """UptimeRobot with a monitor that says that it looks every minute."""

    def dialect(schedule: Schedule, clock: Clock) -> uptimerobot.UptimeRobotDialect:
        made = uptimerobot.UptimeRobotDialect(WATCHED, schedule, clock)
        made.interval = timedelta(minutes=1)
        return made

    return _serve(dialect, uptimerobot.BASE)


def serve_pingdom() -> AbstractContextManager[RunningMonitoring]:
    """Pingdom."""
    return _serve(lambda schedule, _: pingdom.PingdomDialect(WATCHED, schedule), pingdom.BASE)


def serve_sentry() -> AbstractContextManager[RunningMonitoring]:
    """Sentry."""
    return _serve(sentry.SentryDialect, sentry.BASE)


@contextmanager
def _serve(make: Callable[[Schedule, Clock], Dialect], base: str) -> Iterator[RunningMonitoring]:
    with BackgroundLoop() as loop:
        token, clock, looks = secrets.token_hex(16), SystemClock(), ToldLooks()
        dialect = make(Schedule(looks.look, _INTERVAL, clock), clock)
        api = MonitoringApi("127.0.0.1", 0, base, token, dialect, clock, limit=1000)
        loop.run(api.start())
        try:
            yield RunningMonitoring(api.url, token, api, looks, loop)
        finally:
            loop.run(api.stop())
