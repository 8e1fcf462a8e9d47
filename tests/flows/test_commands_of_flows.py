"""``python -m flows.…`` where something is wrong: one message, an exit code, and nothing made anywhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, Defib

COMMANDS = [
    ["automations", "apply"],
    ["deploy", "lab"],
    ["answering"],
    ["readiness", "lab"],
    ["mirroring", "lab"],
    ["replicating", "lab"],
]


def run(home: Path, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run one as somebody who has just come to this machine."""
    module, *arguments = words
    return subprocess.run(
        [sys.executable, "-m", f"flows.{module}", *arguments],
        env=Defib(home, settings).environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
def test_without_a_server(tmp_path: Path, words: list[str]) -> None:
    """Prefect would start one for the moment and say that all is made; who believed that would have nothing."""
    done = run(tmp_path, *words)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert done.stderr.startswith("error:    no Prefect server is configured\n")
    assert "next:     make up" in done.stderr
    assert not list(tmp_path.rglob("prefect.db"))


@pytest.mark.parametrize("module", ["deploy", "readiness", "mirroring", "replicating"])
def test_without_a_site_or_with_one_that_is_not_there(tmp_path: Path, module: str) -> None:
    """Before any server is asked."""
    nobody = {"PREFECT_API_URL": "http://127.0.0.1:9/api"}
    done = run(tmp_path, module, **nobody)
    assert (done.returncode, done.stderr.splitlines()[0]) == (2, "error:    no site is named")
    assert f"python -m flows.{module} SITE" in done.stderr
    done = run(tmp_path, module, "no-such-site", **nobody)
    assert (done.returncode, done.stderr.splitlines()[0]) == (12, "error:    there is no site 'no-such-site'")


@pytest.mark.parametrize(("before", "expected"), [("", "True"), ("import flows; ", "False")])
def test_nobody_is_told_what_is_done_here(tmp_path: Path, before: str, expected: str) -> None:
    """Whatever imports a flow has Prefect keep it to itself, on a machine whose owner has never said anything about it."""
    asked = f"{before}from prefect._internal.analytics.enabled import is_telemetry_enabled as on; print(on())"
    told = subprocess.run(
        [sys.executable, "-c", asked],
        env=Defib(tmp_path).environment(),  # which says nothing of CI, where Prefect asks nobody either
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == expected
