"""A CDN edge: answers for a name when, and as, the vendor's API state says, from the origin that it names."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Protocol
from urllib.parse import urlsplit

from defib.clock import Clock
from defib.lab.certificates import LabAuthority
from defib.lab.content import SiteBuild, older_build
from defib.lab.edgecache import CacheKey, Copy, EdgeCache
from defib.lab.faults import Fault
from defib.lab.purge import Purge
from defib.lab.siteserver import SiteServer, http_date
from defib.lab.web import BadMessage, Request, Response, fetch

PARKED = b"<!DOCTYPE html><html><head><title>Domain parked</title></head><body>For sale.</body></html>\n"
"""What a visitor gets under a name that was lost."""

_HTML = ("Content-Type", "text/html; charset=utf-8")


@dataclass(frozen=True)
class Serving:
    """What a vendor's state says of one host: whose it is, where it comes from, what is added on the way."""

    tenant: str
    origin: str
    root_object: str
    headers: tuple[tuple[str, str], ...]
    methods: tuple[str, ...] = ("GET", "HEAD")
    origin_path: str = ""
    """What is put before the path on the way to the origin; copies are kept without it."""


class Vendor(Protocol):
    """The part of an edge that differs between vendors."""

    def serving(self, host: str) -> Serving | None:
        """How `host` is served now, None where the vendor does not know it or was told not to."""
        ...

    def purges(self, serving: Serving) -> Sequence[Purge]:
        """What the vendor's API was told to forget."""
        ...

    def to_origin(self, serving: Serving, request: Request) -> Request:
        """The request as the vendor sends it to the origin."""
        ...

    def unknown_host(self, host: str) -> Response:
        """The vendor's page for a name that it does not serve."""
        ...

    def failed(self, status: int, problem: Exception | None) -> Response:
        """The vendor's page where the origin failed (`problem`), or the edge itself (`status`)."""
        ...

    def marks(self, state: str) -> tuple[tuple[str, str], ...]:
        """The headers that tell how the cache was used: hit, miss, revalidated or error."""
        ...


class Edge:
    """One edge server of one vendor, with every fault of :data:`defib.lab.faults.EDGE_FAULTS`."""

    def __init__(
        self,
        address: str,
        port: int,
        vendor: Vendor,
        *,
        names: Sequence[str],
        origins: Mapping[str, tuple[str, int]],
        build: SiteBuild,
        authority: LabAuthority,
        clock: Clock,
        patience: timedelta = timedelta(seconds=10),
    ) -> None:
        self.server = SiteServer(address, port, self._answer, authority.identity(*names))
        self._vendor = vendor
        self._origins = origins
        self._build = build
        self._clock = clock
        self._patience = patience
        self._trust = authority.client_context()
        self._cache = EdgeCache(clock)

    async def _answer(self, request: Request) -> Response:
        fault = self.server.switch.spend() or Fault("none")
        if fault.name == "slow":
            await asyncio.sleep(fault.option("delay", 5))
        response = self._own_page(fault) or await self._page(request, fault)
        if fault.name == "truncated":
            response = Response(response.status, response.headers, response.body, cut=len(response.body) // 2)
        return response.with_headers(("Date", http_date(self._clock)))

    def _own_page(self, fault: Fault) -> Response | None:
        """What a broken edge answers whatever it is asked."""
        if fault.name == "5xx":
            return self._vendor.failed(int(fault.option("status", 503)), None)
        if fault.name == "wrong-page":
            return Response(200, (_HTML,), PARKED)
        if fault.name == "empty-page":
            return Response(200, (_HTML,))
        return None

    async def _page(self, request: Request, fault: Fault) -> Response:
        serving = self._vendor.serving(request.host)
        if serving is None:
            return self._vendor.unknown_host(request.host)
        if request.method not in serving.methods:
            return self._vendor.failed(403, None)
        url = urlsplit(request.target)
        path = f"/{serving.root_object}" if url.path == "/" else url.path
        key = CacheKey(serving.tenant, request.host, path + (f"?{url.query}" if url.query else ""))
        stale = older_build(self._build, fault).get(path[1:]) if fault.name == "stale-build" else None
        if stale is not None:
            headers = (("Content-Type", stale.content_type), ("ETag", stale.etag), *self._vendor.marks("hit"))
            response = Response(200, headers, stale.body)
        else:
            response = await self._through_cache(key, serving)
        if request.headers.get("if-none-match") == response.header("ETag") != "":
            response = Response(304, response.headers)
        if fault.name == "missing-headers":
            return response.without_headers(*(name for name, _ in serving.headers))
        return response.with_headers(*serving.headers)

    async def _through_cache(self, key: CacheKey, serving: Serving) -> Response:
        copy = self._cache.get(key, self._vendor.purges(serving))
        if copy is not None and copy.fresh(self._clock.monotonic()):
            return self._served(copy, "hit")
        try:
            response = await self._from_origin(key.target, serving, copy)
        except (OSError, TimeoutError, BadMessage) as problem:
            return self._vendor.failed(502, problem)
        if response.status == HTTPStatus.NOT_MODIFIED and copy is not None:
            return self._served(self._cache.vouch(key, copy), "revalidated")
        self._cache.put(key, response)
        state = "error" if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR else "miss"
        return response.with_headers(*self._vendor.marks(state))

    def _served(self, copy: Copy, state: str) -> Response:
        age = str(copy.age(self._clock.monotonic()))
        return copy.response.with_headers(("Age", age), *self._vendor.marks(state))

    async def _from_origin(self, target: str, serving: Serving, copy: Copy | None) -> Response:
        if serving.origin not in self._origins:
            raise OSError(f"the name of the origin, {serving.origin}, does not resolve")
        address, port = self._origins[serving.origin]
        headers = {"host": serving.origin}
        if copy is not None and copy.response.header("ETag"):
            headers["if-none-match"] = copy.response.header("ETag")
        request = self._vendor.to_origin(serving, Request("GET", serving.origin_path + target, headers))
        within = self._patience.total_seconds()
        tls: ssl.SSLContext = self._trust
        return await fetch(address, port, request, tls, name=serving.origin, within=within)
