"""Real Git over HTTP on loopback: `git http-backend` behind a log-in, and the ways in which a Git host fails."""

from __future__ import annotations

import base64
import gzip
import os
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class GitServer:
    """Serves the repositories under `root` to whoever brings `token`.

    `status` is answered to everything when it is set, with the text `says`; `location` is where a redirect leads. Requests
    with `hang_at` in their path or body get no answer, of those with `cut_at` the connection breaks off in the middle of it.
    An `old` one speaks no protocol but the first. `lists` is what it answers to whoever asks for refs, instead of what git
    would. `logins` are the Authorization headers it was sent.
    """

    root: Path
    token: str = "glpat-abcdefghijklmnop"
    status: int = 0
    says: str = "no"
    location: str = ""
    hang_at: bytes | None = None
    cut_at: bytes | None = None
    old: bool = False
    lists: bytes | None = None
    url: str = ""
    logins: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def at(self, repository: str) -> str:
        """The URL of a repository."""
        return f"{self.url}/{repository}"

    def allows(self, login: str) -> bool:
        """Whether the Authorization header has the token as password."""
        kind, _, value = login.partition(" ")
        if kind != "Basic":
            return False
        return base64.b64decode(value).decode().partition(":")[2] == self.token


@contextmanager
def serving(root: Path, tls: ssl.SSLContext | None = None) -> Iterator[GitServer]:
    """A server that runs until the block ends."""
    server = GitServer(root)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            _answer(self, server)

        do_POST = do_GET  # noqa: N815 - the name is the library's

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
            """Say nothing."""

    web = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    web.daemon_threads = True
    if tls is not None:
        web.socket = tls.wrap_socket(web.socket, server_side=True, do_handshake_on_connect=False)
    server.url = f"http{'s' if tls else ''}://127.0.0.1:{web.server_port}"
    thread = threading.Thread(target=web.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        web.shutdown()
        web.server_close()
        thread.join()


def _answer(request: BaseHTTPRequestHandler, server: GitServer) -> None:
    body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
    if request.headers.get("Content-Encoding") == "gzip":
        body = gzip.decompress(body)
    asked = request.path.encode() + body
    login = request.headers.get("Authorization", "")
    server.logins.append(login)
    plain = ("Content-Type", "text/plain")
    if server.hang_at is not None and server.hang_at in asked:
        server.over.wait()
        request.close_connection = True
    elif server.status:
        moved = [("Location", server.location)] if server.location else []
        _send(request, server.status, [plain, *moved], server.says.encode())
    elif server.token and not server.allows(login):
        _send(request, 401, [plain, ("WWW-Authenticate", 'Basic realm="git"')], b"HTTP Basic: Access denied")
    elif server.lists is not None and b"command=ls-refs" in asked:
        _send(request, 200, [("Content-Type", "application/x-git-upload-pack-result")], server.lists)
    else:
        status, headers, content = _backend(request, server, body)
        cut = server.cut_at is not None and server.cut_at in asked
        _send(request, status, headers, content, len(content) // 2 if cut else len(content))


def _backend(request: BaseHTTPRequestHandler, server: GitServer, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
    path, _, query = request.path.partition("?")
    environment = {
        "PATH": os.environ["PATH"],
        "GIT_PROJECT_ROOT": str(server.root),
        "GIT_HTTP_EXPORT_ALL": "1",
        "GIT_CONFIG_NOSYSTEM": "1",
        "HOME": str(server.root),
        "REQUEST_METHOD": request.command,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "CONTENT_TYPE": request.headers.get("Content-Type", ""),
        "CONTENT_LENGTH": str(len(body)),
        "GIT_PROTOCOL": "" if server.old else request.headers.get("Git-Protocol", ""),
        "REMOTE_USER": "git",
    }
    done = subprocess.run(["git", "http-backend"], input=body, env=environment, capture_output=True, check=False)
    head, _, content = done.stdout.partition(b"\r\n\r\n")
    headers = [(name, value) for name, _, value in (line.partition(": ") for line in head.decode().split("\r\n"))]
    status = next((int(value[:3]) for name, value in headers if name == "Status"), 200)
    return status, [pair for pair in headers if pair[0] not in {"Status", ""}], content


def _send(
    request: BaseHTTPRequestHandler, status: int, headers: list[tuple[str, str]], content: bytes, part: int | None = None
) -> None:
    request.send_response(status)
    for name, value in headers:
        request.send_header(name, value)
    request.send_header("Content-Length", str(len(content)))
    request.end_headers()
    request.wfile.write(content[:part])
    request.close_connection = part not in {None, len(content)}
