"""The API of one hosting platform by itself, for whoever tests an adapter against it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from defib.clock import Clock, SystemClock
from defib.lab.background import BackgroundLoop
from defib.lab.content import SiteBuild, make_build
from defib.lab.faults import Fault, FaultSwitch
from defib.lab.hosting import furniture
from defib.lab.hosting.api import Dialect, HostingApi
from defib.lab.hosting.bearings import Ask
from defib.lab.hosting.netlify import NetlifyDialect
from defib.lab.hosting.project import HostedProject
from defib.lab.hosting.vercel import VercelDialect

EDGE = "192.0.2.80"


@dataclass
class KnownNames:
    """The DNS as the platform sees it: values by name (without trailing dot) and type; `lead` sends a name to its edge."""

    records: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)

    def lead(self, name: str) -> None:
        """Let `name` lead to the platform."""
        self.records[name, "A"] = (EDGE,)

    async def ask(self, name: str, kind: str) -> tuple[str, ...]:
        """Answer a question."""
        return self.records.get((name, kind), ())


@dataclass(frozen=True)
class RunningHosting:
    """The API at `endpoint`, furnished as in :mod:`defib.lab.hosting.furniture`."""

    endpoint: str
    token: str
    api: HostingApi
    dns: KnownNames
    loop: BackgroundLoop

    @property
    def project(self) -> HostedProject:
        """The project as it stands at the platform."""
        return self.api.project

    def change(self, how: Callable[[HostedProject], HostedProject]) -> None:
        """Change the project past the API, as its owner would in the dashboard."""
        self.api.project = how(self.api.project)

    def set_fault(self, fault: Fault | None) -> None:
        """Break the API, or heal it with None."""
        self.loop.run(_set(self.api.switch, fault))


@contextmanager
def serve_vercel(
    *, team: str = "", clock: Clock | None = None, promotes_in: timedelta = timedelta(milliseconds=50)
) -> Iterator[RunningHosting]:
    """Vercel's API, with no edge behind it."""
    chosen = clock or SystemClock()

    def dialect(ask: Ask) -> Dialect:
        return VercelDialect(ask, EDGE, chosen, team, promotes_in)

    with _served(dialect, furniture.vercel_project(_build(chosen), chosen.now()), chosen, "") as running:
        yield running


@contextmanager
def serve_netlify(*, clock: Clock | None = None) -> Iterator[RunningHosting]:
    """Netlify's API, with no edge behind it."""
    chosen = clock or SystemClock()

    def dialect(ask: Ask) -> Dialect:
        return NetlifyDialect(ask, EDGE, chosen)

    with _served(dialect, furniture.netlify_project(_build(chosen), chosen.now()), chosen, "/api/v1") as running:
        yield running


@contextmanager
def _served(dialect: Callable[[Ask], Dialect], project: HostedProject, clock: Clock, path: str) -> Iterator[RunningHosting]:
    with BackgroundLoop() as loop:
        dns = KnownNames()
        for name in furniture.HELD_NAMES:
            dns.lead(name)
        token = secrets.token_urlsafe(30)
        api = HostingApi("127.0.0.1", 0, token, dialect(dns.ask), project, clock)
        loop.run(api.start())
        try:
            yield RunningHosting(f"{api.server.url}{path}", token, api, dns, loop)
        finally:
            loop.run(api.stop())


def _build(clock: Clock) -> SiteBuild:
    return make_build(clock.now() - timedelta(minutes=15), "1.5.0")


async def _set(switch: FaultSwitch, fault: Fault | None) -> None:
    switch.set(fault)
