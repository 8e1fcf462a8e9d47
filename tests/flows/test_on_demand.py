"""Procedures that are asked for in Prefect, on a real server with a real worker: forms, approvals, what outlives what."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from defib import entries
from defib.clock import SystemClock
from defib.history import status_of
from defib.journal import Record, read_journal
from defib.lab import process
from defib.objectives import Status
from tests.conftest import ROOT, LabMaker
from tests.flows.prefect_server import serving
from tests.flows.prefect_stage import Board, until
from tests.flows.test_engine import STEPS

NET = "127.161"


@pytest.fixture(scope="module")
def board(make_lab: LabMaker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    """A lab, a server, the deployments of ``prefect.yaml``, and a worker for them."""
    home = tmp_path_factory.mktemp("prefect")
    with serving(home) as server:
        made = Board(make_lab(NET), server, home)
        assert made.python("-m", "flows.deploy", "lab") == "lab: deployed\n"
        yield made


@pytest.fixture
def broken(board: Board) -> Iterator[Board]:
    """The primary CDN refuses connections; afterwards everything is as before."""
    process.break_(board.lab.home, "cloudfront", "refuse")
    yield board
    process.heal(board.lab.home)
    for run in board.lab("runs", "--json").json["runs"][-1:]:
        assert board.lab("rollback", run["run_id"]).code == 3
    SystemClock().sleep(timedelta(seconds=3.2))  # the TTL: resolvers must have forgotten before the next test


def deployment(board: Board, name: str) -> dict[str, Any]:
    """A deployment of the lab's."""
    found: dict[str, Any] = board.server.ask(f"deployments/name/{name}")
    return found


def start(board: Board, **more: object) -> dict[str, Any]:
    """Ask for a failover as the page does that has the form."""
    since = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    asked = {"site": "lab", "mode": "rehearsal", "since": since, **more}
    identity = deployment(board, "cdn-failover/lab")["id"]
    made: dict[str, Any] = board.server.ask(f"deployments/{identity}/create_flow_run", {"parameters": asked})
    return made


def flow_run(board: Board, made: dict[str, Any]) -> dict[str, Any]:
    """A flow run as it is now."""
    found: dict[str, Any] = board.server.ask(f"flow_runs/{made['id']}")
    return found


def until_state(board: Board, made: dict[str, Any], *kinds: str) -> dict[str, Any]:
    """Wait until a flow run is in such a state."""
    until(lambda: flow_run(board, made)["state_type"] in kinds, " or ".join(kinds))
    return flow_run(board, made)


def answer(board: Board, made: dict[str, Any], **put_in: str) -> dict[str, Any]:
    """Put something into the form of a paused flow run, as the page does; gives what the server says of it."""
    said: dict[str, Any] = board.server.ask(f"flow_runs/{made['id']}/resume", {"run_input": put_in})
    return said


def records_of(board: Board, run_id: str) -> tuple[Record, ...]:
    """The journal of a run."""
    return read_journal(board.lab.home / "runs" / run_id / "journal.jsonl")[0]


def digest_of(board: Board, run_id: str) -> str:
    """The digest of the plan of a run."""
    return next(each.entry.digest for each in records_of(board, run_id) if isinstance(each.entry, entries.Planned))


def test_the_forms_offer_what_there_is(board: Board) -> None:
    """Titles, descriptions and choices; one run at a time on a site; no worker's folder but the one that was deployed."""
    made = deployment(board, "cdn-failover/lab")
    form = made["parameter_openapi_schema"]["properties"]
    assert (form["site"]["title"], form["site"]["enum"]) == ("Site", ["lab"])
    assert (form["mode"]["title"], form["mode"]["enum"]) == ("Mode", ["incident", "rehearsal"])
    assert all(field["title"] and field["description"] for field in form.values())
    assert made["parameters"] == {"site": "lab", "mode": "rehearsal"}
    assert made["global_concurrency_limit"]["limit"] == 1
    assert made["concurrency_options"]["collision_strategy"] == "CANCEL_NEW"
    assert made["pull_steps"] == [{"prefect.deployments.steps.set_working_directory": {"directory": str(ROOT)}}]
    assert {"site:lab", "on-demand"} <= set(made["tags"])
    assert made["job_variables"]["env"] == {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30"}
    assert board.python("-m", "flows.deploy", "lab") == "lab: deployed\n"  # again, which changes nothing
    assert deployment(board, "cdn-failover/lab")["id"] == made["id"]
    for name in ("readiness", "drilling", *ROUNDS):
        offered = deployment(board, f"{name}/lab")["parameter_openapi_schema"]["properties"]["site"]
        assert (offered["title"], offered["enum"]) == ("Site", ["lab"])
    (every,) = deployment(board, "readiness/lab")["schedules"]
    assert every["schedule"]["interval"] == 1800
    assert {deployment(board, f"{each}/lab")["schedules"][0]["schedule"]["interval"] for each in ROUNDS} == {900}


ROUNDS = ("git-mirror", "replication-check")


def test_approved_in_the_form(broken: Board) -> None:
    """The pause shows the plan; an empty or a wrong answer is none; the right one is in the journal with the name."""
    with broken.worker("defib"):
        made = start(broken)
        paused = until_state(broken, made, "PAUSED")
        digest = digest_of(broken, paused["name"])
        assert answer(broken, made)["status"] == "REJECT"
        assert answer(broken, made, digest="0000", decision="approve", name="Ann")["status"] == "REJECT"
        assert answer(broken, made, digest=digest[:4], decision="approve", name=" ")["status"] == "REJECT"
        assert answer(broken, made, digest=digest[:4], decision="approve", name="Ann")["status"] == "ACCEPT"
        assert answer(broken, made, digest=digest[:4], decision="refuse", name="Bob")["status"] == "ABORT"
        ended = until_state(broken, made, "COMPLETED", "FAILED", "CRASHED")
    assert (ended["state_name"], ended["name"]) == ("Recovered", paused["name"])
    assert {"site:lab", "on-demand", "mode:rehearsal", "verdict:recovered", "rto:met", "rpo:met"} <= set(ended["tags"])
    _shows_the_steps(broken, ended)
    _is_told(broken, ended["name"])
    documents = broken.artifacts(ended)
    assert {f"lab-cdn-failover-{part}" for part in ("plan", "timeline", "verdicts")} == set(documents)
    assert "Approved (prefect) by Ann" in documents["lab-cdn-failover-plan"]
    approved = next(each.entry for each in records_of(broken, ended["name"]) if isinstance(each.entry, entries.Approved))
    assert (approved.digest, approved.how) == (digest, "prefect")


def _is_told(board: Board, run_id: str) -> None:
    """Automations hear of it as of every run; and nobody is told in vain."""

    def told() -> set[str]:
        found = board.server.ask("events/filter", {"filter": {"event": {"prefix": ["defib.run."]}}})["events"]
        return {each["event"] for each in found if each["resource"].get("defib.run") == run_id}

    until(lambda: {"defib.run.started", "defib.run.done"} <= told(), "an event of its end")
    journal = [each.entry for each in records_of(board, run_id) if isinstance(each.entry, entries.Told)]
    assert [each.why for each in journal if each.channel == "prefect" and each.outcome != "sent"] == []


def _shows_the_steps(board: Board, ended: dict[str, Any]) -> None:
    """Each step is a task run, which began and ended when the journal says."""

    def told() -> dict[str, Any]:
        return {each["name"]: each for each in board.server.find("task_runs") if each["flow_run_id"] == ended["id"]}

    until(
        lambda: [each["state_name"] for each in told().values()].count("Completed") == len(STEPS), "every step"
    )  # nobody waits for the events that tell of them
    tasks = told()
    assert {name: task["state_name"] for name, task in tasks.items()} == dict.fromkeys(STEPS, "Completed")
    for record in records_of(board, ended["name"]):
        if isinstance(record.entry, entries.StepStarted):
            assert datetime.fromisoformat(tasks[record.entry.step]["start_time"]) == record.at
        if isinstance(record.entry, entries.StepEnded):
            assert datetime.fromisoformat(tasks[record.entry.step]["end_time"]) == record.at


def test_the_recovery_outlives_the_worker(broken: Board) -> None:
    """Kill -9 of the worker and its flow while the plan waits: approved at a terminal, the recovery ends, well evidenced.

    Before that a second run is refused by the lease, because a pause frees the deployment's only place; after it, the flow
    run that was left for dead finds the run that it had started, and starts no other.
    """
    with broken.worker("defib") as worker:
        made = start(broken)
        run_id = until_state(broken, made, "PAUSED")["name"]
        second = until_state(broken, start(broken), "FAILED", "CANCELLED")
        assert second["state_name"] == "Not started"
        assert "another run holds this site" in second["state"]["message"]
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
    digest = broken.lab("approve", run_id, "--json").json["digest"]
    assert broken.lab("approve", run_id, "--digest", digest[:12]).code == 0
    until(lambda: status_of(records_of(broken, run_id)) is not None, "the end of the run")
    assert status_of(records_of(broken, run_id)) is Status.RECOVERED
    assert broken.lab("verify", run_id).code == 0
    runs = broken.lab("runs", "--json").json["runs"]
    assert (runs[-1]["run_id"], runs[-1]["status"]) == (run_id, "recovered")
    with broken.worker("defib", "worker-2"):
        retry = {"state": {"type": "SCHEDULED", "name": "AwaitingRetry"}, "force": True}  # as the page does
        broken.server.ask(f"flow_runs/{made['id']}/set_state", retry)
        ended = until_state(broken, made, "COMPLETED", "FAILED", "CRASHED")
    assert (ended["state_name"], ended["name"]) == ("Recovered", run_id)
    assert broken.lab("runs", "--json").json["runs"] == runs
