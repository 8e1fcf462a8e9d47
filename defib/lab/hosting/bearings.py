"""Where a public name leads, and who may issue certificates for it, as hosting platforms find out: by asking the DNS."""

from __future__ import annotations

import shlex
from collections.abc import Awaitable, Callable

import dns.message
import dns.rcode
import dns.rdatatype

from defib.lab.dns.resolver import Resolver

Ask = Callable[[str, str], Awaitable[tuple[str, ...]]]
"""The values of a name (without trailing dot) and record type, behind any CNAMEs; none where there are none.

Raises :class:`LookupFailedError` where that cannot be told.
"""

ISSUER = "letsencrypt.org"


class LookupFailedError(Exception):
    """The DNS gave no usable answer."""


def asking(resolver: Resolver) -> Ask:
    """Ask a resolver of the lab, and its authorities each time anew, as certificate authorities do."""

    async def ask(name: str, kind: str) -> tuple[str, ...]:
        wanted = dns.rdatatype.from_text(kind)
        resolver.flush()
        answer = dns.message.from_wire(await resolver.answer(dns.message.make_query(f"{name}.", kind).to_wire()))
        if answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            raise LookupFailedError(f"{name} {kind}: {dns.rcode.to_text(answer.rcode())}")
        return tuple(each.to_text() for rrset in answer.answer if rrset.rdtype == wanted for each in rrset)

    return ask


async def found(ask: Ask, name: str, kind: str) -> tuple[str, ...]:
    """The values, none also where that cannot be told."""
    try:
        return await ask(name, kind)
    except LookupFailedError:
        return ()


async def leads_to(ask: Ask, name: str, address: str) -> bool:
    """Whether users of `name` come to `address`."""
    return address in await found(ask, name, "A")


async def may_issue(ask: Ask, name: str) -> bool:
    """Whether the authority of both vendors may issue for `name`: the closest CAA record set decides (RFC 8659)."""
    labels = name.split(".")
    for number in range(len(labels)):
        records = await ask(".".join(labels[number:]), "CAA")
        if records:
            parts = [shlex.split(record) for record in records]
            issuers = [value.partition(";")[0].strip() for _, tag, value in parts if tag.lower() == "issue"]
            return not issuers or ISSUER in issuers
    return True


async def certifiable(ask: Ask, name: str, address: str) -> bool:
    """Whether a certificate can be issued now for `name` by a platform whose edge is at `address`.

    Not where a look-up fails: to issue, an authority must have found that the CAA records allow it (RFC 8659, section 3).
    """
    try:
        return await leads_to(ask, name, address) and await may_issue(ask, name)
    except LookupFailedError:
        return False
