"""A batch of changes to the records of one Cloudflare zone, made as a whole or not at all.

Order, and that the first failure undoes all: https://developers.cloudflare.com/dns/manage-dns-records/how-to/batch-record-changes/
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from defib.lab.cloudflare_records import DnsRecord, RefusalError, created, written
from defib.lab.cloudflare_state import CloudflareZone

_ORDER = ("deletes", "patches", "puts", "posts")


def batched(zone: CloudflareZone, body: Mapping[str, Any], now: datetime) -> tuple[CloudflareZone, dict[str, Any]]:
    """The zone after the batch, and what the API tells of each operation; the first refusal refuses the batch."""
    lists = {name: _operations(body, name) for name in _ORDER if name in body}
    if set(body) - set(_ORDER) or not any(lists.values()):
        raise _wrong("a batch has deletes, patches, puts or posts")
    if sum(map(len, lists.values())) > zone.batch_limit:
        raise _wrong(f"a batch may change {zone.batch_limit} records on this plan")
    told: dict[str, Any] = {}
    for name, operations in lists.items():
        told[name] = []
        for operation in operations:
            zone, record = _made(zone, name, operation, now)
            told[name].append(record.shown())
    return zone, told


def _made(zone: CloudflareZone, name: str, operation: Mapping[str, Any], now: datetime) -> tuple[CloudflareZone, DnsRecord]:
    if name == "posts":
        record = created(zone.name, new_id(), operation, now)
        return zone.with_record(record), record
    standing = zone.find(str(operation.get("id", "")))
    if name == "deletes":
        return zone.without(standing.id), standing
    record = written(zone.name, standing, operation, now, whole=name == "puts")
    return zone.with_record(record), record


def new_id() -> str:
    """An id as Cloudflare gives to a new record."""
    return secrets.token_hex(16)


def _operations(body: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    given = body[name] or []
    if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
        raise _wrong(f"{name} must be a list of objects")
    return given


def _wrong(why: str) -> RefusalError:
    # Cloudflare does not document which code a batch that is too large, or no batch at all, is refused with.
    return RefusalError(400, 9207, "Request body is invalid.", (9207, why))
