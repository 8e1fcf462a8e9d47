"""``defib up`` and ``defib down`` on real servers: usable, closed, alone in its home, and survived by what it started."""

from __future__ import annotations

import os
import signal
import socket
import stat
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from defib.clock import SystemClock
from defib.history import is_alive
from defib.lab import process
from defib.objectives import Status
from defib.processid import ProcessId
from tests.conftest import Defib, Ended, LabMaker
from tests.ports import free_port
from tests.service.stage import Recovery, Somebody, runs, wait_until

NET = "127.162"
CLOCK = SystemClock()
TTL = timedelta(seconds=3.2)


@dataclass(frozen=True)
class Prefect:
    """Prefect as ``defib up --auth`` left it, beside a lab."""

    defib: Defib
    port: int

    def up(self) -> Ended:
        """Start it, or what is missing of it."""
        return self.defib("up", "--port", str(self.port), "--auth", "--json")

    def as_somebody(self, password: str) -> Somebody:
        """Whoever has that password, or none."""
        return Somebody(f"http://127.0.0.1:{self.port}", password)

    @property
    def password(self) -> str:
        """What its API asks for."""
        return (self.defib.home / "prefect" / "auth-string").read_text().strip()

    def ask(self, path: str, body: object = None) -> Any:
        """What the API answers to its owner."""
        return self.as_somebody(self.password).ask(path, body)


@pytest.fixture(scope="module")
def prefect(make_lab: LabMaker) -> Iterator[Prefect]:
    """Prefect for this module, with a password; down afterwards whatever happened."""
    found = Prefect(make_lab(NET), free_port())
    try:
        ended = found.up()
        assert (0, ["server", "worker"]) == (ended.code, ended.json["started"]), ended.err
        yield found
    finally:
        found.defib("down")


def test_it_can_be_used(prefect: Prefect) -> None:
    """The pages are there and ask for the password, and the worker is known to the server."""
    settings = prefect.as_somebody("").ask("/ui-settings")
    assert ("/api", "BASIC") == (settings["api_url"], settings["auth"])
    workers = prefect.ask("/api/work_pools/defib/workers/filter", {})
    assert ["ONLINE"] == [each["status"] for each in workers]
    assert prefect.ask("/api/deployments/count", {}) > 0


def test_schedules_become_runs(prefect: Prefect) -> None:
    """A scheduler that has stopped is not seen in the pages: a run that is due must really be there."""
    scheduled = {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}}
    wait_until(lambda: prefect.ask("/api/flow_runs/count", scheduled) > 0)


def test_whoever_has_no_password_is_told_nothing(prefect: Prefect) -> None:
    """Neither without one nor with a wrong one; whether it is ready, anybody may know."""
    for wrong in ("", "defib:wrong"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            prefect.as_somebody(wrong).ask("/api/flow_runs/filter", {})
        assert 401 == refused.value.code
    assert prefect.as_somebody("").ask("/api/ready")


def test_the_pages_of_others_may_not_ask(prefect: Prefect) -> None:
    """A browser that shows a page of somebody else's neither sends what that wants to start here, nor lets it read."""
    asked = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "POST"}
    for path in ("/api/ready", "/api/flow_runs/filter"):
        for method in ("OPTIONS", "GET"):
            request = urllib.request.Request(f"http://127.0.0.1:{prefect.port}{path}", headers=asked, method=method)
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    headers = answer.headers
            except urllib.error.HTTPError as error:
                headers = error.headers
            assert headers["Access-Control-Allow-Origin"] is None, (method, path)


def test_the_password_is_for_its_owner_alone(prefect: Prefect) -> None:
    """It is in two files that nobody else may read, in no log, and on no command line."""
    home = prefect.defib.home / "prefect"
    secret = prefect.password.encode()
    holders = {path.name for path in home.rglob("*") if path.is_file() and secret in path.read_bytes()}
    assert {"auth-string", "profiles.toml"} == holders
    assert {0o600} == {stat.S_IMODE((home / name).stat().st_mode) for name in holders}
    assert 0o700 == stat.S_IMODE(home.stat().st_mode)
    for pid in prefect.up().json["processes"].values():
        assert secret not in Path(f"/proc/{pid}/cmdline").read_bytes()


def test_up_twice_says_that_it_is_up(prefect: Prefect) -> None:
    """Nothing is started, and the processes are the same."""
    before = prefect.up().json
    ended = prefect.defib("up", "--port", str(prefect.port), "--auth")
    assert 0 == ended.code
    assert "it was up already" in ended.out
    assert ([], before["processes"]) == (prefect.up().json["started"], prefect.up().json["processes"])


def test_up_otherwise_than_it_is(prefect: Prefect) -> None:
    """Another port, or no password, is refused with what is up and the commands to change it."""
    ended = prefect.defib("up", "--port", str(prefect.port), "--no-auth", "--json")
    assert (2, "defib down, then defib up") == (ended.code, ended.json["next"])
    assert ("without a password" in ended.json["expected"], "with a password" in ended.json["seen"]) == (True, True)


def test_everything_of_it_is_in_its_home(prefect: Prefect) -> None:
    """Nothing is left in the user's own folder of Prefect."""
    assert not (prefect.defib.home / ".prefect").exists()
    assert (prefect.defib.home / "prefect" / "prefect.db").exists()


def test_a_recovery_outlives_server_and_worker(prefect: Prefect) -> None:
    """Kill -9 of both in mid-run: the run ends as it would have, its evidence is intact, and ``up`` mends what died."""
    lab = prefect.defib
    process.break_(lab.home, "cloudfront", "refuse")
    before = runs(lab)
    prefect.as_somebody(prefect.password).start("cdn-failover")
    recovery = Recovery.begun(lab, before)
    recovery.approve()
    recovery.wait_for("steer-traffic")
    killed = prefect.up().json["processes"]
    for pid in killed.values():
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: recovery.status is not None)
    assert Status.RECOVERED is recovery.status
    verified = lab("verify", recovery.folder.name, "--head", recovery.records[-1].hash, "--json")
    assert (0, True) == (verified.code, verified.json["intact"])
    again = prefect.up()
    assert (0, ["server", "worker"]) == (again.code, again.json["started"]), again.err
    assert not set(killed.values()) & set(again.json["processes"].values())
    process.heal(lab.home)
    assert 3 == lab("rollback", recovery.folder.name).code


def test_a_recovery_that_died_with_everything_is_resumed(prefect: Prefect) -> None:
    """Kill -9 of server, worker and the recovery itself, in mid-run: its evidence is intact, and a command resumes it."""
    lab = prefect.defib
    CLOCK.sleep(TTL)  # resolvers must have forgotten where the test before has led them
    process.break_(lab.home, "cloudfront", "refuse")
    before, doomed = runs(lab), [*prefect.up().json["processes"].values()]
    flow_run = prefect.as_somebody(prefect.password).start("cdn-failover")
    recovery = Recovery.begun(lab, before)
    recovery.approve()
    recovery.wait_for("steer-traffic")
    for pid in [*started_by(flow_run), *doomed]:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(recovery.folder))
    run_id, so_far = recovery.folder.name, recovery.records
    assert recovery.status is None
    listed = {each["run_id"]: each["status"] for each in lab("runs", "--json").json["runs"]}
    assert listed[run_id] == "crashed"
    assert lab("verify", run_id, "--head", so_far[-1].hash, "--json").json["intact"] is True
    resumed = lab("resume", run_id, "--json")
    assert (resumed.code, resumed.json["status"], resumed.json["rto"]["verdict"]) == (0, "recovered", "met"), resumed.err
    assert recovery.records[: len(so_far)] == so_far
    assert lab("verify", run_id, "--head", resumed.json["head"], "--json").json["intact"] is True
    process.heal(lab.home)
    assert 3 == lab("rollback", run_id).code
    assert ["server", "worker"] == prefect.up().json["started"]


def started_by(flow_run: str) -> list[int]:
    """The processes that a flow run has started, by what they were told of it."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended meanwhile
            found += [int(path.parent.name)] if f"Prefect flow run {flow_run}".encode() in path.read_bytes() else []
    assert found, "nothing was started"
    return found


def test_a_worker_that_died_is_started_anew(prefect: Prefect) -> None:
    """The server, and what runs through it, is left alone."""
    before = prefect.up().json["processes"]
    os.kill(before["worker"], signal.SIGKILL)
    wait_until(lambda: not ProcessId.of(before["worker"]).alive())
    after = prefect.up().json
    assert (["worker"], before["server"]) == (after["started"], after["processes"]["server"])


def test_down_ends_exactly_what_was_started(prefect: Prefect) -> None:
    """It says which processes, the second time that there was nothing, and what else listens is left alone."""
    processes = prefect.up().json["processes"]
    assert processes == prefect.defib("down", "--json").json["stopped"]
    assert not any(ProcessId.of(pid).alive() for pid in processes.values())
    again = prefect.defib("down")
    assert (0, "Prefect was not up.\n") == (again.code, again.out)


def test_a_worker_that_cannot_be_started(prefect: Prefect) -> None:
    """The server, which came up well, is ended again: nothing is left half started."""
    obstacle = prefect.defib.home / "prefect" / "worker.log.before"
    obstacle.unlink(missing_ok=True)
    (obstacle / "in the way").mkdir(parents=True)
    ended = prefect.up()
    assert (13, "Prefect's worker cannot be started") == (ended.code, ended.json["error"].partition(":")[0])
    assert {} == prefect.defib("down", "--json").json["stopped"]
    with pytest.raises(urllib.error.URLError):
        prefect.ask("/api/ready")


def test_a_site_that_there_is_none_of(prefect: Prefect) -> None:
    """It is refused before anything is started."""
    ended = prefect.defib("up", "--port", str(prefect.port), "--site", "labb", "--json")
    assert (12, {}) == (ended.code, prefect.defib("down", "--json").json["stopped"])


def test_a_port_in_use(prefect: Prefect) -> None:
    """One clear message; nothing is started, and who has the port keeps it."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        ended = prefect.defib("up", "--port", str(other.getsockname()[1]), "--json")
    assert 14 == ended.code
    assert "on another port" in ended.json["next"]
    assert {} == prefect.defib("down", "--json").json["stopped"]


def test_a_server_that_does_not_come_up(defib: Defib) -> None:
    """What it said last is in the message, with its log; nothing is left half started."""
    (defib.home / "prefect").mkdir(mode=0o700)
    (defib.home / "prefect" / "prefect.db").write_bytes(b"this is no database at all" * 100)
    ended = defib("up", "--port", str(free_port()), "--json")
    assert 1 == ended.code
    assert str(defib.home / "prefect" / "server.log") in ended.json["where"]
    assert "not a database" in ended.json["seen"]
    assert {} == defib("down", "--json").json["stopped"]
