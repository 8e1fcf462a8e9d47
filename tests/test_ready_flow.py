"""The readiness flow against a real Prefect server: one flow run, one artifact, its tags and its verdict."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from defib.lab import process
from tests.conftest import ROOT, Defib, LabMaker
from tests.flows.prefect_server import PrefectServer, serving

NET = "127.98"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """A Prefect server for this module."""
    with serving(tmp_path_factory.mktemp("prefect")) as running:
        yield running


@pytest.fixture(scope="module")
def lab(make_lab: LabMaker) -> Defib:
    """A lab for this module."""
    return make_lab(NET)


def look(lab: Defib, server: PrefectServer) -> None:
    """Run the flow as a worker would."""
    code = "from flows.readiness import readiness; readiness('lab', return_state=True)"
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


def test_what_is_found_is_an_artifact(lab: Defib, server: PrefectServer) -> None:
    """D11: what would stop a recovery fails the flow run, and stands in the first row of the table that everybody sees."""
    process.break_(lab.home, "route53-api", "read-only")
    look(lab, server)
    (flow,) = [each for each in server.find("flow_runs") if each["name"] == "readiness-lab"]
    assert (flow["state_type"], flow["state_name"]) == ("FAILED", "Not ready")
    assert "route53:ChangeResourceRecordSets" in flow["state"]["message"]
    assert set(flow["tags"]) == {"site:lab", "readiness:fail"}
    (artifact,) = [each for each in server.find("artifacts") if each["flow_run_id"] == flow["id"]]
    assert (artifact["key"], artifact["type"]) == ("readiness-lab", "table")
    assert artifact["description"].startswith("**lab: fail** at ")
    data = artifact["data"]
    rows = json.loads(data) if isinstance(data, str) else data
    assert (rows[0]["state"], rows[0]["check"]) == ("fail", "credentials")
    assert {row["check"] for row in rows} >= {"lease", "ttl", "certificate", "caa", "alias", "build", "proved"}


def test_the_board_is_put_in_the_place_of_the_last(lab: Defib, server: PrefectServer) -> None:
    """Every site and each of them, as Markdown and as a picture; one of each, however often it was refreshed."""
    for _ in range(2):
        look(lab, server)
    boards = [each for each in server.find("artifacts") if str(each["key"]).startswith("board")]
    assert sorted(each["key"] for each in boards) == ["board", "board-lab", "board-lab-picture", "board-picture"]
    shown = {each["key"]: each for each in boards}
    kept = json.loads((lab.home / "sites" / "lab" / "readiness.json").read_bytes())
    assert kept["site"] == "lab"
    assert "**not ready**" in shown["board-lab"]["data"]
    assert "| [lab]" not in shown["board"]["data"]
    assert "| lab |" in shown["board"]["data"]
    for key in ("board-picture", "board-lab-picture"):
        assert shown[key]["type"] == "image"
        assert shown[key]["data"].startswith("data:image/svg+xml;base64,")
