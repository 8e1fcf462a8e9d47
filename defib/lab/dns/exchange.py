"""One question to one name server, over UDP and, if the answer was cut, over TCP."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import dns.exception
import dns.flags
import dns.message
from dns.message import Message, QueryMessage

Server = tuple[str, int]
"""Address and port."""


@dataclass(frozen=True)
class Reply:
    """An answer and the moment it came in, in seconds on the event loop's clock."""

    message: Message
    at: float


async def ask(query: QueryMessage, server: Server, patience: float, source: str) -> Reply:
    """Send `query` from the address `source`; raises OSError (TimeoutError after `patience` seconds)."""
    async with asyncio.timeout(patience):
        reply = await _ask_udp(query, server, source)
        if reply.message.flags & dns.flags.TC:
            return await _ask_tcp(query, server, source)
        return reply


async def _ask_udp(query: QueryMessage, server: Server, source: str) -> Reply:
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[Reply] = loop.create_future()
    # A connected socket: the system drops what others send, and reports a refusal at once.
    transport, _ = await loop.create_datagram_endpoint(
        lambda: _Waiter(query, answered), local_addr=(source, 0), remote_addr=server
    )
    try:
        transport.sendto(query.to_wire())
        return await answered
    finally:
        transport.close()


async def _ask_tcp(query: QueryMessage, server: Server, source: str) -> Reply:
    reader, writer = await asyncio.open_connection(*server, local_addr=(source, 0))
    try:
        writer.write(query.to_wire(prepend_length=True))
        size = int.from_bytes(await reader.readexactly(2), "big")
        message = dns.message.from_wire(await reader.readexactly(size))
        at = asyncio.get_running_loop().time()
    except (EOFError, dns.exception.DNSException) as error:
        raise ConnectionError(f"no usable answer over TCP from {server[0]}: {error}") from error
    finally:
        writer.close()
    if not query.is_response(message):
        raise ConnectionError(f"an answer to another question over TCP from {server[0]}")
    return Reply(message, at)


class _Waiter(asyncio.DatagramProtocol):
    def __init__(self, query: QueryMessage, answered: asyncio.Future[Reply]) -> None:
        self._query = query
        self._answered = answered

    def datagram_received(self, data: bytes, addr: Server) -> None:  # noqa: ARG002 (asyncio's signature)
        at = asyncio.get_running_loop().time()
        try:
            message = dns.message.from_wire(data)
        except dns.exception.DNSException:
            return  # Not the answer, which may still come (RFC 5452, section 9.1).
        if self._query.is_response(message) and not self._answered.done():
            self._answered.set_result(Reply(message, at))

    def error_received(self, exc: Exception) -> None:
        if not self._answered.done():
            self._answered.set_exception(exc)
