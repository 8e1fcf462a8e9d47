"""Which certificate authorities may issue for a name, by its CAA records (RFC 8659)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
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
from defib.sites.site import Site
from defib.users.trust import CaaPolicy, CaaRecord

_USABLE = {dns.rcode.NOERROR, dns.rcode.NXDOMAIN}


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
                    soon = within.sooner(share)  # port 53 may swallow questions: HTTPS has its turn within the share
                    return read_caa(await ask(resolver, node, "CAA", self._trust, recursive=True, within=soon))
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
