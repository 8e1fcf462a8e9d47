"""``pub get``, as far as a build depends on it: every package that the project names must be in the registry."""

from __future__ import annotations

import http.client
from collections.abc import Sequence
from urllib.parse import urlsplit

from defib.lab.flutter.project import BuildFailed

_PATIENCE = 10.0


def get_packages(registry: str, names: Sequence[str]) -> None:
    """Ask the registry (a URL) for each package; :class:`BuildFailed` where it has none, or cannot be asked in time."""
    url = urlsplit(registry)
    for name in names:
        connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=_PATIENCE)
        try:
            connection.request("GET", f"/api/packages/{name}", headers={"Accept": "application/vnd.pub.v2+json"})
            status = connection.getresponse().status
        except OSError as error:
            raise BuildFailed(f"Got socket error trying to find package {name} at {registry}: {error}") from error
        finally:
            connection.close()
        if status != http.client.OK:
            wrong = "could not be found" if status == http.client.NOT_FOUND else f"could not be asked for (HTTP {status})"
            raise BuildFailed(f"Because the project depends on {name}, which {wrong} at {registry}, version solving failed.")
