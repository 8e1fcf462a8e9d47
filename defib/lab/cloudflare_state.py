"""What Cloudflare holds of a zone: its records, whether it is paused, and what its edge does with its names."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

_TTL_AUTOMATIC = 1
_TTL_RANGE = range(60, 86_401)
_ACCOUNT = {"id": "01a7362d577a6c3019a474fd6f485823", "name": "Pulse Trading"}
_HOST = re.compile(r"^(\*\.)?([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)+[A-Za-z0-9-]+$")
_TYPES = ("A", "AAAA", "CNAME", "TXT")
_PROXIABLE = ("A", "AAAA", "CNAME")
_WRITABLE = ("name", "type", "content", "ttl", "proxied", "comment", "tags")
_READ_ONLY = ("id", "proxiable", "created_on", "modified_on", "meta", "zone_id", "zone_name", "settings")


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
    ttl: int = _TTL_AUTOMATIC
    proxied: bool = False
    comment: str | None = None
    tags: tuple[str, ...] = ()

    def shown(self) -> dict[str, Any]:
        """The record as the API tells it."""
        return {
            "id": self.id,
            "name": self.name,
            "type": self.type,
            "content": self.content,
            "proxiable": self.type in _PROXIABLE,
            "proxied": self.proxied,
            "ttl": self.ttl,
            "settings": {},
            "meta": {},
            "comment": self.comment,
            "tags": list(self.tags),
            "created_on": stamp(self.created),
            "modified_on": stamp(self.modified),
        }


@dataclass(frozen=True)
class CloudflareZone:
    """One zone in CNAME set-up; `headers` are what a transform rule adds to each answer of its edge."""

    id: str
    name: str
    created: datetime
    modified: datetime
    records: tuple[DnsRecord, ...]
    headers: tuple[tuple[str, str], ...] = ()
    root_object: str = "index.html"
    paused: bool = False
    vanity: tuple[str, ...] = field(default=())

    def shown(self) -> dict[str, Any]:
        """The zone as the API tells it."""
        return {
            "id": self.id,
            "name": self.name,
            "status": "active",
            "paused": self.paused,
            "type": "partial",
            "development_mode": 0,
            "name_servers": ["gina.ns.cloudflare.com", "hank.ns.cloudflare.com"],
            "original_name_servers": ["ns1.lab.test", "ns2.lab.test"],
            "original_registrar": None,
            "original_dnshost": None,
            "vanity_name_servers": list(self.vanity),
            "created_on": stamp(self.created),
            "modified_on": stamp(self.modified),
            "activated_on": stamp(self.created),
            "owner": {"id": _ACCOUNT["id"], "type": "organization", "name": _ACCOUNT["name"]},
            "account": dict(_ACCOUNT),
            "meta": {"cdn_only": True, "dns_only": False, "page_rule_quota": 3},
        }

    def proxied(self, host: str) -> DnsRecord | None:
        """The record that makes the edge answer for `host`, None where it does not."""
        if self.paused:
            return None
        return next((each for each in self.records if each.name == host and each.proxied), None)

    def find(self, record_id: str) -> DnsRecord:
        """The record of that id; refused with Cloudflare's own code where there is none."""
        for each in self.records:
            if each.id == record_id:
                return each
        raise RefusalError(404, 81044, "Record does not exist.")

    def patched(self, body: Mapping[str, Any], now: datetime) -> CloudflareZone:
        """The zone after a PATCH; only `paused` and vanity name servers can be changed in CNAME set-up."""
        if not body or not set(body) <= {"paused", "vanity_name_servers"}:
            raise RefusalError(400, 1002, "Invalid or missing zone property to change")
        if not isinstance(body.get("paused", False), bool):
            raise RefusalError(400, 1002, "paused must be a boolean")
        paused = body.get("paused", self.paused)
        vanity = tuple(body.get("vanity_name_servers", self.vanity))
        return replace(self, paused=paused, vanity=vanity, modified=now)

    def with_record(self, record: DnsRecord) -> CloudflareZone:
        """The zone with `record` in place of the one of its id; refused where it cannot stand beside the others."""
        others = [each for each in self.records if each.id != record.id]
        for other in others:
            if (other.name, other.type, other.content) == (record.name, record.type, record.content):
                raise RefusalError(400, 81058, "An identical record already exists.")
            if other.name == record.name and "CNAME" in (other.type, record.type):
                message = "An A, AAAA, or CNAME record with that host already exists."
                raise RefusalError(400, 81053, message)
        records = tuple(record if each.id == record.id else each for each in self.records)
        return replace(self, records=records)


def written(zone: CloudflareZone, before: DnsRecord, body: Mapping[str, Any], now: datetime, *, whole: bool) -> DnsRecord:
    """The record after a PATCH of `body`, or after a PUT that replaces it as a whole."""
    unknown = sorted(set(body) - set(_WRITABLE) - set(_READ_ONLY))
    if unknown:
        raise _invalid(9207, f"Unknown field {unknown[0]!r}")
    if whole and not {"name", "type", "content"} <= set(body):
        raise _invalid(9000, "DNS name, type and content are required")
    start: Mapping[str, Any] = {"comment": None, "tags": (), "ttl": _TTL_AUTOMATIC, "proxied": False}
    values = dict(start) if whole else {name: getattr(before, name) for name in _WRITABLE}
    values |= {name: value for name, value in body.items() if name in _WRITABLE}
    made = DnsRecord(
        id=before.id,
        type=str(values["type"]),
        name=_full_name(str(values["name"]), zone.name),
        content=str(values["content"]).rstrip("."),
        created=before.created,
        modified=now,
        ttl=_TTL_AUTOMATIC if values["proxied"] else values["ttl"],
        proxied=values["proxied"],
        comment=values["comment"],
        tags=tuple(values["tags"] or ()),
    )
    _check(made)
    return made


def stamp(at: datetime) -> str:
    """A moment as the API writes it."""
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _full_name(name: str, zone: str) -> str:
    name = name.lower().rstrip(".")
    if name == "@":
        return zone
    return name if name == zone or name.endswith("." + zone) else f"{name}.{zone}"


def _check(record: DnsRecord) -> None:
    if record.type not in _TYPES:
        raise _invalid(9004, f"Invalid DNS record type {record.type!r} for this zone.")
    if not isinstance(record.proxied, bool) or (record.proxied and record.type not in _PROXIABLE):
        raise _invalid(9004, "This record type cannot be proxied.")
    automatic = record.ttl == _TTL_AUTOMATIC
    if isinstance(record.ttl, bool) or not (automatic or record.ttl in _TTL_RANGE):
        raise _invalid(9021, "Invalid TTL. Must be between 60 and 86,400 seconds, or 1 for Automatic.")
    if record.type == "CNAME":
        if record.content == record.name:
            raise _invalid(9039, "CNAME content cannot reference itself.")
        if not _HOST.match(record.content):
            raise _invalid(9007, "Content for CNAME record is invalid.")
    if record.type in ("A", "AAAA"):
        _check_address(record)


def _check_address(record: DnsRecord) -> None:
    version, code = (4, 9005) if record.type == "A" else (6, 9006)
    message = f"Content for {record.type} record must be a valid IPv{version} address."
    try:
        right = ipaddress.ip_address(record.content).version == version
    except ValueError as error:
        raise _invalid(code, message) from error
    if not right:
        raise _invalid(code, message)


def _invalid(code: int, message: str) -> RefusalError:
    return RefusalError(400, 1004, "DNS Validation Error", (code, message))
