"""One DNS record of Cloudflare's: its fields, how the API shows it, and what it refuses to hold."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

TTL_AUTOMATIC = 1
PROXIABLE = ("A", "AAAA", "CNAME")
_TTL_RANGE = range(60, 86_401)
_PRIORITY_RANGE = range(65_536)
_HOST = re.compile(r"^(\*\.)?([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)+[A-Za-z0-9-]+$")
_TYPES = ("A", "AAAA", "CAA", "CNAME", "MX", "NS", "TXT")
_HOSTS = ("CNAME", "MX", "NS")
_WRITABLE = ("name", "type", "content", "ttl", "proxied", "comment", "tags", "settings", "priority", "data")
_READ_ONLY = ("id", "proxiable", "created_on", "modified_on", "meta", "zone_id", "zone_name")
_SETTINGS = {"CNAME": ("flatten_cname", "ipv4_only", "ipv6_only"), "A": ("ipv4_only",), "AAAA": ("ipv6_only",)}
_LONGEST_COMMENT = 500


class RefusalError(Exception):
    """A refusal as Cloudflare words it: HTTP status, code and message, and the reason behind it where there is one."""

    def __init__(self, status: int, code: int, message: str, chain: tuple[int, str] | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.chain = chain


@dataclass(frozen=True)
class DnsRecord:
    """One DNS record; TTL 1 means automatic, and a proxied record always has it."""

    id: str
    type: str
    name: str
    content: str
    created: datetime
    modified: datetime
    ttl: int = TTL_AUTOMATIC
    proxied: bool = False
    comment: str | None = None
    tags: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    """The names of those that are on."""
    priority: int | None = None

    @property
    def presentation(self) -> str:
        """The value as in a zone file."""
        content = f"{self.content}." if self.type in _HOSTS else self.content
        return f"{self.priority} {content}" if self.type == "MX" else content

    def shown(self) -> dict[str, Any]:
        """The record as the API tells it."""
        made: dict[str, Any] = {
            "id": self.id,
            "name": self.name,
            "type": self.type,
            "content": self.content,
            "proxiable": self.type in PROXIABLE,
            "proxied": self.proxied,
            "ttl": self.ttl,
            "settings": dict.fromkeys(self.settings, True),
            "meta": {},
            "comment": self.comment,
            "tags": list(self.tags),
            "created_on": stamp(self.created),
            "modified_on": stamp(self.modified),
        }
        if self.type == "MX":
            made["priority"] = self.priority
        if self.type == "CAA":
            made["data"] = _caa(self.content)
        return made


def created(zone: str, record_id: str, body: Mapping[str, Any], now: datetime) -> DnsRecord:
    """The record that a POST of `body` makes in the zone of that name."""
    if not {"name", "type"} <= set(body):
        raise _invalid(9000, "DNS name and type are required")
    blank = DnsRecord(record_id, str(body["type"]), zone, "", now, now)
    return written(zone, blank, body, now, whole=True)


def written(zone: str, before: DnsRecord, body: Mapping[str, Any], now: datetime, *, whole: bool) -> DnsRecord:
    """The record after a PATCH of `body`, or after a PUT that replaces it as a whole."""
    unknown = sorted(set(body) - set(_WRITABLE) - set(_READ_ONLY))
    if unknown:
        raise _invalid(9207, f"Unknown field {unknown[0]!r}")
    if whole and not ({"name", "type"} <= set(body) and ("content" in body or "data" in body)):
        raise _invalid(9000, "DNS name, type and content are required")
    values = _start(before, whole=whole) | {name: value for name, value in body.items() if name in _WRITABLE}
    if "data" in body and values["type"] == "CAA":
        values["content"] = _caa_text(body["data"])
    made = DnsRecord(
        id=before.id,
        type=str(values["type"]),
        name=_full_name(str(values["name"]), zone),
        content=str(values["content"]).rstrip(".") if values["type"] != "TXT" else str(values["content"]),
        created=before.created,
        modified=now,
        ttl=TTL_AUTOMATIC if values["proxied"] else values["ttl"],
        proxied=values["proxied"],
        comment=values["comment"] or None,
        tags=tuple(values["tags"] or ()),
        settings=_settings(values["settings"], before, whole=whole),
        priority=values["priority"] if values["type"] == "MX" else None,
    )
    _check(made)
    return made


def stamp(at: datetime) -> str:
    """A moment as the API writes it."""
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _start(before: DnsRecord, *, whole: bool) -> dict[str, Any]:
    """What the fields are that a body leaves out."""
    if not whole:
        return {name: getattr(before, name) for name in _WRITABLE if name not in ("data", "settings")} | {"settings": {}}
    blank: dict[str, Any] = {"comment": None, "tags": (), "ttl": TTL_AUTOMATIC, "proxied": False}
    return blank | {"settings": {}, "priority": None, "content": ""}


def _settings(given: object, before: DnsRecord, *, whole: bool) -> tuple[str, ...]:
    if not isinstance(given, dict) or not all(isinstance(value, bool) for value in given.values()):
        raise _invalid(9207, "settings must be an object of booleans")
    standing = {} if whole else dict.fromkeys(before.settings, True)
    return tuple(sorted(name for name, on in (standing | given).items() if on))


def _full_name(name: str, zone: str) -> str:
    name = name.lower().rstrip(".")
    if name == "@":
        return zone
    return name if name == zone or name.endswith("." + zone) else f"{name}.{zone}"


def _check(record: DnsRecord) -> None:
    if record.type not in _TYPES:
        raise _invalid(9004, f"Invalid DNS record type {record.type!r} for this zone.")
    if not isinstance(record.proxied, bool) or (record.proxied and record.type not in PROXIABLE):
        raise _invalid(9004, "This record type cannot be proxied.")
    automatic = record.ttl == TTL_AUTOMATIC
    if isinstance(record.ttl, bool) or not (automatic or record.ttl in _TTL_RANGE):
        raise _invalid(9021, "Invalid TTL. Must be between 60 and 86,400 seconds, or 1 for Automatic.")
    if len(record.comment or "") > _LONGEST_COMMENT:
        raise _invalid(9300, f"Comment exceeds the maximum length of {_LONGEST_COMMENT} characters.")
    _check_settings(record)
    if record.type == "CNAME" and record.content == record.name:
        raise _invalid(9039, "CNAME content cannot reference itself.")
    if record.type in _HOSTS and not _HOST.match(record.content):
        raise _invalid(9007 if record.type == "CNAME" else 9009, f"Content for {record.type} record is invalid.")
    if record.type == "MX" and (isinstance(record.priority, bool) or record.priority not in _PRIORITY_RANGE):
        raise _invalid(9101, "priority is a required data field.")
    if record.type in ("A", "AAAA"):
        _check_address(record)


def _check_settings(record: DnsRecord) -> None:
    wrong = set(record.settings) - set(_SETTINGS.get(record.type, ()))
    if wrong or ("flatten_cname" in record.settings and record.proxied):
        raise _invalid(9207, f"settings not available for this record: {', '.join(record.settings)}")


def _check_address(record: DnsRecord) -> None:
    version, code = (4, 9005) if record.type == "A" else (6, 9006)
    message = f"Content for {record.type} record must be a valid IPv{version} address."
    try:
        right = ipaddress.ip_address(record.content).version == version
    except ValueError as error:
        raise _invalid(code, message) from error
    if not right:
        raise _invalid(code, message)


def _caa_text(data: object) -> str:
    if not isinstance(data, dict) or not {"flags", "tag", "value"} <= set(data):
        raise _invalid(9101, "flags, tag and value are required data fields.")
    return f'{data["flags"]} {data["tag"]} "{data["value"]}"'


def _caa(content: str) -> dict[str, Any]:
    flags, tag, value = content.split(" ", 2)
    return {"flags": int(flags), "tag": tag, "value": value.strip('"')}


def _invalid(code: int, message: str) -> RefusalError:
    return RefusalError(400, 1004, "DNS Validation Error", (code, message))
