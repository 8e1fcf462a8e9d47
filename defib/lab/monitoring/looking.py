"""Looks at a public name from elsewhere: through a resolver that nobody else uses, over verified TLS, on a schedule.

Nobody looks before somebody asks what was seen, nor long after: a lab without monitors is not looked at by any.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import dns.message
import dns.rcode
import dns.rdatatype

from defib.clock import Clock
from defib.lab.dns.resolver import Resolver
from defib.lab.plan import WEB_PORT
from defib.lab.web import BadMessage, Request, Response, fetch

TITLE = b"<title>Pulse Trading</title>"
_WITHIN = 0.8
_IDLE = timedelta(seconds=10)
"""How long looks go on after nobody has asked for them."""

_KEPT = 1000


class NotServedError(Exception):
    """The look found no page; the text says why, as monitors do."""


@dataclass(frozen=True)
class Seen:
    """One look: when it was made, how long it took, and what was wrong ("" when all was well)."""

    at: datetime
    took: timedelta
    problem: str = ""

    @property
    def good(self) -> bool:
        """Whether the page was there."""
        return not self.problem


class Elsewhere:
    """A place on the internet from which names are looked at."""

    def __init__(self, resolver: Resolver, trust: Callable[[], ssl.SSLContext]) -> None:
        self._resolver = resolver
        self._trust = trust

    async def get(self, name: str, path: str = "/") -> Response:
        """Fetch from `name` as a user does; :class:`NotServedError` where nothing comes."""
        address = await self._address(name)
        request = Request("GET", path, {"host": f"{name}:{WEB_PORT}"})
        try:
            return await fetch(address, WEB_PORT, request, self._trust(), name=name, within=_WITHIN)
        except TimeoutError as error:
            raise NotServedError("Connection Timeout") from error
        except (OSError, BadMessage) as error:
            raise NotServedError(f"Connection Error: {type(error).__name__}") from error

    async def page(self, name: str) -> None:
        """The page of `name`, or :class:`NotServedError`."""
        answer = await self.get(name)
        if answer.status != 200:  # noqa: PLR2004 - what a page comes with
            raise NotServedError(f"HTTP {answer.status}")
        if TITLE not in answer.body:
            raise NotServedError("Keyword not found")

    async def _address(self, name: str) -> str:
        query = dns.message.make_query(f"{name}.", dns.rdatatype.A).to_wire()
        answer = dns.message.from_wire(await self._resolver.answer(query))
        for rrset in answer.answer:
            if rrset.rdtype == dns.rdatatype.A:
                return str(rrset[0].address)
        raise NotServedError(f"DNS: {dns.rcode.to_text(answer.rcode())}")


class Schedule:
    """Looks every `interval` while somebody wants to know; `frozen` makes none, and keeps what was seen."""

    def __init__(self, look: Callable[[], Awaitable[None]], interval: timedelta, clock: Clock) -> None:
        self.interval = interval
        self.frozen = False
        self.seen: deque[Seen] = deque(maxlen=_KEPT)
        self._look, self._clock = look, clock
        self._wanted = timedelta(0)
        self._task: asyncio.Task[None] | None = None
        self._begun = asyncio.Event()

    async def wanted(self) -> None:
        """Somebody asks: there is at least one look, and others follow."""
        self._wanted = self._clock.monotonic()
        if self.frozen and self.seen:
            return
        if self._task is None or self._task.done():
            self._begun = asyncio.Event()
            self._task = asyncio.get_running_loop().create_task(self._go_on(self._begun))
        await self._begun.wait()

    async def stop(self) -> None:
        """No more looks."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _go_on(self, begun: asyncio.Event) -> None:
        try:
            await self.once()
        finally:
            begun.set()
        while self._clock.monotonic() - self._wanted < _IDLE:
            await asyncio.sleep(self.interval.total_seconds())
            if not self.frozen:
                await self.once()

    async def once(self) -> None:
        """One look now."""
        at, started, problem = self._clock.now(), self._clock.monotonic(), ""
        try:
            await self._look()
        except NotServedError as error:
            problem = str(error)
        self.seen.append(Seen(at, self._clock.monotonic() - started, problem))
