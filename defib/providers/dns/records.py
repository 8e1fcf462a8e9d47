"""How record sets compare, whatever way a vendor spells them."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence

from defib.errors import Conflict
from defib.ports import RecordChange, RecordKey, RecordSet


def canonical_key(key: RecordKey) -> RecordKey:
    """`key` with its name in lower case and fully qualified, and its type in upper case."""
    return RecordKey(_host(key.name), key.type.upper(), key.set_identifier)


def canonical(record: RecordSet) -> RecordSet:
    """`record` in the one spelling in which equal record sets are equal values; the order of values has no meaning."""
    key = canonical_key(record.key)
    return RecordSet(
        key=key,
        ttl=record.ttl,
        values=tuple(sorted({_value(key.type, value) for value in record.values})),
        attributes=tuple(sorted(record.attributes)),
    )


def same(one: RecordSet | None, other: RecordSet | None) -> bool:
    """Whether two record sets, or absences, mean the same: values, TTL and attributes."""
    if one is None or other is None:
        return one is other
    return canonical(one) == canonical(other)


def compare(changes: Sequence[RecordChange], seen: Sequence[RecordSet | None], where: str) -> None:
    """Raise :class:`Conflict` that names the first of `changes` whose `before` is not what was `seen`."""
    for change, present in zip(changes, seen, strict=True):
        if not same(change.before, present):
            raise Conflict(
                f"{change.key} is not what it was",
                where=where,
                expected=describe(change.before),
                seen=describe(present),
                then="look who changed it, then make a new plan",
            )


def check(changes: Sequence[RecordChange], where: str) -> None:
    """Raise :class:`Conflict` for a batch that contradicts itself: a set named twice, or two names in one change."""
    keys: set[RecordKey] = set()
    for change in changes:
        sides = {canonical_key(side.key) for side in (change.before, change.after) if side is not None}
        if len(sides) != 1:
            raise Conflict("a change must keep its name and type", where=where, seen=", ".join(map(str, sides)))
        if sides & keys:
            raise Conflict(f"{change.key} stands twice in one batch", where=where)
        keys |= sides


def describe(record: RecordSet | None) -> str:
    """`record` for people, also where there is none."""
    return str(record) if record is not None else "no such record set"


def _value(kind: str, text: str) -> str:
    return _SPELLINGS.get(kind, _as_is)(text)


def _as_is(text: str) -> str:
    return text


def _host(text: str) -> str:
    return text.lower().rstrip(".") + "."


def _last_is_host(text: str) -> str:
    *fields, host = text.split()
    return " ".join([*fields, _host(host)])


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text  # left for the vendor to refuse, in the words that were given


_SPELLINGS: dict[str, Callable[[str], str]] = {
    "A": _address,
    "AAAA": _address,
    "CNAME": _host,
    "DNAME": _host,
    "NS": _host,
    "PTR": _host,
    "MX": _last_is_host,
    "SRV": _last_is_host,
}
