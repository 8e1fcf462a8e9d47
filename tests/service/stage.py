"""Somebody at Prefect's API, who has its password, starts a recovery there and approves it elsewhere."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from defib import entries
from defib.clock import Deadline, SystemClock
from defib.history import JOURNAL, status_of
from defib.journal import Record, read_journal
from defib.objectives import Status
from tests.conftest import Defib

CLOCK = SystemClock()
PATIENCE = timedelta(minutes=3)
"""Far more than anything here takes, also on a machine that is busy."""

LOCKED = 503
"""What Prefect answers while its SQLite is locked: it is asked again, as its pages do."""


def wait_until(condition: Callable[[], object]) -> None:
    """Wait for a condition, or fail."""
    deadline = Deadline.after(CLOCK, PATIENCE)
    while not condition():
        assert not deadline.expired(), "the condition did not come true in time"
        CLOCK.sleep(timedelta(milliseconds=100))


@dataclass(frozen=True)
class Somebody:
    """Who asks a server, with a password or without."""

    url: str
    password: str

    def ask(self, path: str, body: object = None) -> Any:
        """What the server answers."""
        token = b64encode(self.password.encode()).decode()
        headers = {"Content-Type": "application/json", **({"Authorization": f"Basic {token}"} if self.password else {})}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{path}", data, headers)
        within = Deadline.after(CLOCK, timedelta(seconds=30))
        while True:
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                if error.code != LOCKED or within.expired():
                    raise
                CLOCK.sleep(timedelta(milliseconds=500))

    def start(self, procedure: str) -> str:
        """Start a procedure on the lab's site from its deployment; the id of the flow run."""
        deployment = self.ask(f"/api/deployments/name/{procedure}/lab")
        asked = {"parameters": {"since": datetime.now(UTC).isoformat()}, "state": {"type": "SCHEDULED"}}
        number: str = self.ask(f"/api/deployments/{deployment['id']}/create_flow_run", asked)["id"]
        return number

    def state(self, flow_run: str) -> str:
        """What the server says of a flow run."""
        name: str = self.ask(f"/api/flow_runs/{flow_run}")["state_name"]
        return name


@dataclass(frozen=True)
class Recovery:
    """The run that somebody started, as its own journal tells it."""

    defib: Defib
    folder: Path

    @classmethod
    def begun(cls, defib: Defib, before: set[Path]) -> Recovery:
        """The run that was not there before, once it has begun: a worker had to take it, and to start it."""
        wait_until(lambda: runs(defib) - before)
        (folder,) = runs(defib) - before
        return cls(defib, folder)

    @property
    def records(self) -> tuple[Record, ...]:
        """Its journal so far."""
        return read_journal(self.folder / JOURNAL)[0]

    @property
    def status(self) -> Status | None:
        """How it ended, None while it has not."""
        return status_of(self.records)

    def approve(self) -> None:
        """Approve its plan by a command, once it asks."""
        wait_until(lambda: self.defib("approve", self.folder.name, "--json").code == 0)
        asked = self.defib("approve", self.folder.name, "--json")
        assert self.defib("approve", self.folder.name, "--digest", asked.json["digest"]).code == 0

    def wait_for(self, step: str) -> None:
        """Wait until a step has begun."""
        wait_until(
            lambda: any(
                isinstance(record.entry, entries.StepStarted) and record.entry.step == step for record in self.records
            )
        )


def runs(defib: Defib) -> set[Path]:
    """The folders of all runs."""
    return {path.parent for path in (defib.home / "runs").glob(f"*/{JOURNAL}")}
