"""The scheduled mirror flow against a real Prefect server: one flow run, one table, its tags and its verdict."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from defib.lab import process
from tests.conftest import ROOT, Defib, LabMaker
from tests.flows.prefect_server import PrefectServer, serving

NET = "127.87"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """A Prefect server for this module."""
    with serving(tmp_path_factory.mktemp("prefect")) as running:
        yield running


@pytest.fixture(scope="module")
def lab(make_lab: LabMaker) -> Defib:
    """A lab for this module."""
    return make_lab(NET)


def mirror(lab: Defib, server: PrefectServer) -> dict[str, Any]:
    """Run the flow as a worker would; gives the newest flow run of it."""
    code = "from flows.mirroring import mirroring; mirroring('lab', return_state=True)"
    defib = replace(lab, extra={"PREFECT_API_URL": server.api})
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=defib.environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = [each for each in server.find("flow_runs") if each["name"] == "git-mirror-lab"]
    newest: dict[str, Any] = max(found, key=lambda each: each["start_time"])
    return newest


def test_repository_by_mirror_is_a_table(lab: Defib, server: PrefectServer) -> None:
    """What everybody sees on the board: equal, behind by, verdict; and red when the source is emptied (G1)."""
    green = mirror(lab, server)
    assert (green["state_type"], green["state_name"]) == ("COMPLETED", "Mirrored")
    assert {"site:lab", "verdict:recovered"} <= set(green["tags"])
    (artifact,) = [each for each in server.find("artifacts") if each["flow_run_id"] == green["id"]]
    data = artifact["data"]
    (row,) = json.loads(data) if isinstance(data, str) else data
    assert (artifact["key"], row["repository"], row["mirror"], row["wrong"]) == ("lab-mirrors", "lab", "gitlab", "")
    process.break_(lab.home, "github", "emptied")
    red = mirror(lab, server)
    assert (red["state_type"], red["state_name"]) == ("FAILED", "Refused")
    assert "Not every mirror holds everything" in red["state"]["message"]
