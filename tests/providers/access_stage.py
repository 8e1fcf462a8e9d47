"""A vendor that answers as it is told, for the tests of what credentials may do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from defib.clock import Deadline, SystemClock

Answers = dict[str, tuple[int, Any]]


@contextmanager
def answering(answers: Answers) -> Iterator[str]:
    """A server that gives these answers by path, and 404 otherwise; gives its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answers.get(self.path.partition("?")[0], (404, {}))
            sent = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the standard library
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def soon() -> Deadline:
    """Enough for a few calls."""
    return Deadline.after(SystemClock(), timedelta(seconds=10))
