"""A running event loop for DNS servers under test, and the questions that tests put to them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Protocol, TypeVar

import dns.message
import dns.query
import dns.rdatatype
from dns.message import Message

from defib.clock import Deadline, SystemClock
from defib.lab.dns.zone import PublishedSet, PublishedZone

T = TypeVar("T")

CLOCK = SystemClock()
SECOND = timedelta(seconds=1)


class Server(Protocol):
    """Anything of the lab that starts and stops in the event loop."""

    @property
    def address(self) -> str: ...

    @property
    def port(self) -> int: ...

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


S = TypeVar("S", bound=Server)


class Stage:
    """An event loop in a thread of its own, and the servers that were started in it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._servers: list[Server] = []

    def run(self, work: Coroutine[object, object, T]) -> T:
        """Do `work` in the loop and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def start(self, server: S) -> S:
        """Start `server`; it is stopped with the stage."""
        self.run(server.start())
        self._servers.append(server)
        return server

    def close(self) -> None:
        """Stop every server; nothing may be left running in the loop."""
        for server in reversed(self._servers):
            self.run(server.stop())
        self.run(self._settle())

    async def _settle(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            _, left = await asyncio.wait(others, timeout=5)
            assert not left, f"still running after stop: {left}"


@contextmanager
def stage() -> Iterator[Stage]:
    """A stage for one test."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    made = Stage(loop)
    try:
        yield made
        made.close()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def record(name: str, rdtype: str, *values: str, ttl: int = 60, weight: int | None = None) -> PublishedSet:
    """One record set."""
    return PublishedSet(name, rdtype, timedelta(seconds=ttl), values, weight)


def zone(origin: str, *sets: PublishedSet, negative_ttl: int = 60, serial: int = 1) -> PublishedZone:
    """A zone with an apex."""
    return PublishedZone.with_apex(
        origin, sets, server="ns.lab.test.", serial=serial, negative_ttl=timedelta(seconds=negative_ttl)
    )


def question(name: str, rdtype: str = "A", *, edns: int | None = None) -> Message:
    """A question as a stub resolver asks it."""
    return dns.message.make_query(name, rdtype, use_edns=edns is not None, payload=edns or 0)


def ask(server: Server, name: str, rdtype: str = "A", *, edns: int | None = None, timeout: float = 5) -> Message:
    """One question over UDP, answered or TimeoutError's kin of dnspython raised."""
    return dns.query.udp(question(name, rdtype, edns=edns), server.address, timeout, server.port)


def ask_tcp(server: Server, name: str, rdtype: str = "A", *, timeout: float = 5) -> Message:
    """One question over TCP."""
    return dns.query.tcp(question(name, rdtype), server.address, timeout, server.port)


def values(reply: Message, rdtype: str = "A") -> list[str]:
    """The values of that type in the answer section, sorted."""
    wanted = dns.rdatatype.from_text(rdtype)
    return sorted(rdata.to_text() for rrset in reply.answer if rrset.rdtype == wanted for rdata in rrset)


def wait_for_values(server: Server, name: str, rdtype: str, expected: list[str], within: timedelta = 60 * SECOND) -> None:
    """Ask until `expected` is the answer; fails after `within`."""
    deadline = Deadline.after(CLOCK, within)
    while (seen := values(ask(server, name, rdtype), rdtype)) != expected:
        assert not deadline.expired(), f"still {seen} after {within}"
        CLOCK.sleep(timedelta(milliseconds=2))
