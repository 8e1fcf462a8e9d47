"""How a resolver finds an answer: from its cache, or by asking the authorities, CNAME after CNAME.

A stub zone is a suffix and the servers that are authoritative for all below it. Only what lies in the zone
that was asked is believed; a CNAME that leads elsewhere is followed by asking there.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import dns.flags
import dns.message
import dns.rdataset
import dns.rdtypes.ANY.SOA
from dns.message import Message
from dns.name import Name
from dns.rcode import Rcode
from dns.rdataclass import IN
from dns.rdataset import Rdataset
from dns.rdatatype import RdataType

from defib.lab.dns.cache import Cache, Entry
from defib.lab.dns.exchange import Reply, Server, ask
from defib.lab.dns.zone import Placed

_LONGEST_CHAIN = 16
_ROUNDS = 2
"""How often every server of a zone is asked before the resolver gives up."""

_SHUNNED = 5.0
"""Seconds for which a server that failed is asked last."""


class Unanswered(Exception):
    """No server of the zone gave a usable answer, or no zone is known."""


@dataclass(frozen=True)
class Resolution:
    """What was found: the chain of record sets in order, and at its end perhaps a denial."""

    rcode: Rcode
    entries: tuple[Entry, ...]
    denial: Entry | None = None


class Recursion:
    """The cache of a resolver and the questions it has under way. It lives until the resolver is flushed.

    Questions under way are also kept in `tasks`, so that whoever stops the resolver can end those of every
    cache.
    """

    def __init__(
        self,
        stubs: Mapping[Name, Sequence[Server]],
        cache: Cache,
        *,
        source: str,
        patience: timedelta,
        dice: random.Random,
        tasks: set[asyncio.Task[Entry]],
    ) -> None:
        self.cache = cache
        self._stubs = stubs
        self._source = source
        self._patience = patience.total_seconds()
        self._dice = dice
        self._tasks = tasks
        self._failed: dict[Server, float] = {}
        self._under_way: dict[tuple[Name, RdataType], asyncio.Task[Entry]] = {}

    def serves(self, name: Name) -> bool:
        """Whether `name` lies in one of the stub zones."""
        return self._suffix(name) is not None

    async def resolve(self, name: Name, rdtype: RdataType) -> Resolution:
        """Find the answer; raises :class:`Unanswered`."""
        chain: tuple[Entry, ...] = ()
        for _ in range(_LONGEST_CHAIN):
            entry = await self._entry(name, rdtype)
            if entry.rdataset is None:
                return Resolution(entry.rcode, chain, entry)
            chain += (entry,)
            if entry.rdataset.rdtype == rdtype:
                return Resolution(Rcode.NOERROR, chain)
            name = entry.rdataset[0].target
        raise Unanswered(f"a chain of more than {_LONGEST_CHAIN} CNAMEs")

    async def _entry(self, name: Name, rdtype: RdataType) -> Entry:
        known = self.cache.get(name, rdtype, asyncio.get_running_loop().time())
        return known if known is not None else await self._shared_fetch(name, rdtype)

    async def _shared_fetch(self, name: Name, rdtype: RdataType) -> Entry:
        """Ask the authorities, once for all who want to know the same at the same time."""
        key = (name, rdtype)
        task = self._under_way.get(key)
        if task is None:
            task = self._under_way[key] = asyncio.ensure_future(self._fetch(name, rdtype))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        # Whoever stops waiting must not stop the others.
        return await asyncio.shield(task)

    async def _fetch(self, name: Name, rdtype: RdataType) -> Entry:
        suffix = self._suffix(name)
        if suffix is None:
            raise Unanswered(f"no server is known for {name}")
        query = dns.message.make_query(name, rdtype, IN, use_edns=0, payload=1232, flags=0)
        for _ in range(_ROUNDS):
            for server in self._order(self._stubs[suffix]):
                entry = await self._ask(query, server, suffix)
                if entry is not None:
                    return entry
        raise Unanswered(f"no server of {suffix} answers")

    async def _ask(self, query: dns.message.QueryMessage, server: Server, suffix: Name) -> Entry | None:
        question = query.question[0]
        try:
            reply = await ask(query, server, self._patience, self._source)
        except OSError:
            entry = None  # Refused or too late: the next server may answer.
        else:
            entry = self._learn(reply, suffix, question.name, question.rdtype)
        if entry is None:
            self._failed[server] = asyncio.get_running_loop().time()
        else:
            self._failed.pop(server, None)
        return entry

    def _order(self, servers: Sequence[Server]) -> list[Server]:
        """At random, but those that failed lately last."""
        now = asyncio.get_running_loop().time()
        shuffled = self._dice.sample(servers, len(servers))
        return sorted(shuffled, key=lambda server: now - self._failed.get(server, -_SHUNNED) < _SHUNNED)

    def _suffix(self, name: Name) -> Name | None:
        matching = [suffix for suffix in self._stubs if name.is_subdomain(suffix)]
        return max(matching, key=len, default=None)

    def _learn(self, reply: Reply, suffix: Name, name: Name, rdtype: RdataType) -> Entry | None:
        """Keep what the answer says; gives the entry for `name`, None if the answer is of no use."""
        message = reply.message
        if not message.flags & dns.flags.AA or message.rcode() not in (Rcode.NOERROR, Rcode.NXDOMAIN):
            return None
        first: Entry | None = None
        for _ in range(_LONGEST_CHAIN):
            entry = self._entry_from(reply, suffix, name, rdtype)
            if entry is None:
                break
            self.cache.keep(entry, entry.rdataset.rdtype if entry.rdataset is not None else rdtype)
            first = first or entry
            if entry.rdataset is None or entry.rdataset.rdtype == rdtype:
                break
            name = entry.rdataset[0].target
            if self._suffix(name) != suffix:
                break
        return first

    def _entry_from(self, reply: Reply, suffix: Name, name: Name, rdtype: RdataType) -> Entry | None:
        message = reply.message
        for kind in (rdtype, RdataType.CNAME):
            rrset = message.get_rrset(message.answer, name, IN, kind)
            if rrset is not None:
                plain = dns.rdataset.from_rdata_list(rrset.ttl, list(rrset))
                return self._made(reply, name, Rcode.NOERROR, plain, None)
        soa = _denying_soa(message, suffix, name)
        if soa is None and message.answer:
            return None  # The chain goes on where this server does not look: the next question will tell.
        return self._made(reply, name, message.rcode(), None, soa)

    def _made(self, reply: Reply, name: Name, rcode: Rcode, rdataset: Rdataset | None, soa: Placed | None) -> Entry:
        if rdataset is None and soa is None:
            ttl = 0.0  # A denial without SOA is not to be kept (RFC 2308, section 5).
        else:
            ttl = self.cache.lifetime(rdataset.ttl if rdataset is not None else _negative_ttl(soa))
        return Entry(name, rcode, rdataset, soa, ttl, reply.at + ttl)


def _denying_soa(message: Message, suffix: Name, name: Name) -> Placed | None:
    for rrset in message.authority:
        inside = name.is_subdomain(rrset.name) and rrset.name.is_subdomain(suffix)
        if rrset.rdtype == RdataType.SOA and inside:
            return rrset.name, dns.rdataset.from_rdata_list(rrset.ttl, list(rrset))
    return None


def _negative_ttl(placed: Placed | None) -> int:
    assert placed is not None, "only denials with an SOA are kept"
    soa = placed[1][0]
    assert isinstance(soa, dns.rdtypes.ANY.SOA.SOA), "a set of type SOA holds SOA records"
    return min(placed[1].ttl, soa.minimum)
