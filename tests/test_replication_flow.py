"""The scheduled check of replicas against a real Prefect server: by itself, and spread over the workers of a work pool."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import LabMaker
from tests.flows.prefect_server import serving
from tests.flows.prefect_stage import Board

NET = "127.99"
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


def check(board: Board, ranges: str = "") -> tuple[dict[str, Any], dict[str, Any]]:
    """Run the scheduled flow; gives its flow run, and what it found of the one pair."""
    board.python("-c", f"from flows.replicating import replicating; replicating('lab', {ranges!r}, return_state=True)")
    newest = max(folder for folder in (board.lab.home / "runs").iterdir() if "-replication-check-" in folder.name)
    (told,) = json.loads((newest / "report.json").read_text(encoding="utf-8"))["replicas"]
    runs = [each for each in board.server.find("flow_runs") if each["name"] == "replication-check-lab"]
    return max(runs, key=lambda each: str(each["start_time"])), told


@pytest.fixture(scope="module")
def board(make_lab: LabMaker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    """Both for this module."""
    home = tmp_path_factory.mktemp("prefect")
    with serving(home) as server:
        yield Board(make_lab(NET), server, home)


def test_a_check_is_a_table_and_a_picture(board: Board) -> None:
    """What everybody sees on the board: what would be lost, by pair, and how that was over time."""
    run, _ = check(board)
    assert (run["state_type"], run["state_name"]) == ("COMPLETED", "Compared"), run["state"]["message"]
    assert {"site:lab", "verdict:recovered", "rpo:met"} <= set(run["tags"])
    published = board.artifacts(run)
    table = published["lab-replicas"]
    (row,) = json.loads(table) if isinstance(table, str) else table
    assert (row["pair"], row["would be lost"], row["verdict"], row["wrong"]) == ("assets", "0 s", "met", "")
    assert published["lab-replicas-over-time"].startswith("data:image/svg+xml;base64,")


def test_workers_find_what_one_process_finds(board: Board) -> None:
    """Every range is compared by a run of its own, on the workers of a pool, and the sum is the same."""
    _, here = check(board)
    board.python("-c", DEPLOY)
    with board.worker("ranges", "worker-1"), board.worker("ranges", "worker-2"):
        _, there = check(board, "replication-range/lab")
    counted = ("versions", "same", "bytes", "counts", "exposure_s")
    assert {name: there[name] for name in counted} == {name: here[name] for name in counted}
    runs = [each for each in board.server.find("flow_runs") if each["name"].startswith("replication-range-")]
    assert len(runs) > 1
    assert {each["state_type"] for each in runs} == {"COMPLETED"}
