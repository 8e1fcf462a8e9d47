"""A registry of Dart packages as ``pub`` asks it: which versions of a package there are. Faults: refuse, hang, 500.

https://github.com/dart-lang/pub/blob/master/doc/repository-spec-v2.md
"""

from __future__ import annotations

import hashlib
import json

from defib.lab.faulty import FaultyServer
from defib.lab.web import Request, Response

_KIND = ("Content-Type", "application/vnd.pub.v2+json")
_PREFIX = "/api/packages/"


class Registry:
    """Has the packages that it was given, each in one version."""

    def __init__(self, address: str, port: int, packages: dict[str, str]) -> None:
        self.server = FaultyServer(
            address, port, self._answer, Response(503, (_KIND,), b'{"error": {"code": "unavailable"}}')
        )
        self._packages = packages

    @property
    def url(self) -> str:
        """What clients have as ``PUB_HOSTED_URL``."""
        return self.server.web.url

    async def _answer(self, request: Request) -> Response:
        name = request.path.removeprefix(_PREFIX)
        if request.method != "GET" or name not in self._packages:
            return Response(404, (_KIND,), b'{"error": {"code": "NotFound", "message": "Could not find the package."}}')
        version = self._packages[name]
        told = {
            "version": version,
            "archive_url": f"{self.url}/packages/{name}/versions/{version}.tar.gz",
            "archive_sha256": hashlib.sha256(f"{name} {version}".encode()).hexdigest(),
            "pubspec": {"name": name, "version": version},
        }
        return Response(200, (_KIND,), json.dumps({"name": name, "latest": told, "versions": [told]}).encode())
