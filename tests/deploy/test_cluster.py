"""``deploy/compose.yaml`` for real: PostgreSQL, Redis, two API servers, background services, a worker, and a recovery."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from defib.lab import process
from tests.conftest import Defib, Ended, LabMaker
from tests.deploy.cluster import Cluster, missing, running

NET = "127.162"

pytestmark = pytest.mark.skipif(bool(missing()), reason=f"needs Debian's {missing()}")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """All of it for this module."""
    with running(tmp_path_factory.mktemp("cluster")) as found:
        yield found


@pytest.fixture(scope="module")
def lab(make_lab: LabMaker) -> Defib:
    """A lab for this module."""
    return make_lab(NET)


def ask(cluster: Cluster, path: str, body: object = None, *, known: bool = True) -> Any:
    """What the API answers at the one address, with the password or without."""
    password = cluster.environment("worker")["PREFECT_API_AUTH_STRING"]
    token = {"Authorization": f"Basic {b64encode(password.encode()).decode()}"} if known else {}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{cluster.api}{path}", data, {"Content-Type": "application/json", **token})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def test_whoever_has_no_password_is_told_nothing(cluster: Cluster) -> None:
    """At the one address as at each server."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        ask(cluster, "/flow_runs/filter", {}, known=False)
    assert 401 == refused.value.code
    assert [] == ask(cluster, "/flow_runs/filter", {})


def test_a_recovery_outlives_an_api_server(cluster: Cluster, lab: Defib) -> None:
    """Kill -9 of one of two in mid-run: the run ends well, and Prefect's books on it are complete at the other."""
    clients = cluster.environment("worker")
    settings = {name: value for name, value in clients.items() if name.startswith("PREFECT_")}
    process.break_(lab.home, "cloudfront", "refuse")
    since = datetime.now(UTC).isoformat()
    command = ("run", "cdn-failover", "--site", "lab", "--mode", "rehearsal", "--json", "--since", since)
    begun = replace(lab, extra=settings).start(*command)
    assert begun.stderr is not None
    while "prove-the-standby  done" not in (line := begun.stderr.readline()):
        assert line, "the run ended before it could be disturbed"
    cluster.kill("api-1")
    out, err = begun.communicate(timeout=120)
    ended = Ended(begun.returncode, out, err)
    assert (0, "recovered", True) == (ended.code, ended.json["status"], ended.json["prefect"]["used"]), err
    (run,) = ask(cluster, "/flow_runs/filter", {"flow_runs": {"name": {"any_": [ended.json["run_id"]]}}})
    print(run["state_name"], err, ask(cluster, "/task_runs/filter", {}))
