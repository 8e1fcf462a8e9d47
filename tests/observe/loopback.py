"""A small piece of the internet on loopback for the tests of the observers: TLS servers, DNS servers, a site."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rrset
import trustme

from defib.clock import Deadline, SystemClock
from defib.observe.loop import LoopThread
from defib.sites.site import Site
from defib.sites.vendors import Server
from tests.ports import free_port

NAME = "www.pulse.test"
BUILD = "a" * 40
BUILT = "2026-01-01T10:00:00+00:00"
PAGE = f'<title>Pulse</title><meta name="build" content="{BUILD} {BUILT}">'.encode()
SECURITY = {"X-Frame-Options": "DENY", "Content-Security-Policy": "default-src 'self'; img-src  data:;"}

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def within(seconds: float) -> Deadline:
    """A deadline on the machine's clock."""
    return Deadline.after(SystemClock(), timedelta(seconds=seconds))


def response(body: bytes, headers: Mapping[str, str], status: str = "200 OK", promised: int | None = None) -> bytes:
    """An HTTP answer; `promised` lies about the length."""
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers.items())]
    length = len(body) if promised is None else promised
    return "\r\n".join([*lines, f"Content-Length: {length}", "", ""]).encode() + body


def serving(
    body: bytes = PAGE, headers: Mapping[str, str] = SECURITY, status: str = "200 OK", promised: int | None = None
) -> Handler:
    """Answers each request with one page and closes."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(response(body, headers, status, promised))
        await writer.drain()

    return handle


def zipped(body: bytes = PAGE) -> Handler:
    """Answers with a compressed page."""
    return serving(gzip.compress(body), {**SECURITY, "Content-Encoding": "gzip"})


def dripping(every: float) -> Handler:
    """Sends a whole page, one byte each `every` seconds."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        whole = response(PAGE, SECURITY)
        head = whole.index(b"\r\n\r\n") + 4
        writer.write(whole[:head])
        for byte in whole[head:]:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(every)

    return handle


async def hanging(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Takes the request and never answers."""
    while await reader.read(65536):
        pass


async def blurting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers before it was asked, in plain text."""
    writer.write(response(b"", {}, "400 Bad Request"))
    await writer.drain()


async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Takes the request and closes."""
    await reader.readuntil(b"\r\n\r\n")


@dataclass
class Requests:
    """What a server was asked, in order."""

    heads: list[str] = field(default_factory=list)

    def handler(self) -> Handler:
        """Serves the good page and remembers the request."""

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
            writer.write(response(PAGE, SECURITY))
            await writer.drain()

        return handle


@dataclass
class Zone:
    """What a DNS server of the tests answers, and how badly it behaves."""

    records: dict[tuple[str, str], tuple[int, list[str]]] = field(default_factory=dict)
    authoritative: bool = False
    rcode: int = dns.rcode.NOERROR
    udp_silent: bool = False
    udp_truncates: bool = False
    tcp_silent: bool = False
    asked: list[tuple[str, str, bool]] = field(default_factory=list)

    def answer(self, wire: bytes, via: str) -> bytes:
        """The answer to one question."""
        query = dns.message.from_wire(wire)
        question = query.question[0]
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append((via, kind, bool(query.flags & dns.flags.RD)))
        reply = dns.message.make_response(query)
        reply.set_rcode(dns.rcode.Rcode(self.rcode))
        reply.flags |= dns.flags.AA if self.authoritative else dns.flags.RA
        if via == "udp" and self.udp_truncates:
            reply.flags |= dns.flags.TC
            return reply.to_wire()
        name = question.name.to_text().lower()
        if self.rcode == dns.rcode.NOERROR and not any(owner == name for owner, _ in self.records):
            reply.set_rcode(dns.rcode.NXDOMAIN)
        while name:
            ttl, values = self.records.get((name, kind), (0, []))
            if values:
                reply.answer.append(dns.rrset.from_text(name, ttl, "IN", kind, *values))
                break
            ttl, targets = self.records.get((name, "CNAME"), (0, []))
            if targets:
                reply.answer.append(dns.rrset.from_text(name, ttl, "IN", "CNAME", *targets))
            name = targets[0] if targets else ""
        return reply.to_wire()


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, zone: Zone) -> None:
        self._zone = zone

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport  # asyncio's own is no DatagramTransport to isinstance

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if not self._zone.udp_silent:
            self._transport.sendto(self._zone.answer(data, "udp"), addr)


class Loopback:
    """Runs the servers of one test on one event loop; everything ends with it."""

    def __init__(self, folder: Path) -> None:
        self.ca = trustme.CA()
        self.home = folder
        self.ca.cert_pem.write_to_path(str(folder / "ca.pem"))
        self._loop = LoopThread("test-servers")
        self._closers: list[Callable[[], None]] = []

    def certificate(self, *names: str, ca: trustme.CA | None = None, **validity: Any) -> ssl.SSLContext:
        """A server's TLS settings with a fresh certificate for `names`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        (ca or self.ca).issue_cert(*names, **validity).configure_cert(context)
        return context

    def serve(self, handler: Handler, tls: ssl.SSLContext | None, address: str = "127.0.0.1", port: int = 0) -> int:
        """Serve on `port` of `address`, or on a free one; gives the port."""
        return self._loop.run(self._serve(handler, tls, address, port))

    def dns(self, zone: Zone, *, udp: bool = True, tcp: bool = True, name: str = "resolver", doh: str = "") -> Server:
        """Serve a zone over UDP and TCP on one port; what is left out is closed."""
        port = self._loop.run(self._dns(zone, udp, tcp))
        return Server(name=name, address="127.0.0.1", port=port, doh=doh)

    def doh(self, zone: Zone) -> str:
        """Serve a zone over HTTPS; gives the URL."""

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(head.split("content-length:")[1].split()[0])
            answer = zone.answer(await reader.readexactly(length), "https")
            writer.write(response(answer, {"Content-Type": "application/dns-message"}))
            await writer.drain()

        return f"https://127.0.0.1:{self.serve(handle, self.certificate('127.0.0.1'))}/dns-query"

    def close(self) -> None:
        """End all servers."""
        for closer in self._closers:
            self._loop.run(_call(closer))
        self._loop.close()

    async def _serve(self, handler: Handler, tls: ssl.SSLContext | None, address: str, port: int = 0) -> int:
        async def polite(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                with suppress(OSError, EOFError):
                    await handler(reader, writer)
            finally:
                writer.transport.abort() if handler is hanging else writer.close()

        server = await asyncio.start_server(polite, address, port, ssl=tls)
        self._closers.append(server.close)
        return int(server.sockets[0].getsockname()[1])

    async def _dns(self, zone: Zone, udp: bool, tcp: bool) -> int:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            length = int.from_bytes(await reader.readexactly(2), "big")
            wire = await reader.readexactly(length)
            if zone.tcp_silent:
                await hanging(reader, writer)
            answer = zone.answer(wire, "tcp")
            writer.write(len(answer).to_bytes(2, "big") + answer)
            await writer.drain()

        port = await self._serve(handle, None, "127.0.0.1") if tcp else free_port()
        if udp:
            transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: _Udp(zone), local_addr=("127.0.0.1", port)
            )
            self._closers.append(transport.close)
        return port


async def _call(closer: Callable[[], None]) -> None:
    closer()


@contextmanager
def loopback(folder: Path) -> Iterator[Loopback]:
    """The small internet, for the length of a test."""
    world = Loopback(folder)
    try:
        yield world
    finally:
        world.close()


def site_with(
    url: str,
    resolvers: list[Server],
    references: tuple[str, ...] = ("https://one.test/", "https://two.test/"),
    servers: list[Server] | None = None,
    trust: str = "ca.pem",
    page: Mapping[str, Any] | None = None,
    **detection: Any,
) -> Site:
    """A site whose observers use `resolvers`, one each."""
    return Site.model_validate(
        {
            "site": "pulse",
            "title": "Pulse",
            "objectives": {"rto": "4h", "rpo": "1h"},
            "page": {
                "url": url,
                "contains": "<title>Pulse</title>",
                "build": '<meta name="build" content="(?P<id>[0-9a-f]+) (?P<built>[^"]*)">',
                "headers": {"X-Frame-Options": "DENY", "content-security-policy": "default-src 'self'; img-src data:;"},
                **(page or {}),
            },
            "origin": {"url": "https://origin.pulse.test/"},
            "dns": {
                "provider": "route53",
                "zone": "pulse.test",
                "zone_id": "Z1",
                "servers": servers or [Server(name="ns-1", address="127.0.0.1", port=free_port())],
            },
            "steering": {"name": NAME, "ttl": "60s"},
            "cdns": [
                {"name": "one", "provider": "cloudfront", "role": "primary", "hostname": "a.test", "distribution": "E1"},
                {"name": "two", "provider": "cloudfront", "role": "secondary", "hostname": "b.test", "distribution": "E2"},
            ],
            "resolvers": resolvers,
            "observers": [{"name": f"from-{server.name}", "resolver": server.name} for server in resolvers],
            "detection": {"references": references, "quorum": 1, **detection},
            "verification": {"resolvers_moved": 1},
            "trust": trust,
        }
    )
