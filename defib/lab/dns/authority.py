"""An authoritative name server of the lab, with faults on demand."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable, Iterable
from datetime import timedelta

import dns.flags
import dns.rrset
from dns.message import Message
from dns.name import Name
from dns.opcode import Opcode
from dns.rcode import Rcode
from dns.rdataclass import IN
from dns.rdatatype import RdataType

from defib.lab.dns.endpoint import Endpoint, Via
from defib.lab.dns.messages import Rejected, RequestReader, TsigKey, rendered, reply_to
from defib.lab.dns.zone import CompiledZone, Found, Placed, PublishedZone, compile_zone, look_up

Updater = Callable[[Message], Message | None]
"""Takes a verified update and gives the reply, or None to say nothing."""

_TRANSFERS = (RdataType.AXFR, RdataType.IXFR)


class Authority:
    """One authoritative server, UDP and TCP, for any number of zones.

    :meth:`publish` and the faults may be used from any thread. What is published before :meth:`start` holds
    from the start; later content takes `delay` to arrive, and a newer one is never overtaken by an older.

    Faults: `silent` says nothing at all, `refusing` answers SERVFAIL, `frozen` keeps answering what it had
    while new content waits (only the newest of each zone), to be taken up when it thaws.
    """

    def __init__(
        self,
        name: str,
        address: str,
        port: int,
        *,
        delay: timedelta = timedelta(0),
        keys: Iterable[TsigKey] = (),
        updater: Updater | None = None,
        dice: random.Random | None = None,
    ) -> None:
        self.name = name
        self.delay = delay
        self.silent = False
        self.refusing = False
        self._reader = RequestReader(keys)
        self._updater = updater
        self._dice = dice or random.Random()  # noqa: S311 (weights are drawn with it, no secrets)
        self._endpoint = Endpoint(address, port, self._answer)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()
        self._published = 0
        self._arrived: dict[Name, int] = {}
        self._zones: dict[Name, CompiledZone] = {}
        self._waiting: dict[Name, CompiledZone] | None = None

    @property
    def address(self) -> str:
        """Where it listens."""
        return self._endpoint.address

    @property
    def port(self) -> int:
        """Where it listens; with port 0 known once started."""
        return self._endpoint.port

    @property
    def frozen(self) -> bool:
        """Whether new content waits."""
        return self._waiting is not None

    @frozen.setter
    def frozen(self, frozen: bool) -> None:
        with self._lock:
            if frozen:
                self._waiting = self._waiting if self._waiting is not None else {}
            elif self._waiting is not None:
                self._zones = {**self._zones, **self._waiting}
                self._waiting = None

    async def start(self) -> None:
        """Listen; raises :class:`defib.errors.PortTaken`."""
        await self._endpoint.start()
        self._loop = asyncio.get_running_loop()

    async def stop(self) -> None:
        """Stop listening; the content stays. Safe to repeat."""
        self._loop = None
        await self._endpoint.stop()

    def publish(self, zone: PublishedZone) -> None:
        """Replace the whole content of one zone; :class:`defib.errors.InputError` if it is wrong."""
        compiled = compile_zone(zone)
        with self._lock:
            self._published += 1
            number = self._published
        loop, delay = self._loop, self.delay.total_seconds()
        if loop is None or delay <= 0:
            self._arrive(number, compiled)
        else:
            loop.call_soon_threadsafe(loop.call_later, delay, self._arrive, number, compiled)

    def _arrive(self, number: int, zone: CompiledZone) -> None:
        with self._lock:
            if self._arrived.get(zone.origin, 0) > number:
                return
            self._arrived[zone.origin] = number
            if self._waiting is not None:
                self._waiting[zone.origin] = zone
            else:
                # Swapped as a whole, so that an answer in the making keeps the content it began with.
                self._zones = {**self._zones, zone.origin: zone}

    async def _answer(self, wire: bytes, via: Via) -> bytes | None:
        if self.silent:
            return None
        try:
            request = self._reader.read(wire)
        except Rejected as rejected:
            return rejected.reply
        reply = self._reply(request)
        return rendered(reply, request, via) if reply is not None else None

    def _reply(self, request: Message) -> Message | None:
        if self.refusing:
            return reply_to(request, Rcode.SERVFAIL)
        if request.opcode() == Opcode.UPDATE:
            return self._update(request)
        return self._look_up(request)

    def _update(self, request: Message) -> Message | None:
        return self._updater(request) if self._updater is not None else reply_to(request, Rcode.NOTIMP)

    def _look_up(self, request: Message) -> Message:
        question = request.question[0]
        if question.rdclass != IN or question.rdtype in _TRANSFERS:
            return reply_to(request, Rcode.REFUSED)
        found = look_up(self._zones, question.name, question.rdtype, self._dice)
        return _reply(request, found) if found is not None else reply_to(request, Rcode.REFUSED)


def _reply(request: Message, found: Found) -> Message:
    reply = reply_to(request, found.rcode)
    if found.authoritative:
        reply.flags |= dns.flags.AA
    reply.answer = [_rrset(placed) for placed in found.answer]
    reply.authority = [_rrset(placed) for placed in found.authority]
    reply.additional = [_rrset(placed) for placed in found.additional]
    return reply


def _rrset(placed: Placed) -> dns.rrset.RRset:
    name, rdataset = placed
    return dns.rrset.from_rdata_list(name, rdataset.ttl, list(rdataset))
