"""A web server of the lab that can be broken: what edges, hosts and the sites of other people have in common."""

from __future__ import annotations

import ssl
from email.utils import format_datetime
from typing import Protocol

from defib.clock import Clock
from defib.lab.faults import Fault, FaultSwitch
from defib.lab.faulty import connect_as
from defib.lab.web import Handler, WebServer


class Identity(Protocol):
    """What a server shows of itself in TLS, and how that goes wrong."""

    @property
    def context(self) -> ssl.SSLContext:
        """What the server listens with."""
        ...

    def show_right(self) -> None:
        """Show the certificates that clients expect to every new connection."""
        ...

    def show_expired(self) -> None:
        """Show certificates for the right names that have ended."""
        ...

    def show_wrong(self) -> None:
        """Show a valid certificate for somebody else's name."""
        ...


class SiteServer:
    """One HTTPS server under one identity. The faults of connection and certificate act here, all others in `handler`."""

    def __init__(self, address: str, port: int, handler: Handler, identity: Identity) -> None:
        self.web = WebServer(address, port, handler, identity.context)
        self.switch = FaultSwitch()
        self._identity = identity

    async def start(self) -> None:
        """Listen."""
        await self.web.start()

    async def stop(self) -> None:
        """Stop listening, and reset every connection."""
        await self.web.stop()

    async def set_fault(self, fault: Fault | None) -> None:
        """Put `fault` in force in place of any other; None heals."""
        self.switch.set(fault)
        self._show(fault.name if fault is not None else "")
        await connect_as(self.web, fault)

    def _show(self, fault: str) -> None:
        if fault == "expired-certificate":
            self._identity.show_expired()
        elif fault == "wrong-certificate":
            self._identity.show_wrong()
        else:
            self._identity.show_right()


def http_date(clock: Clock) -> str:
    """Now, as HTTP writes it."""
    return format_datetime(clock.now(), usegmt=True)
