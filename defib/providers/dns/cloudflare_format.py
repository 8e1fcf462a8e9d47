"""Cloudflare's DNS records as record sets, and back, without losing what only Cloudflare knows.

Cloudflare has no record sets: each value is a record with an id, a TTL and settings of its own. Those of one name and
type are one :class:`defib.ports.RecordSet` here, and what is not a value becomes an attribute:

``ttl=automatic``
    The API's TTL of 1. Such a set has the 300 s that resolvers see as its TTL, so that whoever forecasts from it is right:
    https://developers.cloudflare.com/dns/manage-dns-records/reference/ttl/. Proxied records have no other.
``proxied=true``
    Answers are Cloudflare's own addresses. A record that is not proxied has no such attribute.
``comment``, ``tags``
    As people wrote them; tags as a JSON list in alphabetical order.
``settings.flatten_cname=true`` and other settings
    As JSON. A setting that is off or not there has no attribute.

Where the records of a set differ, the attribute's name carries the number of the value it belongs to, the values being
in the order of :func:`defib.providers.dns.records.canonical`: ``comment.2``. TTLs that differ read as ``ttl.1``, ``ttl.2``,
and the TTL of the set is the longest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from pydantic import BaseModel, Field

from defib.errors import NotFound
from defib.ports import RecordKey, RecordSet
from defib.providers.dns.records import canonical, canonical_key, describe

WRITABLE = ("A", "AAAA", "CAA", "CNAME", "MX", "NS", "PTR", "TXT")
"""The types that can be changed; the others can be read."""

PROXIABLE = ("A", "AAAA", "CNAME")

_HOSTS = ("CNAME", "NS", "PTR")
_AUTOMATIC = 1
_AUTOMATIC_SEEN = timedelta(seconds=300)
_SETTING = "settings."
_NUMBERED = re.compile(r"\.\d+$")


class HeldRecord(BaseModel):
    """One record as Cloudflare lists it."""

    id: str
    name: str
    type: str
    content: str
    ttl: int
    proxied: bool = False
    priority: int | None = None
    comment: str | None = None
    tags: list[str] = Field(default_factory=list)
    settings: dict[str, object] | None = None

    @property
    def key(self) -> RecordKey:
        """The record set it belongs to; a name that is shown in its national letters stands under the ASCII ones of DNS."""
        return canonical_key(RecordKey(_ascii(self.name), self.type))


@dataclass(frozen=True)
class Wish:
    """One record as it is, or is to be: its value in presentation format and what Cloudflare keeps beside it."""

    key: RecordKey
    value: str
    ttl: int
    proxied: bool = False
    comment: str = ""
    tags: tuple[str, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()

    def fields(self) -> dict[str, object]:
        """The record's fields as the API takes them."""
        made: dict[str, object] = {"ttl": self.ttl, "comment": self.comment, "tags": list(self.tags)}
        if self.key.type in PROXIABLE:
            made["proxied"] = self.proxied
        made["settings"] = {name: json.loads(text) for name, text in self.settings}
        return made | _content(self.key.type, self.value)

    def whole(self) -> dict[str, object]:
        """The body that creates the record; what stands for nothing is left out, as not every plan knows it."""
        named = {"name": self.key.name.rstrip("."), "type": self.key.type}
        return named | {name: value for name, value in self.fields().items() if value not in ("", [], {})}

    def difference(self, before: Wish) -> dict[str, object]:
        """The fields that make this of `before`: what somebody else changes meanwhile in others is not undone."""
        old, new = before.fields(), self.fields()
        changed = {name: value for name, value in new.items() if old.get(name) != value}
        if "settings" in changed:
            # A setting goes by being turned off, not by being left out.
            changed["settings"] = {name: False for name, _ in before.settings} | {
                name: json.loads(text) for name, text in self.settings
            }
        return changed


def wish_of(held: HeldRecord) -> Wish:
    """What stands in one record."""
    settings = {name: value for name, value in (held.settings or {}).items() if value not in (None, False)}
    return Wish(
        key=held.key,
        value=_canonical_value(held.key, _value(held)),
        ttl=held.ttl,
        proxied=held.proxied,
        comment=held.comment or "",
        tags=tuple(sorted(held.tags)),
        settings=tuple(sorted((name, json.dumps(value, sort_keys=True)) for name, value in settings.items())),
    )


def record_set(wishes: Sequence[Wish]) -> RecordSet | None:
    """The record set of records that share name and type; None where there are none."""
    ordered = list({wish.value: wish for wish in sorted(wishes, key=lambda wish: wish.value)}.values())
    if not ordered:
        return None
    ttls = {wish.ttl for wish in ordered}
    attributes = _gathered([_attributes(wish) for wish in ordered])
    if len(ttls) > 1:
        attributes |= {f"ttl.{number}": _ttl_text(wish.ttl) for number, wish in enumerate(ordered, 1)}
    elif ttls == {_AUTOMATIC}:
        attributes["ttl"] = _ttl_text(_AUTOMATIC)
    return RecordSet(
        key=ordered[0].key,
        ttl=max(_seen(ttl) for ttl in ttls),
        values=tuple(wish.value for wish in ordered),
        attributes=tuple(sorted(attributes.items())),
    )


def wishes_of(record: RecordSet, where: str) -> tuple[Wish, ...]:
    """The records that make up `record`: the inverse of :func:`record_set`; :class:`NotFound` where none could."""
    record = canonical(record)
    if record.key.type not in WRITABLE or record.key.set_identifier:
        raise NotFound(f"{record.key}: Defib cannot write this at Cloudflare", where=where, expected=", ".join(WRITABLE))
    told = dict(record.attributes)
    try:
        made = tuple(_wish(record, told, number) for number in range(1, len(record.values) + 1))
        for wish in made:
            wish.fields()
    except ValueError as error:
        raise NotFound(f"{record.key}: a value or attribute that cannot be read", where=where, seen=str(record)) from error
    back = record_set(made)
    if back != record or not made:
        # So an attribute that nobody knows, a TTL beside "automatic" and the like are refused and not lost.
        raise NotFound(
            f"{record.key}: Cloudflare could not hold this as it is written",
            where=where,
            expected=describe(back),
            seen=str(record),
            then="see the attributes in defib.providers.dns.cloudflare_format; a proxied record has ttl=automatic and 300 s",
        )
    return made


def answers_as_written(record: RecordSet, origin: str) -> bool:
    """Whether name servers give the values of `record` to who asks for them, in the zone `origin`.

    Not where it is proxied, and not an alias that is flattened, as it always is at the apex: addresses are answered then,
    and nothing for CNAME.
    """
    names = {_NUMBERED.sub("", name) for name, _ in record.attributes}
    if "proxied" in names:
        return False
    at_apex = canonical_key(record.key).name == canonical_key(RecordKey(origin, "SOA")).name
    return record.key.type != "CNAME" or not (at_apex or f"{_SETTING}flatten_cname" in names)


def _wish(record: RecordSet, told: Mapping[str, str], number: int) -> Wish:
    def own(name: str) -> str:
        return told.get(f"{name}.{number}", told.get(name, ""))

    prefixed = {_NUMBERED.sub("", name) for name in told if name.startswith(_SETTING)}
    settings = {name: own(name) for name in prefixed if own(name)}
    ttl = own("ttl")
    proxied = own("proxied") == "true"
    seconds = _AUTOMATIC if ttl == "automatic" or proxied else int(ttl or record.ttl.total_seconds())
    return Wish(
        key=record.key,
        value=record.values[number - 1],
        ttl=seconds,
        proxied=proxied,
        comment=own("comment"),
        tags=tuple(json.loads(own("tags") or "[]")),
        settings=tuple(
            sorted(
                (name.removeprefix(_SETTING), json.dumps(json.loads(text), sort_keys=True))
                for name, text in settings.items()
            )
        ),
    )


def _attributes(wish: Wish) -> dict[str, str]:
    made = {f"{_SETTING}{name}": text for name, text in wish.settings}
    if wish.proxied:
        made["proxied"] = "true"
    if wish.comment:
        made["comment"] = wish.comment
    if wish.tags:
        made["tags"] = json.dumps(sorted(wish.tags), ensure_ascii=False)
    return made


def _gathered(each: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """One attribute where all records agree, and otherwise one for each record that has it, with its number."""
    made: dict[str, str] = {}
    for name in {name for attributes in each for name in attributes}:
        texts = [attributes.get(name, "") for attributes in each]
        if len(set(texts)) == 1:
            made[name] = texts[0]
        else:
            made |= {f"{name}.{number}": text for number, text in enumerate(texts, 1) if text}
    return made


def _ttl_text(ttl: int) -> str:
    return "automatic" if ttl == _AUTOMATIC else str(ttl)


def _seen(ttl: int) -> timedelta:
    return _AUTOMATIC_SEEN if ttl == _AUTOMATIC else timedelta(seconds=ttl)


def _canonical_value(key: RecordKey, value: str) -> str:
    return canonical(RecordSet(key, timedelta(0), (value,))).values[0]


def _value(held: HeldRecord) -> str:
    """The value in presentation format; an MX record keeps its preference apart."""
    if held.key.type == "MX" and held.priority is not None:
        return f"{held.priority} {_ascii(held.content)}"
    if held.key.type == "TXT" and not held.content.startswith('"'):
        # Entered without quotes; a string of a TXT record holds at most 255 bytes (RFC 1035, section 3.3.14).
        strings = [held.content[start : start + 255] for start in range(0, len(held.content), 255)] or [""]
        return " ".join(f'"{_quoted(string)}"' for string in strings)
    return _ascii(held.content) if held.key.type in _HOSTS else held.content


def _ascii(host: str) -> str:
    try:
        return host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError:
        return host  # no name of the DNS, so none that anybody asks for


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _content(kind: str, value: str) -> dict[str, object]:
    if kind == "MX":
        preference, host = value.split(maxsplit=1)
        return {"priority": int(preference), "content": host.rstrip(".")}
    if kind == "CAA":
        flags, tag, text = value.split(maxsplit=2)
        return {"data": {"flags": int(flags), "tag": tag, "value": text.strip('"')}}
    if kind in _HOSTS:
        return {"content": value.rstrip(".")}
    return {"content": value}
