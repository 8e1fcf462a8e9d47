"""Observers that look at a site over the network, each through its own resolver."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

from defib.clock import Clock, Deadline
from defib.observe.failure import NoAnswer, certificate_reason, connection_reason, is_ours, plain, seconds
from defib.observe.fetch import (
    Answered,
    Connection,
    Place,
    Progress,
    connect,
    is_address,
    request,
    shown_certificate,
    trust_of,
)
from defib.observe.loop import LoopThread
from defib.observe.page import Fetched, Judgement, judge
from defib.observe.question import addresses
from defib.ports import Aim, Expect, Health, Observation
from defib.sites.site import Site
from defib.sites.vendors import Server

_ALWAYS = (("User-Agent", "defib-observer"), ("Accept", "text/html,*/*"), ("Accept-Encoding", "gzip"))
_PAST_CACHE = (("Cache-Control", "no-cache"), ("Pragma", "no-cache"))


@dataclass
class _Visit:
    """One look under way: who, at what, by when, and how far it has come."""

    resolver: Server
    place: Place
    connect_to: str
    headers: Sequence[tuple[str, str]]
    within: Deadline
    progress: Progress
    expect: Expect = Expect.PAGE


class WebObservers:
    """The observers of a site file, on one event loop in a thread of its own until :meth:`close`.

    Safe to call from any thread. Each look is as fresh as a new user's: DNS through the observer's resolver (IPv4, or
    IPv6 where there is nothing else), a new connection to each address in turn, TLS verified for the public name.
    """

    def __init__(self, site: Site, home: Path, clock: Clock) -> None:
        self._page = site.page
        self._references = site.detection.references
        resolvers = {server.name: server for server in site.resolvers}
        self._resolvers = {observer.name: resolvers[observer.resolver] for observer in site.observers}
        self._clock = clock
        self._trust = trust_of(site.trust, home)
        self._loop = LoopThread(f"defib-observers-{site.site}")

    @property
    def names(self) -> tuple[str, ...]:
        """Who they are, in the order of the site file."""
        return tuple(self._resolvers)

    def look(self, aim: Aim, *, within: Deadline, only: str = "") -> tuple[Observation, ...]:
        """One observation from each, or from `only`; all over when `within` is, whatever the server does."""
        if only and only not in self._resolvers:
            raise ValueError(f"no observer is named {only!r}")
        return self._loop.run(self._look_all((only,) if only else self.names, aim, within))

    def online(self, *, within: Deadline) -> tuple[bool, ...]:
        """Whether each observer gets any HTTP answer over verified TLS from at least one reference site."""
        return self._loop.run(self._online_all(within))

    def close(self) -> None:
        """End the looks under way and the event loop. Idempotent."""
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    async def _look_all(self, names: Sequence[str], aim: Aim, within: Deadline) -> tuple[Observation, ...]:
        return tuple(await asyncio.gather(*(self._look(name, aim, within) for name in names)))

    async def _look(self, name: str, aim: Aim, within: Deadline) -> Observation:
        at, started, allowed = self._clock.now(), self._clock.monotonic(), within.remaining()
        visit = self._visit(self._resolvers[name], aim, within)
        if allowed <= timedelta(0):
            judgement = Judgement(Health.UNKNOWN, "no time was left to look")
        else:
            try:
                async with asyncio.timeout(allowed.total_seconds()):
                    judgement = await self._judged(visit, started)
            except TimeoutError:
                judgement = Judgement(Health.BAD, f"{visit.progress.text()} within {seconds(allowed)}")
        took = self._clock.monotonic() - started
        # What the server said ends up on terminals, in journals and on command lines: it is made harmless here, once.
        reason, address, server = plain(judgement.reason), plain(visit.progress.address), plain(judgement.server)
        return Observation(name, at, took, judgement.health, reason, address, judgement.build, server)

    def _visit(self, resolver: Server, aim: Aim, within: Deadline) -> _Visit:
        url = aim.url
        if aim.past_cache:
            url += f"{'&' if '?' in url else '?'}defib-look={uuid4().hex}"
        headers = (*_ALWAYS, *_PAST_CACHE) if aim.past_cache else _ALWAYS
        return _Visit(resolver, Place.of(url), aim.connect_to, headers, within, Progress(), aim.expect)

    async def _judged(self, visit: _Visit, started: timedelta) -> Judgement:
        try:
            answered = await self._answer(visit)
        except ssl.SSLCertVerificationError as error:
            return Judgement(Health.BAD, await self._certificate_reason(visit, error))
        except (OSError, NoAnswer, ValueError) as error:  # ValueError: an answer that a parser did not expect
            health = Health.UNKNOWN if is_ours(error) else Health.BAD
            return Judgement(health, connection_reason(error))
        took = self._clock.monotonic() - started
        return judge(
            Fetched(answered.status, answered.headers, answered.body, took, answered.promised, answered.complete),
            self._page,
            visit.expect,
        )

    async def _answer(self, visit: _Visit, *, only_head: bool = False) -> Answered:
        connection = await self._connected(visit, await self._where(visit))
        try:
            return await request(connection, headers=visit.headers, only_head=only_head)
        finally:
            connection.close()

    async def _where(self, visit: _Visit) -> tuple[str, ...]:
        host = visit.connect_to or visit.place.host
        if is_address(host):
            return (host,)
        visit.progress.stage = f"DNS: no answer from {visit.resolver.name}"
        found = await addresses(visit.resolver, host, self._trust, visit.within)
        visit.progress.stage = "no answer"
        return found

    async def _connected(self, visit: _Visit, where: Sequence[str]) -> Connection:
        """A connection to the first address that takes one; a silent one gets its share of what time is left."""
        *others, last = where
        for number, address in enumerate(others):
            share = visit.within.remaining() / (len(where) - number)
            try:
                async with asyncio.timeout(share.total_seconds()):
                    return await connect(address, visit.place, self._trust, visit.progress)
            except ssl.SSLError:
                raise  # it answered, and wrongly: a browser does not go on to the next either
            except OSError as error:
                if is_ours(error):
                    raise
        return await connect(last, visit.place, self._trust, visit.progress)

    async def _certificate_reason(self, visit: _Visit, error: ssl.SSLCertVerificationError) -> str:
        try:
            # To tell what is wrong is a courtesy: it may take half of what time is left.
            async with asyncio.timeout(visit.within.remaining().total_seconds() / 2):
                certificate = await shown_certificate(visit.progress.address, visit.place)
        except TimeoutError:
            certificate = None
        return certificate_reason(error, certificate, self._clock.now())

    async def _online_all(self, within: Deadline) -> tuple[bool, ...]:
        resolvers = self._resolvers.values()
        return tuple(await asyncio.gather(*(self._online(resolver, within) for resolver in resolvers)))

    async def _online(self, resolver: Server, within: Deadline) -> bool:
        tasks = [asyncio.create_task(self._reaches(resolver, url, within)) for url in self._references]
        try:
            async with asyncio.timeout(within.remaining().total_seconds()):
                for first in asyncio.as_completed(tasks):
                    if await first:
                        return True
        except TimeoutError:
            return False
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return False

    async def _reaches(self, resolver: Server, url: str, within: Deadline) -> bool:
        try:
            await self._answer(self._visit(resolver, Aim(url), within), only_head=True)
        except (OSError, NoAnswer, ValueError):
            return False
        return True
