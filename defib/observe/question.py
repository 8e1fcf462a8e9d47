"""One DNS question to one server: over UDP, then TCP, then HTTPS where the server speaks it.

A way that fails makes room for the next at once; a way that is silent gets company after a quarter of the time, and the
first usable answer wins. So a closed or filtered port 53 costs a part of the deadline, not all of it.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype

from defib.clock import Deadline
from defib.observe import fetch
from defib.observe.failure import NoAnswer, connection_reason, is_ours
from defib.sites.vendors import Server

_PAYLOAD = 1232  # the size that fits every path unfragmented: DNS Flag Day 2020
_PATIENCE = 4  # the part of the deadline that one silent way has to itself: a quarter
_HTTP_OK = 200


@dataclass(frozen=True)
class Reply:
    """A server's answer, and the way it came: ``udp``, ``tcp`` or ``https``."""

    message: dns.message.Message
    via: str


Way = tuple[str, Callable[[], Awaitable[dns.message.Message]]]


async def ask(server: Server, name: str, kind: str, trust: ssl.SSLContext, *, recursive: bool, within: Deadline) -> Reply:
    """The answer of `server` for `name` and record type `kind`.

    :class:`NoAnswer` if no way leads to one, OSError if this machine lacks a resource. The caller enforces the deadline;
    `within` only says how long it is.
    """
    try:
        query = dns.message.make_query(name, kind, use_edns=0, payload=_PAYLOAD)
    except dns.exception.DNSException as error:
        raise NoAnswer(f"{name!r} is not a name") from error
    if not recursive:
        query.flags &= ~dns.flags.RD
    ways: list[Way] = [("udp", lambda: _udp(query, server)), ("tcp", lambda: _tcp(query, server))]
    if server.doh:
        ways.append(("https", lambda: _https(query, server, trust)))
    return await _first(ways, within.remaining().total_seconds() / _PATIENCE)


async def _first(ways: Sequence[Way], patience: float) -> Reply:
    running: dict[asyncio.Task[dns.message.Message], str] = {}
    failures: list[str] = []
    waiting = list(ways)
    try:
        while waiting or running:
            if waiting:
                via, way = waiting.pop(0)
                running[asyncio.ensure_future(way())] = via
            done, _ = await asyncio.wait(running, timeout=patience if waiting else None, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                via = running.pop(task)
                try:
                    return Reply(task.result(), via)
                except (OSError, EOFError, dns.exception.DNSException, NoAnswer, ValueError) as error:
                    if is_ours(error):
                        raise
                    failures.append(f"{via}: {_words(error)}")
    finally:
        await _dismiss(running)
    raise NoAnswer("; ".join(failures))


async def _dismiss(tasks: dict[asyncio.Task[dns.message.Message], str]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _words(error: Exception) -> str:
    if isinstance(error, OSError | NoAnswer):
        return connection_reason(error)
    if isinstance(error, EOFError):
        return "connection closed without an answer"
    return f"not a DNS answer ({error})"


class _Datagram(asyncio.DatagramProtocol):
    """Waits on a connected socket for the answer to one query; anything else that arrives is noise."""

    def __init__(self, query: dns.message.Message) -> None:
        self._query = query
        self.answer: asyncio.Future[dns.message.Message] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002  asyncio's signature
        try:
            message = dns.message.from_wire(data)
        except dns.exception.DNSException:
            return  # noise: the answer may still come
        if not self._query.is_response(message) or self.answer.done():
            return
        if message.flags & dns.flags.TC:
            self._fail(NoAnswer("answer too long"))
        else:
            self.answer.set_result(message)

    def error_received(self, exc: Exception) -> None:
        self._fail(exc)

    def _fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


async def _udp(query: dns.message.Message, server: Server) -> dns.message.Message:
    loop = asyncio.get_running_loop()
    # Connected, so that a closed port is told at once, and only this server's answers come in.
    transport, protocol = await loop.create_datagram_endpoint(
        lambda: _Datagram(query), remote_addr=(server.address, server.port)
    )
    try:
        transport.sendto(query.to_wire())
        return await protocol.answer
    finally:
        transport.close()


async def _tcp(query: dns.message.Message, server: Server) -> dns.message.Message:
    return await dns.asyncquery.tcp(query, server.address, port=server.port)


async def _https(query: dns.message.Message, server: Server, trust: ssl.SSLContext) -> dns.message.Message:
    """RFC 8484. Connects to the server's address: its name is not looked up through the DNS that may be down."""
    place = fetch.Place.of(server.doh)
    address = place.host if fetch.is_address(place.host) else server.address
    connection = await fetch.connect(address, place, trust, fetch.Progress())
    try:
        answered = await fetch.request(
            connection,
            method="POST",
            headers=[("Content-Type", "application/dns-message"), ("Accept", "application/dns-message")],
            body=query.to_wire(),
        )
    finally:
        connection.close()
    if answered.status != _HTTP_OK or not answered.complete:
        raise NoAnswer(f"HTTP {answered.status}" if answered.complete else "answer cut off")
    message = dns.message.from_wire(answered.body)
    if not query.is_response(message):
        raise NoAnswer("answer to another question")
    return message


async def addresses(server: Server, name: str, trust: ssl.SSLContext, within: Deadline) -> tuple[str, ...]:
    """The addresses that `server` gives for `name`: the IPv4 ones, or the IPv6 ones where there are no others.

    :class:`NoAnswer` with a reason for people where there are none.
    """
    found: list[str] = []
    for kind in ("A", "AAAA"):
        try:
            reply = await ask(server, name, kind, trust, recursive=True, within=within)
        except NoAnswer as error:
            raise NoAnswer(f"DNS: no answer from {server.name} ({error})") from error
        code = reply.message.rcode()
        if code == dns.rcode.NXDOMAIN:
            raise NoAnswer(f"DNS: {name} does not exist, says {server.name}")
        if code != dns.rcode.NOERROR:
            raise NoAnswer(f"DNS: {server.name} answers {dns.rcode.to_text(code)}")
        wanted = dns.rdatatype.from_text(kind)
        found += [item.to_text() for rrset in reply.message.answer if rrset.rdtype == wanted for item in rrset]
        if found:
            return tuple(found)
    raise NoAnswer(f"DNS: {name} has no address, says {server.name}")
