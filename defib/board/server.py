"""The board over HTTP, on this machine: the page, and the same as JSON.

It reads the disk and nothing else, takes GET and HEAD alone, and serves a few at a time. The page is made anew when somebody
asks, and at most once a second.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from socketserver import TCPServer
from typing import Any

from defib.clock import Clock
from defib.errors import PortTaken

ANEW_AFTER = timedelta(seconds=1)
AT_ONCE = 16
PATIENCE = 10.0
"""Seconds that somebody may take to ask, and to read the answer."""

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_KINDS = {
    "html": "text/html; charset=utf-8",
    "json": "application/json; charset=utf-8",
    "plain": "text/plain; charset=utf-8",
}

Pages = Callable[[], tuple[str, str]]
"""Makes the page and its JSON."""


class Fresh:
    """The page and its JSON, made anew where they are older than :data:`ANEW_AFTER`; one at a time makes them."""

    def __init__(self, make: Pages, clock: Clock) -> None:
        self._make = make
        self._clock = clock
        self._lock = threading.Lock()
        self._made: tuple[str, str] | None = None
        self._at = timedelta(0)

    def pages(self) -> tuple[str, str]:
        """Both as they are now, or were less than a second ago."""
        with self._lock:
            if self._made is None or self._clock.monotonic() - self._at >= ANEW_AFTER:
                self._made = self._make()
                self._at = self._clock.monotonic()  # from its end: a slow board must not take the whole machine
            return self._made


class BoardServer:
    """Listens on `host` and `port` (0 is any free one); :class:`PortTaken` where it cannot."""

    def __init__(self, host: str, port: int, fresh: Fresh) -> None:
        self._here = ip_address(host).is_loopback
        try:
            self._server = _Bounded((host, port), partial(_Handler, fresh=fresh, here=self._here))
        except OSError as error:
            raise PortTaken(
                f"cannot listen: {error.strerror}", where=f"{host}:{port}", then="defib board --serve --port ANOTHER"
            ) from error

    @property
    def url(self) -> str:
        """Where the board is."""
        host, port = self._server.server_address[:2]
        shown = f"[{host!s}]" if ":" in str(host) else str(host)
        return f"http://{shown}:{port}/"

    def serve(self) -> None:
        """Serve until :meth:`close`."""
        self._server.serve_forever(poll_interval=0.2)

    def close(self) -> None:
        """Stop serving; idempotent, from any thread but the one that serves."""
        self._server.shutdown()
        self._server.server_close()


class _Bounded(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = AT_ONCE

    def __init__(self, address: tuple[str, int], handler: Any) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self._places = threading.BoundedSemaphore(AT_ONCE)
        super().__init__(address, handler)

    def server_bind(self) -> None:
        """Bind without asking any name server what this machine is called: it may be what is down."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        """Whoever comes when all places are taken is sent away at once."""
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one, and give back its place."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away in the middle is nobody's trouble."""


class _Handler(BaseHTTPRequestHandler):
    timeout = PATIENCE
    server_version = "defib"
    sys_version = ""

    def __init__(self, *args: Any, fresh: Fresh, here: bool) -> None:
        self._fresh = fresh
        self._here = here
        super().__init__(*args)

    def do_GET(self) -> None:
        """The page at ``/``, its JSON at ``/board.json``."""
        path = self.path.partition("?")[0]
        if self._here and not _names_this_machine(self.headers.get("Host", "")):
            # A page of somebody else's, whose name leads here, must not read the board in a visitor's browser.
            self._answer(HTTPStatus.MISDIRECTED_REQUEST, "plain", "ask for it by the address of this machine\n")
        elif path == "/":
            self._answer(HTTPStatus.OK, "html", self._fresh.pages()[0])
        elif path == "/board.json":
            self._answer(HTTPStatus.OK, "json", self._fresh.pages()[1])
        else:
            self._answer(HTTPStatus.NOT_FOUND, "plain", "there is / and /board.json\n")

    do_HEAD = do_GET  # noqa: N815 - the name of the standard library

    def _answer(self, status: HTTPStatus, kind: str, text: str) -> None:
        body = text.encode("utf-8", "backslashreplace")
        self.send_response(status)
        for name, value in {**_HEADERS, "Content-Type": _KINDS[kind], "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the standard library
        """Nobody reads who looked at it."""


def _names_this_machine(host: str) -> bool:
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    if name.lower() == "localhost":
        return True
    try:
        return ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False
