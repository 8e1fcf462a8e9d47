"""The API of one vendor that hosts Git by itself, for whoever tests an adapter against it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from defib.clock import Clock, SystemClock
from defib.lab.background import BackgroundLoop
from defib.lab.faults import Fault, FaultSwitch
from defib.lab.forge.api import ForgeApi
from defib.lab.forge.furniture import github_api, gitlab_api
from defib.lab.forge.repository import ForgeRepository
from defib.lab.web import Request, Response, WebServer

_OLD = timedelta(days=400)


@dataclass(frozen=True)
class RunningForge:
    """The API at `endpoint`, furnished as in :mod:`defib.lab.forge.furniture`."""

    endpoint: str
    token: str
    api: ForgeApi
    loop: BackgroundLoop

    @property
    def repository(self) -> ForgeRepository:
        """The repository as it stands at the vendor."""
        return self.api.repository

    def change(self, how: Callable[[ForgeRepository], ForgeRepository]) -> None:
        """Change the repository past the API, as its owner would on the vendor's pages."""
        self.api.repository = how(self.api.repository)

    def set_fault(self, fault: Fault | None) -> None:
        """Break the API, or heal it with None."""
        self.loop.run(_set(self.api.switch, fault))


@contextmanager
def serve_github(clock: Clock | None = None) -> Iterator[RunningForge]:
    """GitHub's API, without Git behind it."""
    with _served(github_api, clock or SystemClock()) as running:
        yield running


@contextmanager
def serve_gitlab(clock: Clock | None = None) -> Iterator[RunningForge]:
    """GitLab's API, without Git behind it."""
    with _served(gitlab_api, clock or SystemClock()) as running:
        yield running


@contextmanager
def _served(make: Callable[[str, datetime, Clock], ForgeApi], clock: Clock) -> Iterator[RunningForge]:
    with BackgroundLoop() as loop:
        token = secrets.token_urlsafe(30)
        api = make(token, clock.now() - _OLD, clock)

        async def answer(request: Request) -> Response | None:
            return await api.answer(request, server.url)

        server = WebServer("127.0.0.1", 0, answer)
        loop.run(server.start())
        try:
            yield RunningForge(f"{server.url}{api.base}", token, api, loop)
        finally:
            loop.run(server.stop())


async def _set(switch: FaultSwitch, fault: Fault | None) -> None:
    switch.set(fault)
