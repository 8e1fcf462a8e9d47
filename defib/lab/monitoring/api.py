"""What the three APIs have in common: a bearer token, a limit of requests, and faults."""

from __future__ import annotations

import hmac
from collections import deque
from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

from defib.clock import Clock
from defib.lab.faults import Fault, FaultSwitch
from defib.lab.faulty import connect_as
from defib.lab.hosting.api import RefusalError, json_response
from defib.lab.monitoring.looking import Schedule
from defib.lab.web import Request, Response, WebServer

LIMIT, PER = 10, timedelta(seconds=1)
"""As many requests as a free account at UptimeRobot has in a minute, in a second: everything in the lab is quicker."""


class Dialect(Protocol):
    """The part that differs between vendors."""

    @property
    def schedules(self) -> Sequence[Schedule]:
        """The looks behind what it tells."""
        ...

    async def answer(self, request: Request, *, lying: bool) -> object:
        """The JSON that answers a request, or :class:`RefusalError`; `lying` says that all is well whatever was seen."""
        ...

    def refused(self, refusal: RefusalError) -> Response:
        """A refusal in the vendor's shape."""
        ...


class MonitoringApi:
    """One account behind one token.

    Faults: ``refuse``, ``hang``, ``500``, ``429``, ``denied``; ``lying`` says that all is well; ``stale`` looks no more and
    tells what was seen last.
    """

    def __init__(
        self, address: str, port: int, base: str, token: str, dialect: Dialect, clock: Clock, limit: int = LIMIT
    ) -> None:
        self.web = WebServer(address, port, self._answer)
        self.switch = FaultSwitch()
        self.dialect = dialect
        self._base, self._token, self._clock, self._limit = base, token, clock, limit
        self._requests: deque[timedelta] = deque()

    @property
    def url(self) -> str:
        """The address that clients are given."""
        return f"{self.web.url}{self._base}"

    async def start(self) -> None:
        """Listen."""
        await self.web.start()

    async def stop(self) -> None:
        """Stop listening and looking."""
        for schedule in self.dialect.schedules:
            await schedule.stop()
        await self.web.stop()

    async def set_fault(self, fault: Fault | None) -> None:
        """Put `fault` in force in place of any other; None heals."""
        for schedule in self.dialect.schedules:
            schedule.frozen = fault is not None and fault.name == "stale"
        self.switch.set(fault)
        await connect_as(self.web, fault)

    async def _answer(self, request: Request) -> Response:
        fault = self.switch.spend() or Fault("none")
        try:
            self._let_in(request, fault)
            for schedule in self.dialect.schedules:
                await schedule.wanted()
            return json_response(200, await self.dialect.answer(request, lying=fault.name == "lying"))
        except RefusalError as refusal:
            return self.dialect.refused(refusal)

    def _let_in(self, request: Request, fault: Fault) -> None:
        given = request.headers.get("authorization", "")
        if fault.name == "denied" or not hmac.compare_digest(given.encode(), f"Bearer {self._token}".encode()):
            raise RefusalError(401, "unauthorized", "Unauthorized")
        if fault.name == "500":
            raise RefusalError(500, "internal", "Internal server error")
        now = self._clock.monotonic()
        while self._requests and self._requests[0] <= now - PER:
            self._requests.popleft()
        if fault.name == "429" or len(self._requests) >= self._limit:
            wait = str(int(fault.option("retry_after", 1)))
            raise RefusalError(429, "too_many_requests", "Rate limit exceeded", headers=(("Retry-After", wait),))
        self._requests.append(now)
