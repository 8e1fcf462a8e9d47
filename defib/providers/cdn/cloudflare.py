"""Cloudflare, as the CDN of one public name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from defib.clock import Deadline
from defib.errors import Unavailable
from defib.ports import EdgeStatus, Receipt
from defib.providers.cdn.cloudflare_api import CloudflareApi

# "You may purge up to 30 URLs in one API call", and as many hosts or prefixes: Cloudflare's OpenAPI description, POST
# /zones/{zone_id}/purge_cache. Today's documentation says 100; what suits both is asked for.
_PURGED_AT_ONCE = 30

T = TypeVar("T")


class _Zone(BaseModel):
    status: str
    paused: bool = False
    modified_on: str = ""


class _Record(BaseModel):
    name: str
    type: str
    content: str
    proxied: bool = False
    modified_on: str = ""


_ZONE = TypeAdapter(_Zone)
_RECORDS = TypeAdapter(list[_Record])


class Cloudflare:
    """Fulfils :class:`defib.ports.Cdn` for the public `name` (host, or host:port) in one zone, by the zone's id.

    The zone is `enabled` when it is active, not paused, and proxies the name. Cloudflare has no state between a change
    and its being in force, so what is enabled is deployed, and a purge that it took is settled: "within 150 ms", it says
    (https://developers.cloudflare.com/cache/how-to/purge-cache/).
    """

    def __init__(self, name: str, zone_id: str, token: str, api: str) -> None:
        self._name = name.lower().rstrip(".")
        self._host = self._name.partition(":")[0].rstrip(".")
        self._zone_id = zone_id
        self._api = CloudflareApi(api, token, f"Cloudflare, zone {zone_id}")

    @property
    def vendor(self) -> str:
        """``cloudflare``."""
        return "cloudflare"

    @property
    def distribution(self) -> str:
        """The zone's id."""
        return self._zone_id

    def status(self, *, within: Deadline) -> EdgeStatus:
        """The zone, and the proxied records of the public name, whose content is the origin."""
        zone = self._parsed(_ZONE, self._api.get(f"/zones/{self._zone_id}", {}, within), "reading the zone")
        found = self._parsed(
            _RECORDS,
            self._api.get(f"/zones/{self._zone_id}/dns_records", {"name": self._host}, within),
            "reading the zone's records",
        )
        proxied = [record for record in found if record.proxied and record.name.lower() == self._host]
        enabled = zone.status == "active" and not zone.paused and bool(proxied)
        return EdgeStatus(
            enabled=enabled,
            deployed=enabled,
            names=(f"{self._host}.",) if proxied else (),
            origin=", ".join(sorted(record.content for record in proxied)),
            version=" ".join(sorted({zone.modified_on, *(record.modified_on for record in proxied)})),
        )

    def purge(self, paths: Sequence[str], *, within: Deadline) -> Receipt:
        """Forget `paths` by URL, in as many calls as their number needs.

        A final ``*`` stands for anything, as at CloudFront: ``/*`` forgets all of the public name, and nothing of the
        zone's other names.
        """
        prefixes = [f"{self._host}{path.removesuffix('*')}" for path in paths if path.endswith("*") and path != "/*"]
        urls = [f"https://{self._name}{path}" for path in paths if not path.endswith("*")]
        if "/*" in paths:
            self._purge({"hosts": [self._host]}, within)
            return Receipt("")
        for kind, named in (("prefixes", prefixes), ("files", urls)):
            for start in range(0, len(named), _PURGED_AT_ONCE):
                self._purge({kind: named[start : start + _PURGED_AT_ONCE]}, within)
        return Receipt("")

    def settled(self, receipt: Receipt, *, within: Deadline) -> bool:  # noqa: ARG002 - Cloudflare keeps no state to ask
        """True: Cloudflare answers a purge when it is on its way to all edges, and can be asked nothing more."""
        return True

    def _purge(self, body: dict[str, object], within: Deadline) -> None:
        self._api.post(f"/zones/{self._zone_id}/purge_cache", body, within)

    def _parsed(self, shape: TypeAdapter[T], result: object, what: str) -> T:
        try:
            return shape.validate_python(result)
        except ValidationError as error:
            raise Unavailable(
                f"{what}: not the answer that Cloudflare documents", where=self._api.where, seen=str(result)[:200]
            ) from error
