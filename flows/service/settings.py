"""The settings of Prefect's server and worker on one machine, as the environment that they are started with.

What several machines are given stands in ``deploy/``; a test holds the two together where they say the same.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import flows
from flows.service.place import Place

POOL = "defib"
"""The work pool that deployments name and workers take from."""

QUIET: Mapping[str, str] = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
}
"""Nobody is told what is done here."""

CLOSED: Mapping[str, str] = {"PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS": "https://nobody.invalid"}
"""Its own pages come from where the API is. By default whatever page a browser shows may ask, start and approve there."""

CLIENT: Mapping[str, str] = {"PREFECT_CLIENT_MAX_RETRIES": "1", "PREFECT_API_REQUEST_TIMEOUT": "5"}
"""A server that is silent costs seconds; by default each call would be tried again for minutes."""

WORKER: Mapping[str, str] = {"PREFECT_WORKER_QUERY_SECONDS": "2"}
"""How often a worker asks for runs: most of the time between an event and the run that it starts."""

# Leases of concurrency limits outlive the server, so that its death does not keep the next run of a site waiting.
_LEASES = "prefect.server.concurrency.lease_storage.filesystem"


def for_server(folder: Path, place: Place, password: str) -> dict[str, str]:
    """What the server is started with; no `password` means that it asks nobody for one."""
    more = {
        "PREFECT_SERVER_API_HOST": place.host,
        "PREFECT_SERVER_API_PORT": str(place.port),
        # Relative: the pages work under every name and port by which a browser got them.
        "PREFECT_SERVER_UI_API_URL": "/api",
        "PREFECT_UI_URL": place.elsewhere,
        "PREFECT_SERVER_UI_STATIC_DIRECTORY": str(folder / "ui"),
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": _LEASES,
    }
    return {**_common(folder), **CLOSED, **more, **({"PREFECT_SERVER_API_AUTH_STRING": password} if password else {})}


def for_clients(folder: Path, place: Place, password: str) -> dict[str, str]:
    """What the worker and everything that asks the server is started with."""
    more = {"PREFECT_API_URL": place.api, **CLIENT, **WORKER}
    return {**_common(folder), **more, **({"PREFECT_API_AUTH_STRING": password} if password else {})}


def profile(place: Place, password: str) -> str:
    """The same for people: a Prefect profile, found by ``PREFECT_HOME`` alone."""
    lines = ['active = "defib"', "", "[profiles.defib]", f'PREFECT_API_URL = "{place.api}"']
    if password:
        lines.append(f'PREFECT_API_AUTH_STRING = "{password}"')
    return "\n".join([*lines, *(f'{name} = "{value}"' for name, value in CLIENT.items()), ""])


def _common(folder: Path) -> dict[str, str]:
    """This environment without its settings of Prefect, which may lead to another server; and where `flows` are found."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    root = str(Path(flows.__file__).resolve().parents[1])
    path = os.pathsep.join(filter(None, (root, kept.get("PYTHONPATH", ""))))
    own = {"PREFECT_HOME": str(folder), "PREFECT_CLI_COLORS": "false", "PREFECT_CLI_PROMPT": "false", "PYTHONPATH": path}
    return {**kept, "DEFIB_HOME": str(folder.parent), **QUIET, **own}
