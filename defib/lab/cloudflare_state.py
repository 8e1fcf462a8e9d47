"""What Cloudflare holds of a zone: its records, whether it is paused, and what its edge does with its names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from defib.lab.cloudflare_records import DnsRecord, RefusalError, stamp

_ACCOUNT = {"id": "01a7362d577a6c3019a474fd6f485823", "name": "Pulse Trading"}
_FREE_PLAN = {
    "id": "0feeeeeeeeeeeeeeeeeeeeeeeeeeeeee",
    "name": "Free Website",
    "price": 0,
    "currency": "USD",
    "frequency": "",
    "is_subscribed": False,
    "can_subscribe": False,
    "legacy_id": "free",
    "legacy_discount": False,
    "externally_managed": False,
}
_PARTS = ("cache_purge", "dns_records", "zone")
_ADDRESSES = ("A", "AAAA")


@dataclass(frozen=True)
class CloudflareZone:
    """One zone; `headers` are what a transform rule adds to each answer of its edge.

    In CNAME set-up (`full` is False) its DNS stands elsewhere, and a proxied record makes the edge answer for its name. In
    full set-up Cloudflare's `servers` answer from its records, too. `batch_limit` is what its plan takes in one batch:
    200 on the free one.
    """

    id: str
    name: str
    created: datetime
    modified: datetime
    records: tuple[DnsRecord, ...]
    headers: tuple[tuple[str, str], ...] = ()
    root_object: str = "index.html"
    paused: bool = False
    vanity: tuple[str, ...] = field(default=())
    full: bool = False
    servers: tuple[str, ...] = ("gina.ns.cloudflare.com", "hank.ns.cloudflare.com")
    batch_limit: int = 200

    def shown(self, *, reads_only: bool = False) -> dict[str, Any]:
        """The zone as the API tells it, to a token that may edit, or that may only read."""
        scopes = ("read",) if reads_only else ("edit", "read")
        return {
            "id": self.id,
            "name": self.name,
            "status": "active",
            "paused": self.paused,
            "type": "full" if self.full else "partial",
            "development_mode": 0,
            "name_servers": list(self.servers),
            "original_name_servers": ["ns1.lab.test", "ns2.lab.test"],
            "original_registrar": None,
            "original_dnshost": None,
            "vanity_name_servers": list(self.vanity),
            "created_on": stamp(self.created),
            "modified_on": stamp(self.modified),
            "activated_on": stamp(self.created),
            "owner": {"id": _ACCOUNT["id"], "type": "organization", "name": _ACCOUNT["name"]},
            "account": dict(_ACCOUNT),
            "permissions": [f"#{part}:{scope}" for part in _PARTS for scope in scopes],
            "plan": dict(_FREE_PLAN),
            "meta": {"cdn_only": not self.full, "dns_only": False, "page_rule_quota": 3},
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
        """The zone after a PATCH; only `paused` and vanity name servers can be changed."""
        if not body or not set(body) <= {"paused", "vanity_name_servers"}:
            raise RefusalError(400, 1002, "Invalid or missing zone property to change")
        if not isinstance(body.get("paused", False), bool):
            raise RefusalError(400, 1002, "paused must be a boolean")
        paused = body.get("paused", self.paused)
        vanity = tuple(body.get("vanity_name_servers", self.vanity))
        return replace(self, paused=paused, vanity=vanity, modified=now)

    def with_record(self, record: DnsRecord) -> CloudflareZone:
        """The zone with `record`, in place of the one of its id; refused where it cannot stand beside the others.

        Only addresses and aliases exclude each other:
        https://developers.cloudflare.com/dns/manage-dns-records/troubleshooting/records-with-same-name/
        """
        for other in self.records:
            if other.id != record.id and other.name == record.name:
                _refuse_beside(other, record)
        standing = any(each.id == record.id for each in self.records)
        kept = tuple(record if each.id == record.id else each for each in self.records)
        return replace(self, records=kept if standing else (*kept, record))

    def without(self, record_id: str) -> CloudflareZone:
        """The zone without the record of that id."""
        gone = self.find(record_id)
        return replace(self, records=tuple(each for each in self.records if each is not gone))


def _refuse_beside(other: DnsRecord, record: DnsRecord) -> None:
    if (other.type, other.content, other.priority) == (record.type, record.content, record.priority):
        raise RefusalError(400, 81058, "An identical record already exists.")
    if record.type == "CNAME" and other.type in (*_ADDRESSES, "CNAME"):
        raise RefusalError(400, 81053, "An A, AAAA, or CNAME record with that host already exists.")
    if record.type in _ADDRESSES and other.type == "CNAME":
        raise RefusalError(400, 81054, "A CNAME record with that host already exists.")
