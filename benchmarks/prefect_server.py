"""A Prefect server on SQLite for a benchmark, and when it did what."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.commands import end
from defib.clock import Clock, Deadline, SystemClock
from defib.errors import LabDown

_PATIENCE = timedelta(seconds=90)
_SETTLED = timedelta(seconds=5)
_ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Server:
    """A running server."""

    api: str

    def ask(self, path: str, body: Mapping[str, Any]) -> Any:
        """What the API answers."""
        request = urllib.request.Request(
            f"{self.api}/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def seen_by(self, environment: Mapping[str, str]) -> dict[str, str]:
        """This environment with `environment`, and without what is said of other servers."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        return {**kept, **environment}

    @contextmanager
    def running(self, command: Sequence[str], environment: Mapping[str, str]) -> Iterator[None]:
        """A process beside the server for as long as the context lasts."""
        process = subprocess.Popen(
            command,
            env=self.seen_by(environment),
            cwd=_ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        try:
            yield
        finally:
            end(process)

    def until_there_is(self, what: str) -> None:
        """Wait until the API lists something of a kind."""
        clock = SystemClock()
        within = Deadline.after(clock, _PATIENCE)
        while not self.ask(f"{what}/filter", {}):
            if within.expired():
                raise LabDown(f"the Prefect server has no {what}", where=self.api)
            clock.sleep(timedelta(milliseconds=100))

    def moments(self, name: str, alarm: str, clock: Clock) -> tuple[datetime, ...]:
        """When the flow run of an alarm was made, picked up, and running; nothing where there is none.

        SQLite may fail while two write, and the server then acts twice: the first flow run is the one that counts.
        """
        within = Deadline.after(clock, _SETTLED)
        while not within.expired():
            runs = self.ask("flow_runs/filter", {"flow_runs": {"name": {"any_": [name]}}})
            made = sorted((_at(each["created"]), each["id"]) for each in runs if each["parameters"].get("id") == alarm)
            if made:
                return (made[0][0], *self._states(made[0][1]))
            clock.sleep(timedelta(milliseconds=200))
        return ()

    def _states(self, run: str) -> tuple[datetime, datetime]:
        with urllib.request.urlopen(f"{self.api}/flow_run_states/?flow_run_id={run}", timeout=10) as answer:
            states = {each["type"]: _at(each["timestamp"]) for each in json.load(answer)}
        return states["PENDING"], states["RUNNING"]


@contextmanager
def served(folder: Path) -> Iterator[Server]:
    """A server of its own for as long as the context lasts."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = Server(f"http://127.0.0.1:{port}/api")
    environment = {"HOME": str(folder), "PREFECT_HOME": str(folder / "prefect"), "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port), "--no-ui"]
    with server.running(command, environment):
        clock = SystemClock()
        within = Deadline.after(clock, _PATIENCE)
        while not _ready(server):
            if within.expired():
                raise LabDown("the Prefect server of the benchmark does not start", where=server.api)
            clock.sleep(timedelta(milliseconds=200))
        yield server


def _ready(server: Server) -> bool:
    try:
        urllib.request.urlopen(f"{server.api}/ready", timeout=5).close()
    except (urllib.error.URLError, OSError):
        return False
    return True


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)
