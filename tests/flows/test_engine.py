"""The same flow with Prefect, without it, and with one that dies: the outcome is the same, and so is the evidence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from defib import entries
from defib.clock import SystemClock
from defib.journal import Record, read_journal
from defib.lab import process
from tests.conftest import Defib, Ended, LabMaker
from tests.flows.prefect_server import PrefectServer, impostor, serving
from tests.flows.prefect_stage import until

NET = "127.92"
BUSY = timedelta(seconds=15)
"""What a busy machine may take for importing, writing and leaving; Prefect's own patience with its server is a minute."""

STEPS = [
    "confirm-the-outage",
    "prove-the-standby",
    "approve-the-plan",
    "steer-traffic",
    "warm-the-standby",
    "watch-the-answers",
    "verify-the-users",
]


@pytest.fixture(scope="module")
def lab(make_lab: LabMaker) -> Defib:
    """A lab for this module."""
    return make_lab(NET)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """A Prefect server for this module."""
    with serving(tmp_path_factory.mktemp("prefect")) as running:
        yield running


@pytest.fixture
def broken(lab: Defib) -> Iterator[Defib]:
    """The lab with its primary CDN refusing connections; afterwards everything is as before."""
    process.break_(lab.home, "cloudfront", "refuse")
    yield lab
    process.heal(lab.home)
    newest = lab("runs", "--json").json["runs"][-1]["run_id"]
    assert lab("rollback", newest).code == 3
    clock = SystemClock()
    clock.sleep(timedelta(seconds=3.2))  # the TTL: resolvers must have forgotten before the next test


def fail_over(defib: Defib, api: str = "") -> Ended:
    """Run the procedure to its end, with Prefect at `api`."""
    return replace(defib, extra={"PREFECT_API_URL": api} if api else {})(*command())


def command() -> tuple[str, ...]:
    """The run as an operator starts it, who knows since when users had no service."""
    return (
        "run",
        "cdn-failover",
        "--site",
        "lab",
        "--mode",
        "rehearsal",
        "--json",
        "--since",
        datetime.now(UTC).isoformat(),
    )


def records_of(defib: Defib, run_id: str) -> tuple[Record, ...]:
    """The journal of a run."""
    return read_journal(defib.home / "runs" / run_id / "journal.jsonl")[0]


def steps_of(defib: Defib, run_id: str) -> list[tuple[str, str]]:
    """Every step that ended, and how."""
    ended = (record.entry for record in records_of(defib, run_id) if isinstance(record.entry, entries.StepEnded))
    return [(entry.step, entry.outcome) for entry in ended]


def test_a_run_is_a_flow_run_and_each_step_a_task_run(broken: Defib, server: PrefectServer) -> None:
    """Prefect shows the run under its own name, with its steps, tags and artifacts."""
    ended = fail_over(broken, server.api)
    assert (ended.code, ended.json["status"]) == (0, "recovered")
    assert ended.json["prefect"]["used"] is True
    run_id = ended.json["run_id"]
    flow = next(each for each in server.find("flow_runs") if each["name"] == run_id)
    assert flow["state_name"] == "Recovered"
    assert set(flow["tags"]) == {"site:lab", "mode:rehearsal", "verdict:recovered", "rto:met", "rpo:met"}

    def tasks() -> set[tuple[str, str]]:
        found = [task for task in server.find("task_runs") if task["flow_run_id"] == flow["id"]]
        return {(task["name"], task["state_name"]) for task in found}

    until(lambda: tasks() == {(step, "Completed") for step in STEPS}, "every step")  # events tell of them, later
    artifacts = {each["key"]: each["data"] for each in server.find("artifacts") if each["flow_run_id"] == flow["id"]}
    assert set(artifacts) == {f"lab-cdn-failover-{part}" for part in ("plan", "timeline", "verdicts")}
    assert ended.json["plan_digest"][:12] in artifacts["lab-cdn-failover-plan"]
    boards = {each["key"]: each["data"] for each in server.find("artifacts") if str(each["key"]).startswith("board")}
    assert "| ✓ | cdn-failover | proved, " in boards["board-lab"]


def test_without_prefect_the_evidence_is_the_same(broken: Defib) -> None:
    """E11: no API at all, and the run says why it goes on without one."""
    ended = fail_over(broken, "http://127.0.0.1:9/api")
    assert (ended.code, ended.json["prefect"]["used"]) == (0, False)
    assert "does not answer" in ended.json["prefect"]["why"]
    assert steps_of(broken, ended.json["run_id"]) == [(step, "done") for step in STEPS]


@pytest.mark.parametrize(
    ("ready", "then"), [(False, "hangs"), (True, "hangs"), (True, "breaks")], ids=["silent", "freezes", "breaks"]
)
def test_an_api_that_is_worse_than_none(broken: Defib, ready: bool, then: str) -> None:
    """E11: an API that accepts and never answers, or answers only once, costs at most 2 s before the first step."""
    with impostor(ready=ready, then=then) as api:
        ended = fail_over(broken, api)
    assert (ended.code, ended.json["status"]) == (0, "recovered")
    records = records_of(broken, ended.json["run_id"])
    asked = next(record for record in records if isinstance(record.entry, entries.LeaseTaken))
    begun = next(record for record in records if isinstance(record.entry, entries.StepStarted))
    # Two seconds to be ready or to start, and what it takes to import Prefect in between.
    assert begun.at - asked.at < timedelta(seconds=2) + BUSY
    assert steps_of(broken, ended.json["run_id"]) == [(step, "done") for step in STEPS]


def test_the_death_of_the_server_changes_nothing(broken: Defib, tmp_path_factory: pytest.TempPathFactory) -> None:
    """E11: kill -9 of a real server in mid-run costs no more than 2 s, and neither outcome nor exit code."""
    with serving(tmp_path_factory.mktemp("mortal")) as server:
        running = replace(broken, extra={"PREFECT_API_URL": server.api}).start(*command())
        assert running.stderr is not None
        while "steer-traffic  done" not in (line := running.stderr.readline()):
            assert line, "the run ended before it could be disturbed"
        server.kill()
    out, _ = running.communicate(timeout=300)
    ended_at = datetime.now(UTC)
    ended = Ended(running.returncode, out, "")
    assert (ended.code, ended.json["status"]) == (0, "recovered")
    records = records_of(broken, ended.json["run_id"])
    closed = next(record for record in records if isinstance(record.entry, entries.Closed))
    begun = [record for record in records if isinstance(record.entry, entries.StepStarted)]
    done = [record for record in records if isinstance(record.entry, entries.StepEnded)]
    between = sum((later.at - earlier.at for earlier, later in zip(done, begun[1:], strict=False)), timedelta(0))
    assert (ended_at - closed.at) + between < timedelta(seconds=2) + BUSY
    assert steps_of(broken, ended.json["run_id"]) == [(step, "done") for step in STEPS]
