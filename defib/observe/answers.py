"""What the DNS says about a site's names, asked server by server over the network."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype

from defib.clock import Clock, Deadline
from defib.observe.failure import NoAnswer, connection_reason, seconds
from defib.observe.fetch import trust_of
from defib.observe.loop import LoopThread
from defib.observe.question import Reply, ask
from defib.ports import Answer, RecordKey
from defib.sites.site import Site
from defib.sites.vendors import FailoverSwitch, Server

_NAMES = {"CNAME", "NS", "PTR", "DNAME"}
"""Types whose value is a name, in which the case of letters means nothing (RFC 4343)."""


class DnsAnswers:
    """Asks the servers and resolvers of a site file, all at once, on an event loop of its own until :meth:`close`.

    Values come sorted, because servers rotate them, and names in lower case.
    """

    def __init__(self, site: Site, home: Path, clock: Clock) -> None:
        self._zones = [zone for zone in site.dns if not isinstance(zone, FailoverSwitch)]
        self._zone_of = site.zone_of
        self._resolvers = site.resolvers
        self._clock = clock
        self._trust = trust_of(site.trust, home)
        self._loop = LoopThread(f"defib-answers-{site.site}")

    def authoritative(self, key: RecordKey, *, within: Deadline, at: str = "") -> tuple[Answer, ...]:
        """The answer of each authoritative server; one that does not claim authority is a problem, not an answer."""
        innermost = self._zone_of(key.name)
        held = [zone for zone in self._zones if zone.zone == innermost and at in {"", zone.provider}]
        servers = [server for zone in held for server in zone.servers]
        return self._loop.run(self._ask_all(servers, key, within, recursive=False))

    def resolvers(self, key: RecordKey, *, within: Deadline, only: Collection[str] = ()) -> tuple[Answer, ...]:
        """The answer of each resolver, over HTTPS where port 53 is closed or dead; `via` says so."""
        servers = [server for server in self._resolvers if not only or server.name in only]
        return self._loop.run(self._ask_all(servers, key, within, recursive=True))

    def close(self) -> None:
        """End the questions under way and the event loop. Idempotent."""
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    async def _ask_all(
        self, servers: Sequence[Server], key: RecordKey, within: Deadline, *, recursive: bool
    ) -> tuple[Answer, ...]:
        questions = (self._ask(server, key, within, recursive=recursive) for server in servers)
        return tuple(await asyncio.gather(*questions))

    async def _ask(self, server: Server, key: RecordKey, within: Deadline, *, recursive: bool) -> Answer:
        allowed = within.remaining()
        try:
            async with asyncio.timeout(allowed.total_seconds()):
                reply = await ask(server, key.name, key.type, self._trust, recursive=recursive, within=within)
        except TimeoutError:
            return Answer(server.name, None, problem=f"no answer within {seconds(allowed)}")
        except (OSError, NoAnswer) as error:
            return Answer(server.name, None, problem=connection_reason(error))
        return read_answer(server.name, reply, key, recursive=recursive)


def read_answer(server: str, reply: Reply, key: RecordKey, *, recursive: bool) -> Answer:
    """What one reply says about `key`. No such name and no such record are usable answers without values."""
    code, flags = reply.message.rcode(), reply.message.flags
    if code not in {dns.rcode.NOERROR, dns.rcode.NXDOMAIN}:
        return Answer(server, None, via=reply.via, problem=dns.rcode.to_text(code))
    if not recursive and not flags & dns.flags.AA:
        return Answer(server, None, via=reply.via, problem="not authoritative")
    if code == dns.rcode.NXDOMAIN:
        return Answer(server, (), via=reply.via, problem="no such name")
    found = _record_set(reply.message, key)
    if found is None:
        return Answer(server, (), via=reply.via, problem="no such record")
    values, ttl = found
    return Answer(server, values, ttl, reply.via)


def _record_set(message: dns.message.Message, key: RecordKey) -> tuple[tuple[str, ...], timedelta] | None:
    name, kind = dns.name.from_text(key.name), dns.rdatatype.from_text(key.type)
    for rrset in message.answer:
        if rrset.name == name and rrset.rdtype == kind:
            values = (item.to_text() for item in rrset)
            shown = (value.lower() if key.type in _NAMES else value for value in values)
            return tuple(sorted(shown)), timedelta(seconds=rrset.ttl)
    return None
