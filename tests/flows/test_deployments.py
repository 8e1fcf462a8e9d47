"""``prefect.yaml``: every procedure is there, one run at a time, and its form can be read by somebody half awake."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.stage import ROOT, RUNBOOKS

TYPED: dict[str, Any] = YAML(typ="safe").load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))
ENTRYPOINTS = [each["entrypoint"] for each in TYPED["deployments"]]
OF_SITES = [each for each in ENTRYPOINTS if each != "flows.answering.answering"]  # alarms are of any site


def flow_of(entrypoint: str) -> Any:
    """The flow, as a worker finds it."""
    module, _, name = entrypoint.rpartition(".")
    return getattr(importlib.import_module(module), name)


def test_every_procedure_is_deployed() -> None:
    """By the name of its runbook."""
    assert {path.stem for path in RUNBOOKS.glob("*.md")} <= {flow_of(each).name for each in ENTRYPOINTS}


BEATS = {each["work_pool"]["job_variables"]["env"]["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"] for each in TYPED["deployments"]}


@pytest.mark.parametrize(
    ("before", "given"),
    [("", BEATS), ("import flows; ", {""})],
    ids=["by a worker", "served, or by a command"],
)
def test_hearts_beat_often_enough(before: str, given: set[str]) -> None:
    """E2: the automation that misses heartbeats waits for six, in whichever way a run begins; Prefect's own are too rare."""
    silent = YAML(typ="safe").load((ROOT / "automations" / "run-silent.yaml").read_text(encoding="utf-8"))
    asked = f"{before}from prefect.settings import get_current_settings as now; print(now().flows.heartbeat_frequency)"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    for beat in given:
        environment = clean | ({"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": beat} if beat else {})
        told = subprocess.run(
            [sys.executable, "-c", asked], env=environment, cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert int(told.stdout) * 6 <= silent["trigger"]["within"]


def test_no_machine_is_named() -> None:
    """The folder of the flows, the site and its mode are filled in when deployments are made."""
    (pull,) = TYPED["pull"]
    assert pull == {"prefect.deployments.steps.set_working_directory": {"directory": "{{ $DEFIB_FLOWS }}"}}
    assert str(ROOT) not in (ROOT / "prefect.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("entrypoint", ENTRYPOINTS)
def test_a_readable_form(entrypoint: str) -> None:
    """Every field of every form has a title and says what it is for, also where a schedule fills it in."""
    for name, field in flow_of(entrypoint).parameters.properties.items():
        assert field["title"][0].isupper(), name
        assert field["description"].endswith("."), name


@pytest.mark.parametrize("entrypoint", OF_SITES)
def test_one_at_a_time_with_choices(entrypoint: str) -> None:
    """A second run of the same is cancelled and not kept for later; site and mode are chosen and not typed."""
    (made,) = [each for each in TYPED["deployments"] if each["entrypoint"] == entrypoint]
    assert made["concurrency_limit"] == {"limit": 1, "collision_strategy": "CANCEL_NEW"}
    assert "site:{{ $DEFIB_SITE }}" in made["tags"]
    fields = flow_of(entrypoint).parameters.properties
    assert fields["site"]["enum"]
    assert ("mode" in made["parameters"]) == ("mode" in fields)
    assert fields.get("mode", {"enum": ["incident", "rehearsal"]})["enum"] == ["incident", "rehearsal"]
