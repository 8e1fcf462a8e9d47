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


def test_what_is_found_is_an_artifact(lab: Defib, server: PrefectServer) -> None:
    """D11: what would stop a recovery fails the flow run, and stands in the first row of the table that everybody sees."""
    process.break_(lab.home, "route53-api", "read-only")
    code = "from flows.readiness import readiness; readiness('lab', return_state=True)"
    defib = replace(lab, extra={"PREFECT_API_URL": server.api})
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=defib.environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
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
