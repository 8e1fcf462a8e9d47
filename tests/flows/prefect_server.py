"""A real Prefect server for tests, and impostors that are worse than none."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

from defib.clock import Deadline, SystemClock
from tests.ports import free_port

READY = b"GET /api/ready"
_OK = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{"message":"OK"}'
_BROKEN = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"


@dataclass(frozen=True)
class PrefectApi:
    """What somebody asks of a server, whoever has started it."""

    api: str

    @property
    def pages(self) -> str:
        """The address of its pages for people, where it serves them."""
        return f"{self.api.removesuffix('/api')}/v2"

    def find(self, what: str, **body: object) -> list[dict[str, Any]]:
        """What the API lists of a kind, such as ``flow_runs``."""
        found: list[dict[str, Any]] = self.ask(f"{what}/filter", body)
        return found

    def ask(self, path: str, body: object | None = None) -> Any:
        """What the API answers at a path; with a body it is posted. While SQLite is locked it is asked again."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.api}/{path}", data, {"Content-Type": "application/json"})
        clock = SystemClock()
        within = Deadline.after(clock, timedelta(seconds=30))
        while True:
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                if error.code != HTTPStatus.SERVICE_UNAVAILABLE or within.expired():
                    raise
            clock.sleep(timedelta(milliseconds=200))


@dataclass(frozen=True)
class PrefectServer(PrefectApi):
    """A server on SQLite with a home of its own."""

    process: subprocess.Popen[bytes]

    def kill(self) -> None:
        """Kill -9, with every process it started."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def serving(home: Path, *, pages: bool = False) -> Iterator[PrefectServer]:
    """Start a server, with its `pages` for people or without, and wait until it says that it is ready."""
    port = free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")},
        "HOME": str(home),
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_UI_API_URL": f"http://127.0.0.1:{port}/api",
    }
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    command += [] if pages else ["--no-ui"]
    with (home / "server.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    server = PrefectServer(f"http://127.0.0.1:{port}/api", process)
    try:
        _wait_until_ready(server, home / "server.log")
        yield server
    finally:
        if process.poll() is None:
            server.kill()


@contextmanager
def impostor(*, ready: bool, then: str) -> Iterator[str]:
    """Something that listens where Prefect should: it may say that it is ready, and then ``hangs`` or ``breaks``."""
    listener = socket.create_server(("127.0.0.1", 0))
    kept: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            kept.append(connection)
            threading.Thread(target=_answer, args=(connection, ready, then), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/api"
    finally:
        # Who still waits in accept() when its socket is closed waits on the number, which soon is somebody else's socket.
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        for each in (listener, *kept):
            each.close()


def _answer(connection: socket.socket, ready: bool, then: str) -> None:
    try:
        while request := connection.recv(65536):
            if request.startswith(READY) and ready:
                connection.sendall(_OK)
            elif then == "breaks":
                connection.sendall(_BROKEN)
    except OSError:
        return  # the other side, or the test, has gone


def _wait_until_ready(server: PrefectServer, log: Path) -> None:
    clock = SystemClock()
    limit = Deadline.after(clock, timedelta(seconds=300))
    while not limit.expired():
        assert server.process.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(f"{server.api}/ready", timeout=60).close()
        except (urllib.error.URLError, OSError):
            clock.sleep(timedelta(milliseconds=100))
        else:
            return
    raise AssertionError(f"the Prefect server did not come up: {log.read_text()}")
