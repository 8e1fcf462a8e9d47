"""One request of the lab's web server as one call of a WSGI application."""

from __future__ import annotations

import io
import sys
from typing import Any
from urllib.parse import unquote, urlsplit

from moto.moto_server.werkzeug_app import DomainDispatcherApplication

from defib.lab.web import Request, Response


def call(app: DomainDispatcherApplication, request: Request, address: str, port: int) -> Response:
    """One WSGI call, all of its answer at once."""
    answered: list[tuple[int, tuple[tuple[str, str], ...]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], *_: object) -> None:
        answered.append((int(status[:3]), tuple(headers)))

    chunks = app(_environ(request, address, port), start_response)
    body = b"".join(chunks)
    status, headers = answered[-1]
    return Response(status, headers, body)


def _environ(request: Request, address: str, port: int) -> dict[str, Any]:
    url = urlsplit(request.target)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(url.path, "latin-1"),
        "RAW_URI": request.target,
        "REQUEST_URI": request.target,
        "QUERY_STRING": url.query,
        "SERVER_NAME": address,
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": address,
        "CONTENT_LENGTH": str(len(request.body)),
        "CONTENT_TYPE": request.headers.get("content-type", ""),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in request.headers.items():
        if name not in ("content-type", "content-length", "transfer-encoding"):
            environ[f"HTTP_{name.upper().replace('-', '_')}"] = value
    return environ
