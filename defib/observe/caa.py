"""Which certificate authorities may issue for a name, by its CAA records (RFC 8659)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import dns.rcode
import dns.rdtypes.ANY.CAA

from defib.clock import Deadline
from defib.observe.failure import NoAnswer, connection_reason, seconds
from defib.observe.fetch import trust_of
from defib.observe.loop import LoopThread
from defib.observe.question import Reply, ask
from defib.site import Site

_CRITICAL = 128
_KNOWN = {"issue", "issuewild", "iodef", "issuemail", "issuevmc", "contactemail", "contactphone"}
_USABLE = {dns.rcode.NOERROR, dns.rcode.NXDOMAIN}


@dataclass(frozen=True)
class CaaRecord:
    """One CAA record; `tag` is in lower case."""

    flags: int
    tag: str
    value: str

    @property
    def issuer(self) -> str:
        """The domain of the authority that an `issue` or `issuewild` record names, "" where it names none."""
        return self.value.partition(";")[0].strip().lower()

    @property
    def conditions(self) -> str:
        """What else the record asks of that authority, such as ``accounturi=…``; nobody but the authority can judge it."""
        return self.value.partition(";")[2].strip()


@dataclass(frozen=True)
class CaaPolicy:
    """The records that decide for `name`, and the ancestor that holds them ("" where none does, so that all may issue).

    `problem` says why it could not be told who may issue; it is "" where it could.
    """

    name: str
    found_at: str = ""
    records: tuple[CaaRecord, ...] = ()
    problem: str = ""

    def allows(self, issuer: str) -> bool | None:
        """Whether the authority of the domain `issuer` (``letsencrypt.org``) may issue for the name; None if unknown.

        A record with `conditions` counts as leave. A critical record of an unknown tag forbids everybody
        (RFC 8659, section 4.1); records without any `issue` restrict nobody (section 4.2).
        """
        if self.problem:
            return None
        if any(record.flags & _CRITICAL and record.tag not in _KNOWN for record in self.records):
            return False
        deciding = [record for record in self.records if record.tag == "issue"]
        if self.name.startswith("*."):
            deciding = [record for record in self.records if record.tag == "issuewild"] or deciding
        return not deciding or issuer.lower().rstrip(".") in {record.issuer for record in deciding}


Find = Callable[[str], Awaitable[tuple[CaaRecord, ...]]]
"""The CAA records at exactly this name, behind any CNAMEs; raises :class:`NoAnswer` where nobody tells."""


async def climb(name: str, find: Find) -> CaaPolicy:
    """The policy for `name`: of its own records, or of its closest ancestor that has any (RFC 8659, section 3)."""
    labels = name.lower().rstrip(".").removeprefix("*.").split(".")
    for number in range(len(labels)):
        node = ".".join(labels[number:]) + "."
        try:
            records = await find(node)
        except NoAnswer as error:
            return CaaPolicy(name, problem=f"CAA of {node}: {error}")
        if records:
            return CaaPolicy(name, node, records)
    return CaaPolicy(name)


class CaaLookup:
    """Asks the resolvers of a site file, in their order, on an event loop of its own until :meth:`close`."""

    def __init__(self, site: Site, home: Path) -> None:
        self._resolvers = site.resolvers
        self._trust = trust_of(site.trust, home)
        self._loop = LoopThread(f"defib-caa-{site.site}")

    def policy(self, name: str, *, within: Deadline) -> CaaPolicy:
        """Who may issue for `name`. Never raises for what it sees, and ends when `within` does."""
        return self._loop.run(self._policy(name, within))

    def close(self) -> None:
        """End the questions under way and the event loop. Idempotent."""
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    async def _policy(self, name: str, within: Deadline) -> CaaPolicy:
        allowed = within.remaining()

        async def find(node: str) -> tuple[CaaRecord, ...]:
            return await self._find(node, within)

        try:
            async with asyncio.timeout(allowed.total_seconds()):
                return await climb(name, find)
        except TimeoutError:
            return CaaPolicy(name, problem=f"no answer within {seconds(allowed)}")

    async def _find(self, node: str, within: Deadline) -> tuple[CaaRecord, ...]:
        """The records from the first resolver that gives a usable answer; each may take its share of what time is left."""
        failures = []
        for number, resolver in enumerate(self._resolvers):
            share = within.remaining() / (len(self._resolvers) - number)
            try:
                async with asyncio.timeout(share.total_seconds()):
                    return read_caa(await ask(resolver, node, "CAA", self._trust, recursive=True, within=within))
            except TimeoutError:
                failures.append(f"{resolver.name}: no answer")
            except (OSError, NoAnswer) as error:
                failures.append(f"{resolver.name}: {connection_reason(error)}")
        raise NoAnswer("; ".join(failures))


def read_caa(reply: Reply) -> tuple[CaaRecord, ...]:
    """The CAA records of an answer; no such name and no such record are usable answers without any."""
    if reply.message.rcode() not in _USABLE:
        raise NoAnswer(dns.rcode.to_text(reply.message.rcode()))
    found: Sequence[object] = [item for rrset in reply.message.answer for item in rrset]
    return tuple(
        CaaRecord(item.flags, item.tag.decode("ascii", "replace").lower(), item.value.decode("utf-8", "replace"))
        for item in found
        if isinstance(item, dns.rdtypes.ANY.CAA.CAA)
    )
