"""The UPDATE message of RFC 2136 that makes a batch of changes only if every `before` holds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.update

from defib.errors import NotFound
from defib.ports import RecordChange, RecordKey, RecordSet
from defib.providers.dns.records import canonical, canonical_key

# What may stand beside other types: enough of them that a CNAME is never asked for where something else is in use.
_NEIGHBOURS = ("A", "AAAA", "CAA", "HTTPS", "MX", "NAPTR", "NS", "PTR", "SRV", "SSHFP", "SVCB", "TLSA", "TXT", "URI")


def update_message(origin: dns.name.Name, changes: Sequence[RecordChange], where: str) -> dns.update.UpdateMessage:
    """The message for `changes`; :class:`NotFound` for what no name server could hold.

    Servers pass over, without an error, a CNAME beside other types and other types beside a CNAME (RFC 2136, section
    3.4.2.2), so their absence is demanded too: an update that would be passed over is refused instead.
    """
    message = dns.update.UpdateMessage(origin)
    demanded: set[RecordKey] = set()
    for change in changes:
        key = canonical_key(change.key)
        _refuse_foreign(key, change, where)
        demanded.add(key)
        if change.before is None:
            message.absent(key.name, key.type)
        else:
            message.present(key.name, *_rdatas(canonical(change.before), where))
    for name, types in _must_be_absent(changes).items():
        for kind in types:
            if RecordKey(name, kind) not in demanded:
                message.absent(name, kind)
    for change in changes:
        message.delete(canonical_key(change.key).name, canonical_key(change.key).type)
    # Servers go through an update in order, so all that goes is gone before anything that it would keep out comes.
    for change in changes:
        if change.after is not None:
            after = canonical(change.after)
            message.add(after.key.name, int(after.ttl.total_seconds()), *_rdatas(after, where))
    return message


def _must_be_absent(changes: Sequence[RecordChange]) -> dict[str, tuple[str, ...]]:
    """For each name that gets a new type: the types that cannot stand beside it."""
    absent: dict[str, tuple[str, ...]] = defaultdict(tuple)
    for change in changes:
        if change.before is None and change.after is not None:
            key = canonical_key(change.key)
            absent[key.name] = _NEIGHBOURS if key.type == "CNAME" else ("CNAME",)
    return absent


def _refuse_foreign(key: RecordKey, change: RecordChange, where: str) -> None:
    attributes = [pair for side in (change.before, change.after) if side is not None for pair in side.attributes]
    if attributes or key.set_identifier:
        raise NotFound(
            f"{key}: dynamic updates know names, types, TTLs and values only",
            where=where,
            seen=", ".join(f"{name}={value}" for name, value in attributes) or key.set_identifier,
        )
    if key.type == "SOA":
        raise NotFound(f"{key}: servers pass over a changed SOA without an error", where=where)


def _rdatas(record: RecordSet, where: str) -> list[dns.rdata.Rdata]:
    kind = dns.rdatatype.from_text(record.key.type)
    if not record.values:
        raise NotFound(f"{record.key}: a record set has at least one value", where=where)
    try:
        return [dns.rdata.from_text(dns.rdataclass.IN, kind, value) for value in record.values]
    except (dns.exception.DNSException, ValueError) as error:
        raise NotFound(f"{record.key}: not a value of this type", where=where, seen=", ".join(record.values)) from error
