"""A lab beside a Prefect server that knows nothing of it, and workers as on machines of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from defib.clock import Deadline, SystemClock
from tests.conftest import ROOT, Defib
from tests.flows.prefect_server import PrefectApi


@dataclass(frozen=True)
class Board:
    """Both, and a folder for what they say."""

    lab: Defib
    server: PrefectApi
    home: Path

    @property
    def environment(self) -> dict[str, str]:
        """That of whoever runs flows."""
        extra = {"PREFECT_API_URL": self.server.api, "PREFECT_WORKER_QUERY_SECONDS": "1", "PYTHONPATH": str(ROOT)}
        return replace(self.lab, extra=extra).environment()

    def python(self, *arguments: str) -> str:
        """Run Python as a worker would, to its end; gives what it printed."""
        done = subprocess.run(
            [sys.executable, *arguments],
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def artifacts(self, run: dict[str, Any]) -> dict[str, Any]:
        """What a flow run published last under each key."""
        found = sorted(self.server.find("artifacts"), key=lambda each: str(each["created"]))
        return {each["key"]: each["data"] for each in found if each["flow_run_id"] == run["id"]}

    @contextmanager
    def worker(self, pool: str, name: str = "worker-1") -> Iterator[subprocess.Popen[bytes]]:
        """One worker of the pool, there when the context begins; it dies with the context, and its flows with it."""
        command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", pool, "--name", name]
        with (self.home / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                command, env=self.environment, cwd=ROOT, stdout=log, stderr=log, start_new_session=True
            )
        try:
            until(lambda: name in [each["name"] for each in self.server.find(f"work_pools/{pool}/workers")], name)
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def until(holds: Callable[[], object], what: str) -> None:
    """Wait until something holds."""
    clock = SystemClock()
    within = Deadline.after(clock, timedelta(minutes=6))
    while not holds():
        assert not within.expired(), f"{what} never came"
        clock.sleep(timedelta(milliseconds=200))
