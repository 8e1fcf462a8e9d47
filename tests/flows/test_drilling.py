"""Drills in Prefect, on a real server with real workers: what is due is held, told, and outlives whoever follows it."""

from __future__ import annotations

import json
import os
import signal
from base64 import b64decode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from defib.drills.proofs import drill_folders
from defib.history import is_alive
from defib.home import Home
from defib.lab import process
from tests.conftest import LabMaker
from tests.drills.schedule import schedules
from tests.flows.prefect_server import serving
from tests.flows.prefect_stage import Board, until

NET = "127.171"


@pytest.fixture(scope="module")
def board(make_lab: LabMaker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    """A lab, a server, the deployments of ``prefect.yaml``, and no worker yet."""
    home = tmp_path_factory.mktemp("prefect")
    with serving(home) as server:
        made = Board(make_lab(NET), server, home)
        made.python("-m", "flows.deploy", "lab")
        yield made


def ask(board: Board, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """What the server's API says."""
    said: dict[str, Any] = board.server.ask(path, body) if body is not None else board.server.ask(path)
    return said


def drills(board: Board) -> list[Path]:
    """The folders of the drills of the lab."""
    return drill_folders(Home.open(board.lab.home), "lab")


def ended(board: Board, made: dict[str, Any]) -> dict[str, Any]:
    """A flow run that has ended, by itself: that its first process was killed may be told while the retry begins."""
    until(lambda: ask(board, f"flow_runs/{made['id']}")["state_type"] in {"COMPLETED", "FAILED"}, "its end")
    return ask(board, f"flow_runs/{made['id']}")


def test_a_drill_that_is_due_outlives_the_worker(board: Board) -> None:
    """Kill -9 of the worker in the middle: the drill ends well; the flow run, retried, follows it and tells everybody."""
    deployment = ask(board, "deployments/name/drilling/lab")
    (schedule,) = deployment["schedules"]
    assert (schedule["schedule"]["cron"], schedule["schedule"]["timezone"]) == ("0 * * * *", "UTC")
    assert deployment["parameter_openapi_schema"]["properties"]["procedure"]["title"] == "Procedure"
    before = process.client(board.lab.home).fingerprint()
    with schedules(board.lab) as make:
        make("cdn-failover", timedelta(minutes=2))
        made = ask(board, f"deployments/{deployment['id']}/create_flow_run", {})
        with board.worker("defib") as worker:
            until(lambda: drills(board), "the drill")
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()
        (folder,) = drills(board)
        assert is_alive(folder)
        ask(
            board,
            f"flow_runs/{made['id']}/set_state",
            {"state": {"type": "SCHEDULED", "name": "AwaitingRetry"}, "force": True},
        )
        with board.worker("defib", "worker-2"):
            flow = ended(board, made)
            nothing = ended(board, ask(board, f"deployments/{deployment['id']}/create_flow_run", {}))
    assert (flow["state_type"], flow["state_name"], flow["name"]) == ("COMPLETED", "Done", "drilling-lab"), flow["state"]
    assert {"site:lab", "drill:cdn-failover", "verdict:done", "rto:met", "rpo:met"} <= set(flow["tags"])
    assert (nothing["state_type"], nothing["state_name"]) == ("COMPLETED", "Nothing due")
    assert drills(board) == [folder]
    assert process.client(board.lab.home).fingerprint() == before
    _is_shown(board.artifacts(flow))
    _is_listed(board, folder)


def _is_shown(shown: dict[str, Any]) -> None:
    """Verdict and score, what is to be filled in, and how RTO and RPO went as pictures."""
    assert set(shown) == {f"lab-cdn-failover-{each}" for each in ("drill", "after-action", "rto-trend", "rpo-trend")}
    assert shown["lab-cdn-failover-drill"].startswith("# Drill of cdn-failover on lab: done")
    assert "| RTO | ✓ met |" in shown["lab-cdn-failover-drill"]
    assert "| readiness | ✓ met |" in shown["lab-cdn-failover-drill"]
    assert "## Corrective actions" in shown["lab-cdn-failover-after-action"]
    kind, _, picture = shown["lab-cdn-failover-rto-trend"].partition(",")
    assert kind == "data:image/svg+xml;base64"
    assert b64decode(picture).startswith(b"<svg")


def _is_listed(board: Board, folder: Path) -> None:
    """On the command line, on the page of drills, in the drill's own report and in readiness."""
    lab, page = board.lab, board.home / "drills.html"
    listed = lab("drills", "--site", "lab", "--html", str(page), "--json").json
    (line,) = listed["drills"]
    assert (line["drill_id"], line["why"], line["rto"]["verdict"]) == (folder.name, "monthly", "met")
    assert line["score"] >= 90
    assert listed["next"]["cdn-failover"] > datetime.now(UTC).isoformat()
    assert folder.name in page.read_text(encoding="utf-8")
    figures = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert (figures["procedure"], figures["ending"], figures["due"] is None) == ("cdn-failover", "done", False)
    assert {point["name"] for point in figures["score"]["points"]} >= {"RTO", "RPO", "eyewitness", "no residue"}
    checks = lab("ready", "--site", "lab", "--json").json["checks"]
    (proved,) = [each for each in checks if (each["name"], each["about"]) == ("proved", "cdn-failover")]
    assert f"by drill {folder.name}" in proved["text"]
