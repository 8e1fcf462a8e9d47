"""A source of which a part is damaged: that part is named and left out, and everything else is brought into safety."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from defib import copyentries
from defib.objectives import Status
from tests.flows.mirror_stage import MirrorStage, mirror_stage, notes, seen
from tests.providers.git.repository import git

MAIN = "refs/heads/main"
BAD = "refs/heads/bad"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[MirrorStage]:
    """A source with nine branches; its mirror has nothing yet."""
    with mirror_stage(tmp_path, "github", "gitlab") as made:
        first = made.at["github"].commit({"index.html": "1"})
        for number in range(8):
            made.at["github"].commit({"index.html": f"b{number}"}, first, branch=f"b{number}")
        yield made


def malformed(stage: MirrorStage, parent: str = "") -> str:
    """A commit by somebody without an address, which no host takes."""
    source = stage.at["github"].folder
    tree = git(source, "rev-parse", "main^{tree}").strip()
    who = "nobody 1700000000 +0000"
    lines = [f"tree {tree}", *([f"parent {parent}"] if parent else []), f"author {who}", f"committer {who}", "", "bad", ""]
    text = "\n".join(lines).encode()
    return git(source, "hash-object", "-t", "commit", "-w", "--stdin", "--literally", given=text).strip()


def lost(stage: MirrorStage) -> str:
    """A commit of which the source has lost a file."""
    source = stage.at["github"]
    commit = source.commit({"lost.html": "what the disk has lost"}, branch="bad")
    blob = git(source.folder, "rev-parse", "bad:lost.html").strip()
    (source.folder / "objects" / blob[:2] / blob[2:]).unlink()
    return commit


def is_named(run_notes: str) -> bool:
    """Whether the damaged branch, and it alone, is said to be left out."""
    return f"pulse at github: {BAD} cannot be taken in" in run_notes


@pytest.mark.parametrize("damage", [malformed, lost])
def test_one_damaged_branch_of_a_new_repository(stage: MirrorStage, damage: Callable[[MirrorStage], str]) -> None:
    """Every other branch goes at once; the mirror lacks one ref of ten, which is said, and the run is red."""
    git(stage.at["github"].folder, "update-ref", BAD, damage(stage))
    run, outcome = stage.mirror()
    assert (outcome.status, is_named(notes(run))) == (Status.FAILED, True)
    assert stage.refs("gitlab") == {ref: commit for ref, commit in stage.refs("github").items() if ref != BAD}
    assert (seen(run)["gitlab"].equal, seen(run)["gitlab"].refs) == (9, 10)


@pytest.mark.parametrize("damage", [malformed, lost])
def test_one_damaged_branch_keeps_no_other_from_going(stage: MirrorStage, damage: Callable[[MirrorStage], str]) -> None:
    """What is new on the other branches goes, run after run; the damaged one waits, as long as it is so."""
    stage.mirror()
    source = stage.at["github"]
    git(source.folder, "update-ref", BAD, damage(stage))
    for number in range(2):
        new = source.commit({"index.html": f"new {number}"}, stage.refs("github")[MAIN], at=timedelta(minutes=number + 2))
        stage.clock.ahead += timedelta(minutes=90)
        run, outcome = stage.mirror()
        assert (outcome.status, stage.refs("gitlab")[MAIN], is_named(notes(run))) == (Status.FAILED, new, True)
    behind = seen(run)["gitlab"].behind
    assert behind is not None
    assert behind >= timedelta(minutes=180)
    git(source.folder, "update-ref", "-d", BAD)
    assert stage.mirror()[1].status is Status.RECOVERED


def test_a_branch_that_goes_on_to_something_damaged(stage: MirrorStage) -> None:
    """It stays at the mirror what it was, and is no loss that anybody would have to approve."""
    stage.mirror()
    was = stage.refs("github")[MAIN]
    git(stage.at["github"].folder, "update-ref", MAIN, malformed(stage, was))
    run, outcome = stage.mirror()
    assert (outcome.status, stage.refs("gitlab")[MAIN]) == (Status.FAILED, was)
    assert f"pulse at github: {MAIN} cannot be taken in" in notes(run)
    assert not list(run.journal.of(copyentries.RefsIntended))


def test_a_source_that_ends_in_the_middle(stage: MirrorStage) -> None:
    """It said what it has and gives nothing of it: how far the mirror is behind is known all the same."""
    stage.mirror()
    stage.at["github"].commit({"index.html": "new"}, stage.refs("github")[MAIN], at=timedelta(minutes=2))
    stage.clock.ahead = timedelta(minutes=90)
    stage.hosts["github"].cut_at = b"command=fetch"
    run, outcome = stage.mirror()
    behind = seen(run)["gitlab"].behind
    assert (outcome.status, f"pulse at github: {MAIN} cannot be taken in" in notes(run)) == (Status.FAILED, True)
    assert behind is not None
    assert behind >= timedelta(minutes=90)
    stage.hosts["github"].cut_at = None
    assert stage.mirror()[1].status is Status.RECOVERED


def test_everything_stands_on_the_damage(stage: MirrorStage) -> None:
    """Nothing can be had, and that is said of the source as a whole, without asking it for each of its refs."""
    for ref in stage.refs("github"):
        git(stage.at["github"].folder, "update-ref", ref, malformed(stage))
    stage.hosts["github"].logins.clear()
    run, outcome = stage.mirror()
    assert (outcome.status, "its source github cannot be taken in: damaged" in notes(run)) == (Status.REFUSED, True)
    assert stage.refs("gitlab") == {}
    assert len(stage.hosts["github"].logins) < 4 * len(stage.refs("github")), "a fetch is four requests"
