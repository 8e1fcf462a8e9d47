"""``deploy/compose.yaml`` for real: PostgreSQL, Redis, two API servers, background services, a worker, and a recovery."""

from __future__ import annotations

import subprocess
import sys
import urllib.error
from collections.abc import Iterator

import pytest
import redis

from defib.lab import process
from defib.objectives import Status
from tests.conftest import ROOT, Defib, LabMaker
from tests.deploy.cluster import Cluster, missing, running
from tests.service.stage import Recovery, Somebody, runs, wait_until

NET = "127.169"

pytestmark = pytest.mark.skipif(bool(missing()), reason=f"needs Debian's {missing()}")


@pytest.fixture(scope="module")
def lab(make_lab: LabMaker) -> Defib:
    """A lab for this module."""
    return make_lab(NET)


@pytest.fixture(scope="module")
def cluster(lab: Defib, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """All of it for this module, with a worker in the lab's home and the deployments of its site."""
    with running(tmp_path_factory.mktemp("cluster")) as found:
        home = {"DEFIB_HOME": str(lab.home), "DEFIB_RUNBOOKS": str(ROOT / "runbooks")}
        found.prefect("worker", home)
        deploy = [sys.executable, "-m", "flows.deploy", "lab"]
        subprocess.run(deploy, env={**found.environment("worker"), **home}, check=True, cwd=found.folder / "worker")
        known = somebody(found)
        found.wait("worker", lambda: bool(known.ask("/api/work_pools/defib/workers/filter", {})))
        yield found


def somebody(cluster: Cluster) -> Somebody:
    """Who has the password, at the one address."""
    return Somebody(cluster.url, cluster.environment("worker")["PREFECT_API_AUTH_STRING"])


def test_whoever_has_no_password_is_told_nothing(cluster: Cluster) -> None:
    """At the one address as at each server."""
    for url in (cluster.url, cluster.moved("http://api-1:4200"), cluster.moved("http://api-2:4200")):
        with pytest.raises(urllib.error.HTTPError) as refused:
            Somebody(url, "").ask("/api/flow_runs/filter", {})
        assert 401 == refused.value.code


def test_a_recovery_outlives_an_api_server(cluster: Cluster, lab: Defib) -> None:
    """Kill -9 of one of two in mid-run: the run ends well, and Prefect's books on it are closed at the other."""
    process.break_(lab.home, "cloudfront", "refuse")
    before = runs(lab)
    flow_run = somebody(cluster).start("cdn-failover")
    recovery = Recovery.begun(lab, before)
    recovery.approve()
    recovery.wait_for("steer-traffic")
    cluster.kill("api-1")
    wait_until(lambda: recovery.status is not None)
    assert Status.RECOVERED is recovery.status
    wait_until(lambda: somebody(cluster).state(flow_run) == "Recovered")
    verified = lab("verify", recovery.folder.name, "--head", recovery.records[-1].hash, "--json")
    assert (0, True) == (verified.code, verified.json["intact"])


def test_what_several_servers_share_is_in_redis(cluster: Cluster) -> None:
    """Events and background work go through it, with its password; a setting that is not heeded would leave it empty."""
    port, password = cluster.ports["redis:6379"], cluster.composed.variables["REDIS_PASSWORD"]
    with redis.Redis(port=port) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()
    for database, what in ((0, "message:"), (1, "prefect")):  # the addresses of the file: events, background work
        with redis.Redis(port=port, db=database, password=password, decode_responses=True) as known:
            assert what in " ".join(map(str, known.scan_iter()))


@pytest.mark.parametrize("service", ["api-2", "services"])
def test_who_was_not_killed_has_no_complaint(cluster: Cluster, service: str) -> None:
    """An address that leads nowhere is tried again for ever, and seen in the log alone."""
    log = cluster.log(service)
    assert not [line for line in log.splitlines() if "Traceback" in line or "ERROR" in line or "ALERT" in line], log
