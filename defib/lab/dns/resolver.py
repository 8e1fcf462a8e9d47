"""A caching resolver of the lab, over UDP, TCP and HTTPS, with faults on demand."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Mapping, Sequence
from datetime import timedelta

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rdatatype
import dns.rrset
from dns.message import Message
from dns.opcode import Opcode
from dns.rcode import Rcode
from dns.rdataclass import IN

from defib.errors import InputError
from defib.lab.dns.cache import Cache, Entry
from defib.lab.dns.doh import DohServer
from defib.lab.dns.endpoint import Endpoint, Via
from defib.lab.dns.exchange import Server
from defib.lab.dns.messages import Rejected, RequestReader, rendered, reply_to
from defib.lab.dns.recursion import Recursion, Resolution, Unanswered

_PATIENCE = timedelta(milliseconds=250)


class Resolver:
    """One caching resolver. `stubs` says which servers are authoritative below which suffix.

    A record set is kept for exactly its TTL from the moment its answer came in, and a denial for the
    minimum of its SOA. `minimum_ttl` makes the resolver stubborn: what it learns from then on is kept for
    at least that long. Clients are told what is left, in whole seconds rounded down.

    Faults, settable from any thread: `port53_closed` (UDP and TCP dead, HTTPS goes on), `silent` (no answer
    by any way), `servfail`. Names outside of `stubs` are answered with REFUSED, and SERVFAIL where a CNAME
    leads there.
    """

    def __init__(
        self,
        name: str,
        address: str,
        port: int,
        stubs: Mapping[str, Sequence[Server]],
        *,
        minimum_ttl: timedelta = timedelta(0),
        patience: timedelta = _PATIENCE,
        dice: random.Random | None = None,
    ) -> None:
        self.name = name
        self.silent = False
        self.servfail = False
        self._minimum_ttl = minimum_ttl
        self._patience = patience
        self._dice = dice or random.Random()  # noqa: S311 (it chooses among servers, no secrets)
        self._stubs = {dns.name.from_text(suffix): tuple(servers) for suffix, servers in stubs.items()}
        self._reader = RequestReader()
        self._endpoint = Endpoint(address, port, self._respond)
        self._doh: list[DohServer] = []
        self._stopped: asyncio.Event | None = None
        self._tasks: set[asyncio.Task[Entry]] = set()
        self._recursion = self._fresh_recursion()

    @property
    def address(self) -> str:
        """Where it listens."""
        return self._endpoint.address

    @property
    def port(self) -> int:
        """Where it listens; with port 0 known once started."""
        return self._endpoint.port

    @property
    def port53_closed(self) -> bool:
        """Whether UDP and TCP are dead while HTTPS goes on."""
        return self._endpoint.closed

    @port53_closed.setter
    def port53_closed(self, closed: bool) -> None:
        self._endpoint.closed = closed

    @property
    def minimum_ttl(self) -> timedelta:
        """How long anything is kept at least; a change holds for what is learnt from then on."""
        return self._minimum_ttl

    @minimum_ttl.setter
    def minimum_ttl(self, minimum: timedelta) -> None:
        self._minimum_ttl = minimum
        self._recursion.cache.minimum_ttl = minimum

    async def start(self) -> None:
        """Listen; raises :class:`defib.errors.PortTaken`."""
        self._stopped = asyncio.Event()
        await self._endpoint.start()

    async def stop(self) -> None:
        """Stop listening everywhere, HTTPS included, and forget all. Safe to repeat."""
        if self._stopped is not None:
            self._stopped.set()
        await self._endpoint.stop()
        for server in self._doh:
            await server.stop()
        self._doh.clear()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.flush()

    def flush(self) -> None:
        """Forget everything, also what is being asked for at this moment. May be called from any thread."""
        self._recursion = self._fresh_recursion()

    async def serve_doh(self, address: str, port: int, ssl_context: ssl.SSLContext | None) -> int:
        """Answer at ``https://address:port/dns-query`` until :meth:`stop`; gives the port.

        Raises :class:`defib.errors.PortTaken`.
        """
        server = DohServer(self.answer)
        await server.start(address, port, ssl_context)
        self._doh.append(server)
        return server.port

    async def answer(self, wire: bytes) -> bytes:
        """Answer one DNS message as over HTTPS.

        While `silent` it hangs until the resolver stops, and raises ConnectionAbortedError then. What is
        not a DNS request raises :class:`InputError`.
        """
        reply = await self._respond(wire, Via.HTTPS)
        if reply is not None:
            return reply
        if not self.silent:
            raise InputError("not a DNS request", expected="a DNS message with QR 0", seen=f"{len(wire)} octets")
        if self._stopped is not None:
            await self._stopped.wait()
        raise ConnectionAbortedError("the resolver has stopped")

    def _fresh_recursion(self) -> Recursion:
        return Recursion(
            self._stubs,
            Cache(self._minimum_ttl),
            source=self.address,
            patience=self._patience,
            dice=self._dice,
            tasks=self._tasks,
        )

    async def _respond(self, wire: bytes, via: Via) -> bytes | None:
        asked = asyncio.get_running_loop().time()
        if self.silent:
            return None
        try:
            request = self._reader.read(wire)
        except Rejected as rejected:
            return rejected.reply
        reply = await self._reply(request, asked)
        if self.servfail:
            reply = reply_to(request, Rcode.SERVFAIL, recursive=True)
        # A fault may have set in while the authorities were asked.
        return None if self.silent else rendered(reply, request, via)

    async def _reply(self, request: Message, asked: float) -> Message:
        if request.opcode() != Opcode.QUERY or dns.rdatatype.is_metatype(request.question[0].rdtype):
            return reply_to(request, Rcode.NOTIMP, recursive=True)
        question = request.question[0]
        recursion = self._recursion
        # Without RD the asker wants to look into the cache, which resolvers deny to strangers as well.
        wanted = request.flags & dns.flags.RD and question.rdclass == IN
        if not wanted or not recursion.serves(question.name):
            return reply_to(request, Rcode.REFUSED, recursive=True)
        try:
            resolution = await recursion.resolve(question.name, question.rdtype)
        except Unanswered:
            return reply_to(request, Rcode.SERVFAIL, recursive=True)
        return _filled(reply_to(request, resolution.rcode, recursive=True), resolution, asked)


def _filled(reply: Message, resolution: Resolution, asked: float) -> Message:
    reply.answer = [_rrset(entry, asked) for entry in resolution.entries]
    denial = resolution.denial
    if denial is not None and denial.soa is not None:
        name, soa = denial.soa
        reply.authority = [dns.rrset.from_rdata_list(name, denial.left(asked), list(soa))]
    return reply


def _rrset(entry: Entry, asked: float) -> dns.rrset.RRset:
    assert entry.rdataset is not None, "the entries of a chain hold records"
    return dns.rrset.from_rdata_list(entry.name, entry.left(asked), list(entry.rdataset))
