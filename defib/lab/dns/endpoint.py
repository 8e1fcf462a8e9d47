"""One DNS listener: UDP and TCP on the same address and port, in the running event loop."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable
from enum import StrEnum

from defib.errors import LabDown, PortTaken

_IDLE = 30.0
"""Seconds after which a TCP connection without a question is closed (RFC 7766, section 6.2.3)."""

_ATTEMPTS = 16
"""How often a free port is drawn, where any will do, until both UDP and TCP get it."""


class Via(StrEnum):
    """How a message came in."""

    UDP = "udp"
    TCP = "tcp"
    HTTPS = "https"


Answerer = Callable[[bytes, Via], Awaitable[bytes | None]]
"""Gives the reply to one message, or None to say nothing."""


def bound(kind: socket.SocketKind, address: str, port: int) -> socket.socket:
    """A non-blocking socket bound to `address` and `port`; :class:`PortTaken` if somebody else has it."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.socket(family, kind)
    try:
        made.setblocking(False)
        if kind == socket.SOCK_STREAM:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((address, port))
        if kind == socket.SOCK_STREAM:
            # Two sockets may bind with SO_REUSEADDR as long as none listens: only listening tells.
            made.listen(128)
    except OSError as error:
        made.close()
        raise _told(error, kind, address, port) from error
    return made


def _told(error: OSError, kind: socket.SocketKind, address: str, port: int) -> PortTaken | LabDown:
    protocol = "TCP" if kind == socket.SOCK_STREAM else "UDP"
    if error.errno == errno.EADDRINUSE:
        return PortTaken(
            f"port {port} on {address} is in use",
            where=f"{address}:{port} ({protocol})",
            expected="a free port",
            seen=str(error.strerror),
            then="defib lab down, or choose another network for the lab",
        )
    return LabDown(
        f"cannot listen on {address}",
        where=f"{address}:{port} ({protocol})",
        seen=str(error.strerror),
        then="choose another network for the lab",
    )


class Endpoint:
    """A UDP and TCP listener that hands every message to `answerer`.

    With port 0 the system chooses one, and `port` tells it once started. While `closed`, UDP is dropped and
    TCP connections are reset, as behind a firewall. `closed` may be set from any thread.
    """

    def __init__(self, address: str, port: int, answerer: Answerer) -> None:
        self.address = address
        self.port = port
        self.closed = False
        self._answerer = answerer
        self._udp: asyncio.DatagramTransport | None = None
        self._tcp: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen; raises :class:`PortTaken` and holds nothing then."""
        udp, tcp = self._sockets()
        self.port = tcp.getsockname()[1]
        loop = asyncio.get_running_loop()
        self._udp, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), sock=udp)
        self._tcp = await asyncio.start_server(self._converse, sock=tcp)

    async def stop(self) -> None:
        """Stop listening, drop open connections and unanswered questions. Safe to repeat."""
        if self._udp is not None:
            self._udp.close()
        if self._tcp is not None:
            self._tcp.close()
        self._udp = self._tcp = None
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _sockets(self) -> tuple[socket.socket, socket.socket]:
        for attempt in range(1, _ATTEMPTS + 1):
            tcp = bound(socket.SOCK_STREAM, self.address, self.port)
            try:
                return bound(socket.SOCK_DGRAM, self.address, tcp.getsockname()[1]), tcp
            except PortTaken:
                tcp.close()
                if self.port != 0 or attempt == _ATTEMPTS:
                    raise
        raise AssertionError("the last attempt returns or raises")

    def received(self, wire: bytes, sender: tuple[str, int]) -> None:
        """Take one datagram; the reply goes out when it is ready."""
        if not self.closed:
            self._keep(asyncio.ensure_future(self._reply(wire, sender)))

    def _keep(self, task: asyncio.Task[None]) -> None:
        # The event loop holds its tasks weakly; without a reference one could vanish in the middle.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _reply(self, wire: bytes, sender: tuple[str, int]) -> None:
        reply = await self._answerer(wire, Via.UDP)
        if reply is not None and self._udp is not None and not self.closed:
            self._udp.sendto(reply, sender)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "asyncio runs connections as tasks"
        self._keep(task)
        try:
            await self._answer_stream(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, TimeoutError):
            return  # The client has gone or fallen silent: the normal end of a connection.
        finally:
            writer.transport.abort() if self.closed else writer.close()

    async def _answer_stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not self.closed:
            async with asyncio.timeout(_IDLE):
                size = int.from_bytes(await reader.readexactly(2), "big")
                wire = await reader.readexactly(size)
            reply = await self._answerer(wire, Via.TCP)
            if reply is not None and not self.closed:
                writer.write(len(reply).to_bytes(2, "big") + reply)
                await writer.drain()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._endpoint.received(data, addr)
