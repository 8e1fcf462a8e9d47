"""The scheduled check of replicas against a real Prefect server: by itself, and spread over the workers of a work pool."""

from __future__ import annotations

import json
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

import pytest

from defib.clock import Deadline, SystemClock
from tests.conftest import ROOT, Defib, LabMaker
from tests.flows.prefect_server import PrefectServer, serving

NET = "127.99"
WORKERS = 2
DEPLOY = """
from prefect import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.types.entrypoint import EntrypointType
from flows.replication_range import replication_range

with get_client(sync_client=True) as client:
    client.create_work_pool(WorkPoolCreate(name="ranges", type="process"))
kind = EntrypointType.MODULE_PATH
replication_range.to_deployment("lab", work_pool_name="ranges", entrypoint_type=kind).apply()
"""


@dataclass(frozen=True)
class Board:
    """A lab, and a Prefect server that knows nothing of it."""

    lab: Defib
    server: PrefectServer
    home: Path

    @property
    def environment(self) -> dict[str, str]:
        """That of whoever runs flows."""
        extra = {"PREFECT_API_URL": self.server.api, "PREFECT_WORKER_QUERY_SECONDS": "1", "PYTHONPATH": str(ROOT)}
        return replace(self.lab, extra=extra).environment()

    def python(self, code: str) -> None:
        """Run some code as a worker would."""
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def check(self, ranges: str = "") -> tuple[dict[str, Any], dict[str, Any]]:
        """Run the scheduled flow; gives its flow run, and what it found of the one pair."""
        self.python(f"from flows.replicating import replicating; replicating('lab', {ranges!r}, return_state=True)")
        newest = max(folder for folder in (self.lab.home / "runs").iterdir() if "-replication-check-" in folder.name)
        (told,) = json.loads((newest / "report.json").read_text(encoding="utf-8"))["replicas"]
        runs = [each for each in self.server.find("flow_runs") if each["name"] == "replication-check-lab"]
        return max(runs, key=lambda each: str(each["start_time"])), told

    def artifacts(self, run: dict[str, Any]) -> dict[str, Any]:
        """What a flow run published, by key."""
        return {each["key"]: each["data"] for each in self.server.find("artifacts") if each["flow_run_id"] == run["id"]}

    @contextmanager
    def worker(self, number: int) -> Iterator[None]:
        """One worker of the pool, as on a machine of its own."""
        command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "ranges", "--name", f"worker-{number}"]
        with (self.home / f"worker-{number}.log").open("wb") as log:
            process = subprocess.Popen(
                command, env=self.environment, cwd=ROOT, stdout=log, stderr=log, start_new_session=True
            )
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture(scope="module")
def board(make_lab: LabMaker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    """Both for this module."""
    home = tmp_path_factory.mktemp("prefect")
    with serving(home) as server:
        yield Board(make_lab(NET), server, home)


def test_a_check_is_a_table_and_a_picture(board: Board) -> None:
    """What everybody sees on the board: what would be lost, by pair, and how that was over time."""
    run, _ = board.check()
    assert (run["state_type"], run["state_name"]) == ("COMPLETED", "Compared"), run["state"]["message"]
    assert {"site:lab", "verdict:recovered", "rpo:met"} <= set(run["tags"])
    published = board.artifacts(run)
    table = published["lab-replicas"]
    (row,) = json.loads(table) if isinstance(table, str) else table
    assert (row["pair"], row["would be lost"], row["verdict"], row["wrong"]) == ("assets", "0 s", "met", "")
    assert published["lab-replicas-over-time"].startswith("data:image/svg+xml;base64,")


def test_workers_find_what_one_process_finds(board: Board) -> None:
    """Every range is compared by a run of its own, on the workers of a pool, and the sum is the same."""
    _, here = board.check()
    board.python(DEPLOY)
    with board.worker(1), board.worker(2):
        _until(lambda: len(board.server.find("work_pools/ranges/workers")) == WORKERS)
        _, there = board.check("replication-range/lab")
    counted = ("versions", "same", "bytes", "counts", "exposure_s")
    assert {name: there[name] for name in counted} == {name: here[name] for name in counted}
    runs = [each for each in board.server.find("flow_runs") if each["name"].startswith("replication-range-")]
    assert len(runs) > 1
    assert {each["state_type"] for each in runs} == {"COMPLETED"}


def _until(holds: Callable[[], bool]) -> None:
    clock = SystemClock()
    within = Deadline.after(clock, timedelta(seconds=60))
    while not holds():
        assert not within.expired(), "the workers never came"
        clock.sleep(timedelta(milliseconds=200))
