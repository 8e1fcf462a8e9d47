"""A process that is killed at any entry of git-mirror leaves nothing that the next run, or a resumption, would not end."""

from __future__ import annotations

from pathlib import Path

import pytest

from defib.objectives import Status
from tests.flows.mirror_stage import MirrorStage, mirror_stage
from tests.providers.git.repository import git
from tests.stage import Killed, Killing, PlainFile

ENTRIES = 46
"""More than a run with one loss writes; who is not killed before the end shows that it is enough."""


def prepare(stage: MirrorStage) -> tuple[str, str]:
    """Mirror ten branches, then push over one of them; gives its old and its new tip."""
    source = stage.at["github"]
    first = source.commit({"index.html": "1"})
    for number in range(9):
        source.commit({"index.html": f"b{number}"}, first, branch=f"b{number}")
    assert stage.mirror()[1].status is Status.RECOVERED
    old = stage.refs("github")["refs/heads/b3"]
    return old, source.commit({"README": "another"}, branch="b3")


def killed_at(stage: MirrorStage, at: int) -> bool:
    """Whether the run was killed at that line."""
    stage.sink = lambda path: Killing(path, at, "after")
    try:
        stage.mirror()
    except Killed:
        stage.die()
        return True
    finally:
        stage.sink = PlainFile
    return False


def assert_nothing_is_lost(stage: MirrorStage, old: str, new: str) -> None:
    """The mirror has followed, and the old tip stands under a dated ref."""
    refs = stage.refs("gitlab")
    assert refs["refs/heads/b3"] == new
    assert {commit for ref, commit in refs.items() if ref.startswith("refs/archive/")} == {old}
    git(stage.at["gitlab"].folder, "fsck", "--full")


@pytest.mark.parametrize("at", range(1, ENTRIES, 3))
def test_the_next_run_ends_it(tmp_path: Path, at: int) -> None:
    """E1: whatever a run left half done, the next one, 15 minutes later, ends; nobody has to come."""
    with mirror_stage(tmp_path, "github", "gitlab") as stage:
        old, new = prepare(stage)
        killed_at(stage, at)
        _, outcome = stage.mirror()
        assert (outcome.status, outcome.reason) == (Status.RECOVERED, "")
        assert_nothing_is_lost(stage, old, new)


@pytest.mark.parametrize("at", range(2, ENTRIES, 3))
def test_resumed_it_ends(tmp_path: Path, at: int) -> None:
    """E1: taken up again, the same."""
    with mirror_stage(tmp_path, "github", "gitlab") as stage:
        old, new = prepare(stage)
        died = killed_at(stage, at)
        if died:
            _, outcome = stage.resume(stage.desk.home.runs()[-1].name)
            assert (outcome.status, outcome.reason) == (Status.RECOVERED, "")
        assert_nothing_is_lost(stage, old, new)
