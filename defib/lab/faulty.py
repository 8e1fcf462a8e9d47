"""A plain HTTP server of the lab that refuses, hangs or fails on demand."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from defib.lab.faults import Fault, FaultSwitch
from defib.lab.web import Request, Response, WebServer

FAULTS = ("refuse", "hang", "500")


class FaultyServer:
    """One server under `handler`. What it answers while it is broken with 500 is its own."""

    def __init__(self, address: str, port: int, handler: Callable[[Request], Awaitable[Response]], broken: Response) -> None:
        self.web = WebServer(address, port, self._answer)
        self.switch = FaultSwitch()
        self._handler = handler
        self._broken = broken

    async def start(self) -> None:
        """Listen."""
        await self.web.start()

    async def stop(self) -> None:
        """Stop listening, and reset every connection."""
        await self.web.stop()

    async def set_fault(self, fault: Fault | None) -> None:
        """Put `fault` in force in place of any other; None heals."""
        self.switch.set(fault)
        await connect_as(self.web, fault)

    async def _answer(self, request: Request) -> Response:
        fault = self.switch.spend()
        if fault is not None and fault.name == "500":
            return self._broken
        return await self._handler(request)


async def connect_as(web: WebServer, fault: Fault | None) -> None:
    """Let a server take connections as it does under `fault`: not at all, without an answer, or as all is well."""
    name = fault.name if fault is not None else ""
    await web.hang(hanging=name == "hang")
    if name == "refuse":
        await web.stop()
    else:
        await web.start()
