"""The figures of runs and drills, exactly."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pytest

from defib.drills.drilled import Drill
from defib.objectives import EXIT_UNKNOWN, Measure, Verdict
from defib.report.as_json import as_json
from defib.report.drillfigures import drill_figures
from defib.report.figures import run_figures
from defib.timeline import Timeline
from tests.report import samples

NAME = {"name": "www.pulse-trading.test.", "type": "CNAME"}


def tree(figures: Any) -> Any:
    """Figures as they stand in the file; NaN and infinity are refused on reading."""

    def refuse(constant: str) -> None:
        raise ValueError(f"not JSON: {constant}")

    return json.loads(as_json(figures), parse_constant=refuse)


def test_recovered_run_is_exact() -> None:
    """Every figure of a recovered run is what the journal says, in seconds with milliseconds."""
    found = tree(run_figures(samples.recovered(), Path("report.html")))

    assert ("recovered", "", 0, 7.15) == (found["status"], found["reason"], found["exit_code"], found["run_s"])
    rto = {"target_s": 14400.0, "actual_s": 6.2, "verdict": "met", "share": 0.000431, "why": ""}
    assert rto == found["rto"]
    rpo = {"target_s": 3600.0, "actual_s": 250.0, "verdict": "met", "share": 0.069444}
    assert rpo == {key: found["rpo"][key] for key in rpo}
    assert {"detect": 2.03, "decide": 0.25, "act": 0.07, "propagate": 3.0, "verify": 0.85} == found["phases"]
    assert found["rto"]["actual_s"] == pytest.approx(sum(found["phases"].values()))
    assert "report.html" == found["report"]


def test_steps_and_changes_are_exact() -> None:
    """Steps stand with budget, time and outcome, changes with before, after and state."""
    found = tree(run_figures(samples.recovered()))

    assert [
        ("confirm-the-outage", 60.0, 0.1, "done"),
        ("prove-the-standby", 60.0, 0.12, "done"),
        ("approve-the-plan", 900.0, 0.01, "done"),
        ("steer-traffic", 120.0, 0.07, "done"),
        ("watch-the-answers", 600.0, 3.0, "done"),
        ("verify-the-users", 600.0, 3.85, "done"),
    ] == [(step["name"], step["budget_s"], step["took_s"], step["outcome"]) for step in found["steps"]]
    assert [
        {
            "number": 1,
            "target": "route53/Z0PULSETRADING/www.pulse-trading.test. CNAME",
            "purpose": "send users to cloudflare",
            "before": [{**NAME, "ttl_s": 3, "values": ["d2pulsetrading.cloudfront.net."], "attributes": {}}],
            "after": [{**NAME, "ttl_s": 3, "values": ["www.pulse-trading.test.cdn.cloudflare.net."], "attributes": {}}],
            "state": "made",
            "at": "2026-03-07T02:51:08.550000Z",
            "why": "",
        }
    ] == found["changes"]
    digest = samples.PLAN.digest()
    assert digest == found["plan_digest"]
    assert {"by": "runbook cdn-failover", "how": "automatic", "digest": digest} == found["approved"]
    assert {"used": True, "why": ""} == found["prefect"]


def test_outage_that_began_before_the_run_counts_from_its_start() -> None:
    """E12: found 50 minutes late, the RTO counts from when users lost service, and the run's own time stands beside it."""
    found = tree(run_figures(samples.late()))

    assert (3004.15, "missed", 7.15) == (found["rto"]["actual_s"], found["rto"]["verdict"], found["run_s"])
    assert "2026-03-07T02:01:08.250000Z" == found["instants"]["first_bad"]


@pytest.mark.parametrize(
    ("make", "status", "code"),
    [
        (samples.recovered, "recovered", 0),
        (samples.hostile, "failed", 1),
        (samples.rolled_back, "rolled-back", 3),
        (samples.refused, "refused", 4),
        (samples.interrupted, "interrupted", 5),
        (samples.rto_unknown, "recovered", EXIT_UNKNOWN),
        (samples.unfinished, None, None),
    ],
)
def test_exit_code_is_the_status_and_unknown_is_its_own(make: Any, status: str | None, code: int | None) -> None:
    """Each end has its exit code; recovered with an objective unknown has another one than recovered."""
    found = tree(run_figures(make()))

    assert (status, code) == (found["status"], found["exit_code"])


def test_unknown_is_null() -> None:
    """What is not known is null with the reason, and its verdict is unknown."""
    found = tree(run_figures(samples.rto_unknown()))

    assert (None, None, "unknown") == tuple(found["rto"][key] for key in ("actual_s", "share", "verdict"))
    assert "nobody knows since when" in found["rto"]["why"]
    assert (None, None) == (found["phases"]["detect"], found["phases"]["decide"])


def test_run_that_was_cut_off_has_open_figures() -> None:
    """A killed run has no end, no outcome of its last step, and a change that may have landed."""
    found = tree(run_figures(samples.unfinished()))

    assert (None, None) == (found["ended"], found["run_s"])
    assert (None, None) == (found["steps"][-1]["took_s"], found["steps"][-1]["outcome"])
    assert ["intended"] == [change["state"] for change in found["changes"]]


def test_zero_target_gives_no_share() -> None:
    """A target of zero gives a verdict and no share, not a division by zero."""
    run = samples.recovered()
    found = tree(run_figures(replace(run, rpo=Measure(timedelta(0), timedelta(0)))))

    assert ("met", None) == (found["rpo"]["verdict"], found["rpo"]["share"])


def test_drill_has_the_promised_keys_and_figures() -> None:
    """A drill's object has every promised key, with the eyewitness's outage and how far the report is from it."""
    found = tree(drill_figures(samples.drilled(), Path("report.html")))

    promised = {"run_id", "status", "rto", "rpo", "phases", "eyewitness", "residue", "report", "prefect"}
    assert set() == promised - set(found)
    assert {"outage_s": 6.31, "disagreement_s": 0.11, "verdict": "met"} == found["eyewitness"]
    assert ([], True, "cloudfront: refuse", 0) == tuple(found[key] for key in ("residue", "prefect", "fault", "exit_code"))
    assert "20260307T025108-cdn-failover-7f3a" == found["run_id"]
    assert "20260307T025104-drill-52aa" == found["drill_id"]
    failback = {"run_id": "20260307T025148-failback-19cc", "status": "recovered", "outage_s": 0.5}
    assert failback == found["failback"]


def test_drill_residue_is_listed() -> None:
    """What a drill left behind is named line by line."""
    found = tree(drill_figures(samples.drilled_with_residue()))

    assert ['+ route53 Z0PULSETRADING _probe TXT "defib"'] == found["residue"]
    assert ("failed", 1) == (found["status"], found["exit_code"])


@pytest.mark.parametrize(
    "made",
    [
        samples.drilled(after=None),
        samples.drilled(outage=None),
        replace(samples.drilled(), forward=None),
        replace(samples.drilled(), forward=samples.rto_unknown()),
    ],
    ids=["residue", "eyewitness", "no forward run", "rto"],
)
def test_drill_that_could_not_be_checked_is_not_green(made: Drill) -> None:
    """A drill that recovered, but of which residue, eyewitness or an objective is unknown, exits as unknown."""
    assert EXIT_UNKNOWN == drill_figures(made).exit_code


def test_drill_without_a_forward_run_has_targets_and_no_figures() -> None:
    """A drill that never came to its run says unknown for everything that the run would have shown."""
    found = drill_figures(replace(samples.drilled(), forward=None, failback=None))

    assert (None, None, Verdict.UNKNOWN) == (found.run_id, found.prefect, found.rto.verdict)
    assert (14400.0, None) == (found.rto.target_s, found.rto.actual_s)


@pytest.mark.parametrize("name", samples.RUNS)
def test_every_run_is_json_without_nan(name: str) -> None:
    """Every sample can be written and read as strict JSON, and gives the same text each time."""
    run: Timeline = samples.RUNS[name]()

    assert tree(run_figures(run)) == tree(run_figures(run))
    assert run.started.astimezone(UTC).isoformat()[:19] == tree(run_figures(run))["started"][:19]
