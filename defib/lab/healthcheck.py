"""A Route 53 health check of the lab: it fetches over HTTP, and says what it found when that has held for a while.

Of Route 53's many checkers there is one here, and its checks are 0.3 s apart instead of 10 or 30 s.
https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/dns-failover-determining-health-of-endpoints.html
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from defib.lab.web import BadMessage, Request, fetch

INTERVAL = 0.3
"""Seconds between two checks."""

THRESHOLD = 3
"""How many checks in a row must disagree with the status to change it; AWS's own default."""

_ANSWER_WITHIN = 2.0
_PASSES = range(200, 400)
_NO_ANSWER = (OSError, EOFError, BadMessage, asyncio.LimitOverrunError)

Tell = Callable[[bool], None]
"""Takes whether the health check is healthy."""


@dataclass(frozen=True)
class Endpoint:
    """What is fetched, by plain HTTP."""

    address: str
    port: int
    path: str


class InvertedCheck:
    """Healthy while its endpoint fails to answer with 2xx or 3xx; it starts healthy, and `tell` hears of each change.

    An endpoint that cannot be reached is one that fails, so that what is lost looks like what is absent.
    """

    def __init__(self, endpoint: Endpoint, tell: Tell) -> None:
        self._endpoint = endpoint
        self._tell = tell
        self._healthy = True
        self._against = 0
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to check. Idempotent."""
        if self._task is None:
            self._task = asyncio.create_task(self._check_for_ever())

    async def stop(self) -> None:
        """Check no more; the status stays as it is. Idempotent."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _check_for_ever(self) -> None:
        while True:
            self._count(healthy=not await self._passes())
            await asyncio.sleep(INTERVAL)

    async def _passes(self) -> bool:
        end = self._endpoint
        request = Request(
            "GET", end.path, {"host": f"{end.address}:{end.port}", "user-agent": "Amazon-Route53-Health-Check-Service"}
        )
        try:
            response = await fetch(end.address, end.port, request, None, name="", within=_ANSWER_WITHIN)
        except _NO_ANSWER:
            return False  # what the check is there to find out
        return response.status in _PASSES

    def _count(self, *, healthy: bool) -> None:
        self._against = self._against + 1 if healthy != self._healthy else 0
        if self._against == THRESHOLD:
            self._healthy, self._against = healthy, 0
            self._tell(healthy)
