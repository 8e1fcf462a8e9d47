"""What `git` is given of our environment: nothing by which its words or its ways would be others than those we read."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from defib.clock import Deadline, SystemClock
from defib.providers.git.command import GitCommand


def told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """The environment of `git`, as a program of that name sees it."""
    program = tmp_path / "git"
    program.write_text("#!/bin/sh\nenv\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    lines = GitCommand(tmp_path).run("fetch", within=Deadline.after(SystemClock(), timedelta(seconds=20))).output
    return dict(line.split("=", 1) for line in lines.splitlines() if "=" in line)


@pytest.mark.parametrize("name", ["LANG", "LANGUAGE", "LC_ALL", "LC_MESSAGES"])
def test_it_speaks_one_language(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    """Some of its words decide what is done: they are those of C, whatever language the operator speaks."""
    monkeypatch.setenv(name, "de_DE.UTF-8")
    seen = told(monkeypatch, tmp_path)
    assert seen["LC_ALL"] == "C"
    assert not {"LANG", "LANGUAGE", "LC_MESSAGES"} & set(seen)


@pytest.mark.parametrize(
    "name", ["GIT_DIR", "GIT_SSH_COMMAND", "GIT_CONFIG_PARAMETERS", "GIT_EXTERNAL_DIFF", "GIT_PROXY_COMMAND"]
)
def test_it_keeps_nothing_of_the_operators_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    """What would start a program or change a path is not handed on."""
    monkeypatch.setenv(name, "/somewhere/else")
    assert told(monkeypatch, tmp_path).get(name) != "/somewhere/else"
