"""A site that breaks on command at a known instant, and the names and reference sites that its observers need."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from defib.clock import Clock, SystemClock
from defib.lab.background import BackgroundLoop
from defib.lab.certificates import LabAuthority
from defib.lab.content import make_build
from defib.lab.dns.authority import Authority
from defib.lab.dns.zone import PublishedSet, PublishedZone
from defib.lab.faults import Fault
from defib.lab.others import Reference
from defib.lab.plan import AddressPlan
from defib.lab.siteserver import SiteServer
from defib.lab.web import Request, Response
from defib.sites.vendors import Server

NAME = "www.pulse-trading.test"
CONTAINS = "<title>Pulse Trading</title>"
REFERENCES = ("reference-one.test", "reference-two.test")
PATIENCE = timedelta(seconds=30)
"""No tool needs as long to see that all is well, or that it no longer is."""

_NET = "127.98"
_PARKED = b"<!DOCTYPE html><title>Parked</title><p>This domain may be for sale.</p>\n"
_HTML = (("Content-Type", "text/html; charset=utf-8"),)


class Victim:
    """The site's only server. Every request that reaches it wakes whoever waits in :meth:`next_request`."""

    def __init__(self, loop: BackgroundLoop, authority: LabAuthority, clock: Clock) -> None:
        page = make_build(clock.now() - timedelta(minutes=15), "1.5.0").get("index.html")
        assert page is not None, "the lab's build has a page"
        self._page = page.body
        self._loop = loop
        self._asked = threading.Event()
        self.server = SiteServer(AddressPlan(_NET).at("3.1"), 0, self._answer, authority.identity(NAME))

    @property
    def address(self) -> str:
        """Where it listens."""
        return self.server.web.address

    @property
    def port(self) -> int:
        """Where it listens, also while it refuses."""
        return self.server.web.port

    def next_request(self, within: timedelta) -> bool:
        """Wait for the next request that it answers; False if none came."""
        self._asked.clear()
        return self._asked.wait(within.total_seconds())

    def set_fault(self, name: str) -> None:
        """Put a fault of the lab's web servers in force, or heal with ""."""
        self._loop.run(self.server.set_fault(Fault(name) if name else None))

    async def _answer(self, _request: Request) -> Response:
        self._asked.set()
        fault = self.server.switch.spend()
        if fault is not None and fault.name == "5xx":
            return Response(503, _HTML, b"<h1>Service Unavailable</h1>\n")
        if fault is not None and fault.name == "wrong-page":
            return Response(200, _HTML, _PARKED)
        return Response(200, _HTML, self._page)


@dataclass(frozen=True)
class Surroundings:
    """The victim; the folder that holds ``ca.pem``; the one name server; the URLs of the reference sites."""

    victim: Victim
    folder: Path
    resolver: Server
    references: tuple[str, ...]


@contextmanager
def surroundings(folder: Path) -> Iterator[Surroundings]:
    """The victim and what belongs to it, on loopback, until the context ends."""
    clock = SystemClock()
    authority = LabAuthority(clock)
    (folder / "ca.pem").write_bytes(authority.pem)
    plan = AddressPlan(_NET)
    with BackgroundLoop() as loop:
        victim = Victim(loop, authority, clock)
        others = [Reference(plan.at(f"7.{n}"), 0, name, authority).server for n, name in enumerate(REFERENCES, 1)]
        names = Authority("resolver", plan.at("6.1"), 0)
        addresses = {NAME: victim.address} | dict(zip(REFERENCES, (each.web.address for each in others), strict=True))
        names.publish(_zone(addresses))
        servers: list[SiteServer | Authority] = [victim.server, *others, names]
        try:
            for server in servers:
                loop.run(server.start())
            urls = tuple(f"https://{name}:{each.web.port}/" for name, each in zip(REFERENCES, others, strict=True))
            resolver = Server(name=names.name, address=names.address, port=names.port)
            yield Surroundings(victim, folder, resolver, urls)
        finally:
            for server in servers:
                loop.run(server.stop())


class Strike:
    """One fault that strikes once, `phase` after a request of the tool that has called the victim healthy.

    So the fault comes at the same part of each tool's own schedule. It is healed when the context ends.
    """

    def __init__(self, victim: Victim, fault: str, phase: timedelta, clock: Clock) -> None:
        self.fault = fault
        self.at: timedelta | None = None
        self._victim = victim
        self._phase = phase
        self._clock = clock
        self._content = threading.Event()
        self._over = False
        self._thread = threading.Thread(target=self._strike, name="benchmark-strike", daemon=True)

    def allow(self) -> None:
        """The tool has seen that all is well. Idempotent."""
        self._content.set()

    def __enter__(self) -> Self:
        self._victim.set_fault("")
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over = True
        self._content.set()
        self._thread.join()
        self._victim.set_fault("")

    def _strike(self) -> None:
        self._content.wait()
        if self._over or not self._victim.next_request(PATIENCE):
            return
        self._clock.sleep(self._phase)
        # Taken before: the time that the fault itself needs is counted against the tool, a fraction of a millisecond.
        self.at = self._clock.monotonic()
        self._victim.set_fault(self.fault)


def _zone(addresses: dict[str, str]) -> PublishedZone:
    sets = tuple(PublishedSet(f"{name}.", "A", timedelta(seconds=3), (address,)) for name, address in addresses.items())
    return PublishedZone.with_apex("test.", sets, server="ns.test.")
