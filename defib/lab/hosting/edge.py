"""The edge of a hosting platform: serves the live deployment under the names that its project holds, and no others."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from defib.clock import Clock
from defib.lab.certificates import LabAuthority
from defib.lab.content import StoredObject, older_build
from defib.lab.edge import PARKED
from defib.lab.faults import Fault
from defib.lab.hosting.identity import HostingIdentity
from defib.lab.hosting.project import Deployed, HostedProject
from defib.lab.siteserver import SiteServer, http_date
from defib.lab.web import Request, Response

Headers = tuple[tuple[str, str], ...]
_HTML = ("Content-Type", "text/html; charset=utf-8")
_TEXT = ("Content-Type", "text/plain; charset=utf-8")


class Platform(Protocol):
    """The part of an edge that differs between vendors."""

    @property
    def default_certificate(self) -> str:
        """The name that the platform's own certificate is for."""
        ...

    def marks(self) -> Headers:
        """The headers by which answers of the vendor are known."""
        ...

    def withheld(self, project: HostedProject) -> Response | None:
        """The vendor's page where it serves none of the account's sites, None where it does."""
        ...

    def unknown_host(self) -> Response:
        """The vendor's page for a name that no project holds."""
        ...

    def no_such_page(self) -> Response:
        """The vendor's page for a path that the deployment does not have."""
        ...

    def failed(self, status: int) -> Response:
        """The vendor's page where its edge fails."""
        ...


class HostingEdge:
    """One edge of one platform, with every fault of :data:`defib.lab.faults.EDGE_FAULTS`.

    `headers` are those that the deployments add to each of their pages (``vercel.json``, ``_headers``).
    """

    def __init__(
        self,
        address: str,
        port: int,
        platform: Platform,
        project: Callable[[], HostedProject],
        *,
        headers: Headers,
        authority: LabAuthority,
        clock: Clock,
    ) -> None:
        identity = HostingIdentity(authority, platform.default_certificate, self._certified_until)
        self.server = SiteServer(address, port, self._answer, identity)
        self._platform = platform
        self._project = project
        self._headers = headers
        self._clock = clock

    def _certified_until(self, host: str) -> datetime | None:
        held = self._project().held(host)
        return held.certificate_until if held is not None and held.verified else None

    async def _answer(self, request: Request) -> Response:
        fault = self.server.switch.spend() or Fault("none")
        if fault.name == "slow":
            await asyncio.sleep(fault.option("delay", 5))
        response = self._own_page(fault) or self._page(request, fault)
        if fault.name == "truncated":
            response = Response(response.status, response.headers, response.body, cut=len(response.body) // 2)
        return response.with_headers(("Date", http_date(self._clock)))

    def _own_page(self, fault: Fault) -> Response | None:
        """What a broken edge answers whatever it is asked."""
        if fault.name == "5xx":
            return self._platform.failed(int(fault.option("status", 503)))
        if fault.name == "wrong-page":
            return Response(200, (_HTML,), PARKED)
        if fault.name == "empty-page":
            return Response(200, (_HTML,))
        return None

    def _page(self, request: Request, fault: Fault) -> Response:
        project = self._project()
        live = project.serving(request.host)
        if live is None:
            return self._platform.unknown_host()
        withheld = self._platform.withheld(project)
        if withheld is not None:
            return withheld
        found = _object(live, request.path, fault)
        if found is None or request.method not in ("GET", "HEAD"):
            return self._platform.no_such_page()
        named = (("Content-Type", found.content_type), ("ETag", found.etag), ("Cache-Control", found.cache_control))
        unchanged = request.headers.get("if-none-match") == found.etag
        response = Response(304 if unchanged else 200, (*named, *self._platform.marks()), b"" if unchanged else found.body)
        return response if fault.name == "missing-headers" else response.with_headers(*self._headers)


def _object(live: Deployed, path: str, fault: Fault) -> StoredObject | None:
    key = "index.html" if path == "/" else path[1:]
    stale = older_build(live.build, fault).get(key) if fault.name == "stale-build" else None
    return stale or live.build.get(key)


@dataclass(frozen=True)
class VercelPlatform:
    """Vercel's edge; errors: https://vercel.com/docs/errors."""

    default_certificate: str = "*.vercel.app"

    def marks(self) -> Headers:
        return (("Server", "Vercel"), ("X-Vercel-Cache", "HIT"), ("X-Vercel-Id", _vercel_id()))

    def withheld(self, project: HostedProject) -> Response | None:
        if project.blocked:
            return self._error(402, "DEPLOYMENT_DISABLED", "This deployment is temporarily unavailable.")
        if project.paused:
            return self._error(503, "DEPLOYMENT_PAUSED", "This deployment is temporarily paused.")
        return None

    def unknown_host(self) -> Response:
        return self._error(404, "DEPLOYMENT_NOT_FOUND", "The deployment could not be found on Vercel.")

    def no_such_page(self) -> Response:
        return self._error(404, "NOT_FOUND", "The page could not be found")

    def failed(self, status: int) -> Response:
        return self._error(status, "INTERNAL_FUNCTION_SERVICE_UNAVAILABLE", "This Serverless Function has crashed.")

    def _error(self, status: int, code: str, words: str) -> Response:
        request = _vercel_id()
        body = f"{words}\n\n{code}\n\n{request}\n"
        return Response(
            status, (_TEXT, ("Server", "Vercel"), ("X-Vercel-Error", code), ("X-Vercel-Id", request)), body.encode()
        )


@dataclass(frozen=True)
class NetlifyPlatform:
    """Netlify's edge."""

    default_certificate: str = "*.netlify.app"

    def marks(self) -> Headers:
        return (("Server", "Netlify"), ("Cache-Status", '"Netlify Edge"; hit'), ("X-NF-Request-ID", _netlify_id()))

    def withheld(self, project: HostedProject) -> Response | None:
        if not (project.blocked or project.paused):
            return None
        page = "<html><head><title>Site not available</title></head><body>usage_exceeded</body></html>\n"
        return Response(503, (_HTML, ("Server", "Netlify"), ("X-NF-Request-ID", _netlify_id())), page.encode())

    def unknown_host(self) -> Response:
        request = _netlify_id()
        marks = (_TEXT, ("Server", "Netlify"), ("X-NF-Request-ID", request))
        return Response(404, marks, f"Not Found - Request ID: {request}".encode())

    def no_such_page(self) -> Response:
        page = (
            "<html><head><title>Page not found</title></head><body>Looks like you've followed a broken link.</body></html>\n"
        )
        return Response(404, (_HTML, *self.marks()), page.encode())

    def failed(self, status: int) -> Response:
        request = _netlify_id()
        marks = (_TEXT, ("Server", "Netlify"), ("X-NF-Request-ID", request))
        return Response(status, marks, f"Internal Server Error - Request ID: {request}".encode())


def _vercel_id() -> str:
    return f"iad1::{secrets.token_hex(3)}-{secrets.token_hex(6)}"


def _netlify_id() -> str:
    return secrets.token_hex(13).upper()
