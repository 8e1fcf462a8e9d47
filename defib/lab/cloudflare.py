"""The part of Cloudflare's API v4 that a recovery uses, with state, its envelope and its error codes.

In zones in CNAME set-up (``partial``) the DNS stands elsewhere, and a proxied record makes the edge answer for its name;
those in full set-up are handed to Cloudflare's own name servers after every change. Codes are those that the API itself
gives (https://developers.cloudflare.com/fundamentals/api/).
"""

from __future__ import annotations

import asyncio
import hmac
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from defib.clock import Clock, SystemClock
from defib.lab.cloudflare_batch import batched, new_id
from defib.lab.cloudflare_records import DnsRecord, RefusalError, created, written
from defib.lab.cloudflare_state import CloudflareZone
from defib.lab.faults import Fault, FaultSwitch
from defib.lab.purge import Purge
from defib.lab.web import Request, Response, WebServer

_BASE = "/client/v4"
_VERIFIED = "ed17574386854bf78a67040be0a770b0"
_PER_PAGE = 100
_JSON = ("Content-Type", "application/json")

Publish = Callable[[CloudflareZone], None]
"""Hands the content of a zone in full set-up to its name servers."""


@dataclass(frozen=True)
class _Call:
    """A request that was let in: the zone it is about, the rest of its path, and its JSON body."""

    request: Request
    zone: CloudflareZone
    rest: str
    body: Mapping[str, Any]
    reads_only: bool = False


class CloudflareApi:
    """Zones, their records and their caches, behind one bearer token; `switch` breaks it.

    A page of a list holds `largest_page` records, if so many are asked for.
    """

    largest_page = 50_000

    def __init__(
        self,
        address: str,
        port: int,
        token: str,
        zones: tuple[CloudflareZone, ...],
        clock: Clock | None = None,
        *,
        purges_in: timedelta = timedelta(milliseconds=150),
        publish: Publish = lambda _zone: None,
    ) -> None:
        self.server = WebServer(address, port, self._answer)
        self.switch = FaultSwitch()
        self._token = token
        self._clock = clock or SystemClock()
        self._purges_in = purges_in
        self._zones = {zone.id: zone for zone in zones}
        self._purges: list[tuple[str, Purge]] = []
        self._publish = publish
        for zone in zones:
            if zone.full:
                publish(zone)

    @property
    def zones(self) -> tuple[CloudflareZone, ...]:
        """Every zone as it stands now."""
        return tuple(self._zones.values())

    def purges(self, zone_id: str) -> tuple[Purge, ...]:
        """What the edge was told to forget of a zone, oldest first; each takes effect when it is due."""
        return tuple(purge for zone, purge in self._purges if zone == zone_id)

    async def start(self) -> None:
        """Listen."""
        await self.server.start()

    async def stop(self) -> None:
        """Stop listening."""
        await self.server.stop()

    async def _answer(self, request: Request) -> Response | None:
        fault = self.switch.spend() or Fault("none")
        if fault.name == "hang":
            await self.switch.changed()
            return None
        if fault.name == "slow":
            await asyncio.sleep(fault.option("delay", 5))
        spoiled = _spoiled(fault)
        if spoiled is not None:
            return spoiled
        try:
            response = self._route(request, fault.name)
        except RefusalError as refusal:
            return _refused(refusal)
        return None if fault.name == "lost-answer" else response

    def _route(self, request: Request, fault: str) -> Response:
        path = request.path.removeprefix(_BASE)
        self._authenticate(request, path)
        reads_only = fault == "read-only"
        if reads_only and request.method != "GET":
            raise RefusalError(403, 10000, "Authentication error")
        if path == "/user/tokens/verify" and request.method == "GET":
            return _success({"id": _VERIFIED, "status": "active"})
        match = re.match(r"/zones/(?P<zone>[^/]+)(?P<rest>/.*)?$", path)
        if match is None or not request.path.startswith(_BASE):
            raise RefusalError(404, 7000, "No route for that URI")
        zone = self._zones.get(match["zone"])
        if zone is None:
            where = f"/zones/{match['zone']}"
            message = f"Could not route to {where}, perhaps your object identifier is invalid?"
            raise RefusalError(404, 7003, message)
        purges = len(self._purges)
        response = self._about_zone(_Call(request, zone, match["rest"] or "", _json(request), reads_only))
        after = self._zones[zone.id]
        if fault == "ignored":
            self._zones[zone.id] = zone
            del self._purges[purges:]
        elif after is not zone and after.full:
            self._publish(after)
        return response

    def add_zone(self, zone: CloudflareZone) -> None:
        """One more zone, or another content for the one of its id."""
        self._zones[zone.id] = zone
        if zone.full:
            self._publish(zone)

    def _authenticate(self, request: Request, path: str) -> None:
        given = request.headers.get("authorization", "")
        if not given:
            raise RefusalError(400, 9106, "Missing X-Auth-Key, X-Auth-Email or Authorization headers")
        if not given.startswith("Bearer "):
            raise RefusalError(400, 6003, "Invalid request headers")
        if not hmac.compare_digest(given.removeprefix("Bearer ").encode(), self._token.encode()):
            if path == "/user/tokens/verify":
                raise RefusalError(401, 1000, "Invalid API Token")
            raise RefusalError(403, 9109, "Invalid access token")

    def _about_zone(self, call: _Call) -> Response:
        routes: dict[tuple[str, str], Callable[[_Call], Response]] = {
            ("GET", ""): lambda call: _success(call.zone.shown(reads_only=call.reads_only)),
            ("PATCH", ""): self._patch_zone,
            ("GET", "/dns_records"): lambda call: _page(call, self.largest_page),
            ("POST", "/dns_records"): self._create,
            ("POST", "/dns_records/batch"): self._batch,
            ("POST", "/purge_cache"): self._purge,
        }
        route = routes.get((call.request.method, call.rest))
        if route is not None:
            return route(call)
        record = re.match(r"/dns_records/(?P<id>[^/]+)$", call.rest)
        if record is None or call.request.method not in ("GET", "PATCH", "PUT", "DELETE"):
            raise RefusalError(404, 7000, "No route for that URI")
        return self._one_record(call, record["id"])

    def _patch_zone(self, call: _Call) -> Response:
        after = call.zone.patched(call.body, self._clock.now())
        return self._held(call, after, after.shown())

    def _create(self, call: _Call) -> Response:
        record = created(call.zone.name, new_id(), call.body, self._clock.now())
        return self._held(call, call.zone.with_record(record), record.shown())

    def _batch(self, call: _Call) -> Response:
        return self._held(call, *batched(call.zone, call.body, self._clock.now()))

    def _one_record(self, call: _Call, record_id: str) -> Response:
        record = call.zone.find(record_id)
        if call.request.method == "GET":
            return _success(record.shown())
        if call.request.method == "DELETE":
            return self._held(call, call.zone.without(record.id), {"id": record.id})
        whole = call.request.method == "PUT"
        after = written(call.zone.name, record, call.body, self._clock.now(), whole=whole)
        return self._held(call, call.zone.with_record(after), after.shown())

    def _held(self, call: _Call, after: CloudflareZone, told: Mapping[str, Any]) -> Response:
        self._zones[call.zone.id] = after
        return _success(told)

    def _purge(self, call: _Call) -> Response:
        due = self._clock.monotonic() + self._purges_in
        self._purges += [(call.zone.id, purge) for purge in _purges(call.body, due)]
        return _success({"id": call.zone.id})


def _purges(body: Mapping[str, Any], due: timedelta) -> list[Purge]:
    if body.get("purge_everything") is True:
        return [Purge(due, ("*",))]
    found = []
    for url in map(_url_of, body.get("files") or ()):
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise RefusalError(400, 1016, f"Invalid URL to purge: {url!r}")
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        found.append(Purge(due, (target,), parts.hostname))
    found += [Purge(due, ("*",), str(host)) for host in body.get("hosts") or ()]
    for prefix in body.get("prefixes") or ():
        host, _, path = str(prefix).partition("/")
        found.append(Purge(due, (f"/{path}*",), host))
    if not found and not body.get("tags"):
        message = "Request must contain one of 'purge_everything' or 'files', 'tags', 'hosts' or 'prefixes'"
        raise RefusalError(400, 1012, message)
    return found


def _url_of(file: object) -> str:
    return str(file.get("url", "")) if isinstance(file, dict) else str(file)


def _page(call: _Call, largest: int) -> Response:
    query = call.request.query
    chosen = [record for record in call.zone.records if _asked_for(record, query)]
    page, per_page = _number(query, "page", 1), min(_number(query, "per_page", _PER_PAGE), largest)
    shown = chosen[(page - 1) * per_page : page * per_page]
    info = {
        "page": page,
        "per_page": per_page,
        "count": len(shown),
        "total_count": len(chosen),
        "total_pages": -(-len(chosen) // per_page),
    }
    return _envelope(200, success=True, result=[record.shown() for record in shown], result_info=info)


def _asked_for(record: DnsRecord, query: Mapping[str, str]) -> bool:
    filters = {
        "name": record.name,
        "name.exact": record.name,
        "type": record.type,
        "content": record.content,
        "content.exact": record.content,
        "proxied": str(record.proxied).lower(),
    }
    return all(value.lower() == filters[name].lower() for name, value in query.items() if name in filters)


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    given = query.get(name, str(default))
    if not given.isdigit() or int(given) < 1:
        raise RefusalError(400, 1004, "DNS Validation Error", (9100, f"Invalid {name}: {given!r}"))
    return int(given)


def _json(request: Request) -> Mapping[str, Any]:
    if request.method == "GET" or not request.body:
        return {}
    try:
        body = json.loads(request.body)
    except ValueError as error:
        raise RefusalError(400, 9207, "Request body is invalid.", (9207, str(error))) from error
    if not isinstance(body, dict):
        raise RefusalError(400, 9207, "Request body is invalid.", (9207, "not an object"))
    return body


def _spoiled(fault: Fault) -> Response | None:
    """Answer as the fault says, None where the request goes on."""
    if fault.name == "429":
        message = "Please wait and consider throttling your request speed"
        answer = _refused(RefusalError(429, 971, message))
        return answer.with_headers(("Retry-After", f"{fault.option('retry_after', 1):g}"))
    if fault.name == "500":
        # Its own failures reach clients as a page of its edge, not as its envelope.
        page = b"<html><head><title>500 Internal Server Error</title></head><body>cloudflare</body></html>"
        return Response(500, (("Content-Type", "text/html"), ("Server", "cloudflare")), page)
    if fault.name == "denied":
        return _refused(RefusalError(403, 10000, "Authentication error"))
    if fault.name == "lying":
        return _refused(RefusalError(200, 10013, "An unknown error has occurred. Please try again."))
    return None


def _success(result: Mapping[str, Any]) -> Response:
    return _envelope(200, success=True, result=result)


def _refused(refusal: RefusalError) -> Response:
    error: dict[str, Any] = {"code": refusal.code, "message": refusal.message}
    if refusal.chain is not None:
        error["error_chain"] = [{"code": refusal.chain[0], "message": refusal.chain[1]}]
    return _envelope(refusal.status, success=False, result=None, errors=[error])


def _envelope(
    status: int,
    *,
    success: bool,
    result: object,
    errors: list[dict[str, Any]] | None = None,
    result_info: Mapping[str, int] | None = None,
) -> Response:
    body = {"result": result, "success": success, "errors": errors or [], "messages": []}
    if result_info is not None:
        body["result_info"] = result_info
    return Response(status, (_JSON, ("Server", "cloudflare")), json.dumps(body).encode())
