"""Readiness and the break-glass pack: who made one is told when what is in it has changed."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from defib.clock import Deadline
from defib.errors import EvidenceBroken
from defib.pack.remembered import remember
from defib.ready.check import Check, State
from defib.ready.local import questions
from defib.ready.scene import Here, free_space
from tests.stage import RUNBOOKS, Stage


def here(stage: Stage, runbooks: Path) -> Here:
    """This machine, with runbooks that a test may change."""
    return Here(stage.site, stage.site_path, stage.desk.home, runbooks, stage.clock, lambda _: "", free_space)


def told(stage: Stage, runbooks: Path) -> list[Check]:
    """What is said of the pack."""
    within = Deadline.after(stage.clock, timedelta(seconds=5))
    asked = [question for question in questions(here(stage, runbooks)) if question.name == "pack"]
    return [check for question in asked for check in question.ask(within)]


@pytest.fixture
def runbooks(tmp_path: Path) -> Path:
    """Runbooks of one's own."""
    return Path(shutil.copytree(RUNBOOKS, tmp_path / "runbooks"))


@pytest.fixture
def stage(tmp_path: Path, runbooks: Path) -> Stage:
    """A world with a site file of its own."""
    return Stage(tmp_path / "home", site_path=runbooks / "sites" / "lab.yaml", runbooks=runbooks)


def test_who_never_made_one_is_told_nothing(stage: Stage, runbooks: Path) -> None:
    """It is no duty."""
    assert told(stage, runbooks) == []


def test_a_pack_that_is_as_everything_is(stage: Stage, runbooks: Path) -> None:
    """Its age, and that it holds what stands."""
    remember(stage.desk.home, [stage.site_path], runbooks, stage.clock.now())
    stage.clock.sleep(timedelta(hours=3))
    (check,) = told(stage, runbooks)
    assert (check.state, "3 h ago" in check.text) == (State.OK, True)


def test_a_pack_that_has_grown_old(stage: Stage, runbooks: Path) -> None:
    """The files that changed since are named, with what to do."""
    remember(stage.desk.home, [stage.site_path], runbooks, stage.clock.now())
    (runbooks / "dns-switch.md").write_text("# changed\n", encoding="utf-8")
    stage.site_path.write_text(stage.site_path.read_text(encoding="utf-8") + "# changed\n", encoding="utf-8")
    (check,) = told(stage, runbooks)
    assert check.state is State.WARN
    assert check.text.endswith("changed since: dns-switch.md, lab.yaml")
    assert check.then == "defib pack --site lab --to FOLDER"


def test_a_note_that_cannot_be_read(stage: Stage) -> None:
    """It is no pack, and no silence: the question is asked, and its answer is that."""
    path = stage.desk.home.site("lab") / "pack.json"
    path.parent.mkdir(parents=True)
    path.write_text("{", encoding="utf-8")
    with pytest.raises(EvidenceBroken):
        told(stage, RUNBOOKS)
