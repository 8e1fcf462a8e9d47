"""A web server of the lab that can be broken: what edges, the origin and the reference sites have in common."""

from __future__ import annotations

from defib.lab.certificates import ServerIdentity
from defib.lab.faults import Fault, FaultSwitch
from defib.lab.web import Handler, WebServer


class SiteServer:
    """One HTTPS server under one identity. The faults of connection and certificate act here, all others in `handler`."""

    def __init__(self, address: str, port: int, handler: Handler, identity: ServerIdentity) -> None:
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
        name = fault.name if fault is not None else ""
        self._show(name)
        await self.web.hang(hanging=name == "hang")
        if name == "refuse":
            await self.web.stop()
        else:
            await self.web.start()

    def _show(self, fault: str) -> None:
        if fault == "expired-certificate":
            self._identity.show_expired()
        elif fault == "wrong-certificate":
            self._identity.show_wrong()
        else:
            self._identity.show_right()
