"""What belongs to other people: sites that tell a broken site from a broken observer, and APIs that the page calls."""

from __future__ import annotations

from defib.lab.certificates import LabAuthority
from defib.lab.faults import Fault
from defib.lab.siteserver import SiteServer
from defib.lab.web import Request, Response


class Reference:
    """Somebody else's site, fetched to tell a broken site from a broken observer. Faults: refuse, hang."""

    def __init__(self, address: str, port: int, name: str, authority: LabAuthority) -> None:
        self.server = SiteServer(address, port, self._answer, authority.identity(name))
        self._name = name

    async def _answer(self, request: Request) -> Response:
        if request.host != self._name:
            return _misdirected()
        page = f"<!DOCTYPE html><title>{self._name}</title><p>A site of somebody else.</p>\n"
        return Response(200, (("Content-Type", "text/html; charset=utf-8"),), page.encode())


class OthersApi:
    """Somebody else's API: to who brings no key it says so, as the real ones do. Faults: refuse, hang, 5xx."""

    def __init__(self, address: str, port: int, name: str, authority: LabAuthority) -> None:
        self.server = SiteServer(address, port, self._answer, authority.identity(name))
        self._name = name

    async def _answer(self, request: Request) -> Response:
        fault = self.server.switch.spend() or Fault("none")
        if request.host != self._name:
            return _misdirected()
        kind = ("Content-Type", "application/json; charset=utf-8")
        if fault.name == "5xx":
            return Response(int(fault.option("status", 503)), (kind,), b'{"message": "the service is not available"}\n')
        return Response(401, (kind,), b'{"message": "no API key found in the request"}\n')


def _misdirected() -> Response:
    return Response(421, (("Content-Type", "text/plain"),), b"not a name of this site\n")
