"""With no remote alive: what is built from is the newest commit that was ever kept, and what is doubtful is said."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from defib.providers.git.bundle import added_to
from defib.providers.git.command import GitCommand
from defib.providers.git.keeping import Bundles
from defib.redeploy.offer import BUNDLE, Trouble
from tests.providers.git.git_stage import GitStage, stage
from tests.providers.git.repository import git

__all__ = ["stage"]

MAIN = "refs/heads/main"


def keep(stage: GitStage) -> Path:
    """Keep a bundle of what GitHub has."""
    told = git(stage.on_github.folder, "for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    stage.bundle = stage.folder / "mirrors" / "pulse.bundle"
    refs = dict(line.split(" ") for line in told)
    Bundles(GitCommand(stage.on_github.folder), stage.bundle).keep(refs, stage.within())
    return stage.bundle


def kept_twice(stage: GitStage) -> tuple[str, str]:
    """A commit that the bundle holds, and one that was added to it."""
    first = stage.on_github.commit({"index.html": "1"})
    keep(stage)
    second = stage.on_github.commit({"index.html": "2"}, first, at=timedelta(minutes=1))
    assert added_to(keep(stage)).is_file()
    return first, second


def die(stage: GitStage) -> None:
    """No remote answers any more."""
    stage.github.status = stage.gitlab.status = 503


@pytest.mark.parametrize("asked_before", [False, True])
def test_what_was_added_is_built(stage: GitStage, asked_before: bool) -> None:
    """The newest commit is offered and can be written out, on a machine that knows nothing as on one that was at work."""
    first, second = kept_twice(stage)
    if asked_before:
        git(stage.on_github.folder, "update-ref", MAIN, first)
        stage.ask()
    die(stage)
    choice = stage.choose(first)
    assert (choice.source, choice.commit, choice.behind, choice.warnings) == (BUNDLE, second, timedelta(0), ())
    assert (stage.export(second) / "index.html").read_text() == "2"


def test_what_was_added_needs_other_branches(stage: GitStage) -> None:
    """An addition that begins at branches which nobody brings is taken all the same: the bundle has them."""
    first = stage.on_github.commit({"index.html": "1"})
    other = stage.on_github.commit({"x": "1"}, branch="other")
    stage.ask()
    keep(stage)
    merge = stage.on_github.commit({"index.html": "1", "x": "1"}, first, other)
    stage.on_github.commit({"y": "1"}, branch="new")
    keep(stage)
    die(stage)
    choice = stage.choose(first)
    assert (choice.source, choice.commit, choice.warnings) == (BUNDLE, merge, ())
    assert sorted(path.name for path in stage.export(merge).iterdir()) == ["index.html", "x"]


def test_a_branch_that_was_added(stage: GitStage) -> None:
    """The branch may be only in what was added."""
    stage.on_github.commit({"x": "1"}, branch="other")
    keep(stage)
    commit = stage.on_github.commit({"index.html": "1"})
    keep(stage)
    die(stage)
    assert stage.choose(commit).commit == commit


def test_it_is_unpacked_once(stage: GitStage) -> None:
    """What is held already costs no room, however often it is asked."""
    _, second = kept_twice(stage)
    packs = []
    for status in (0, 503, 503):
        stage.github.status = status
        bundle = stage.ask().bundle
        assert bundle is not None
        assert bundle.tip is not None
        assert bundle.tip.commit == second
        packs.append(len(list(stage.store.glob("objects/pack/*.pack"))))
    assert packs == [1, 1, 1]


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda added: added.write_bytes(added.read_bytes()[:-3]), "checksum does not fit"),
        (lambda added: added.write_bytes(b"not a bundle"), "checksum does not fit"),
        (lambda added: added.write_bytes(added.read_bytes().replace(b" of ", b" Of ")), "belongs to another bundle"),
    ],
    ids=["cut", "none", "another"],
)
def test_what_was_added_is_damaged(stage: GitStage, harm: object, words: str) -> None:
    """The bundle alone is built from then, and people are told that something newer was lost."""
    first, _ = kept_twice(stage)
    assert stage.bundle is not None
    assert callable(harm)
    harm(added_to(stage.bundle))
    die(stage)
    choice = stage.choose(first)
    assert (choice.source, choice.commit) == (BUNDLE, first)
    assert [(True, True)] == [
        ("what was added to it since cannot be taken" in each, words in each) for each in choice.warnings
    ]


def test_what_was_added_to_the_bundle_before(stage: GitStage) -> None:
    """Left behind by a process that died between two files, it takes nobody back to what it holds."""
    _, second = kept_twice(stage)
    assert stage.bundle is not None
    left = added_to(stage.bundle).read_bytes()
    git(stage.on_github.folder, "update-ref", "refs/archive/2026-03-01/heads/main/0123", second)
    third = stage.on_github.commit({"index.html": "3"}, second, at=timedelta(minutes=2))
    keep(stage)
    added_to(stage.bundle).write_bytes(left)
    die(stage)
    choice = stage.choose(second)
    assert (choice.source, choice.commit) == (BUNDLE, third)
    assert "belongs to another bundle" in choice.warnings[0]


def test_only_something_else_was_added(stage: GitStage) -> None:
    """Where another branch went on, ours is what the bundle holds."""
    first = stage.on_github.commit({"index.html": "1"})
    keep(stage)
    stage.on_github.commit({"x": "1"}, branch="other")
    keep(stage)
    die(stage)
    choice = stage.choose(first)
    assert (choice.commit, choice.warnings) == (first, ())


def test_neither_has_the_branch(stage: GitStage) -> None:
    """A branch that is in neither is said to be so."""
    stage.on_github.commit({"x": "1"}, branch="other")
    keep(stage)
    stage.on_github.commit({"x": "2"}, branch="another")
    keep(stage)
    bundle = stage.ask().bundle
    assert bundle is not None
    assert (bundle.trouble, bundle.problem) == (Trouble.NO_BRANCH, "no such branch: it has no main")
