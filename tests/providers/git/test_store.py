"""The local copy: commits placed to one another, dated, and written out exactly."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from defib.errors import BudgetSpent, HomeUnwritable, NotFound, StepFailed
from defib.providers.git.store import GitStore
from tests.providers.git.git_stage import GitStage, stage
from tests.providers.git.repository import NOON, git

__all__ = ["stage"]

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
NOWHERE = "0123456789012345678901234567890123456789"


def test_descends(stage: GitStage) -> None:
    """A commit descends from itself and its ancestors, from nothing else, and from nothing that is not held."""
    first = stage.on_github.commit({"a": "1"})
    second = stage.on_github.commit({"a": "2"}, first)
    other = stage.on_gitlab.commit({"a": "3"}, at=timedelta(hours=1))
    stage.ask()
    sources, within = stage.sources(), stage.within()
    pairs = [(second, first), (first, first), (first, second), (second, other), (second, NOWHERE), (second, "--all")]
    assert [True, True, False, False, False, False] == [sources.descends(*pair, within=within) for pair in pairs]


def test_merged_lines_descend(stage: GitStage) -> None:
    """A merge descends from both of its parents."""
    first = stage.on_github.commit({"a": "1"})
    left = stage.on_github.commit({"a": "2"}, first)
    right = stage.on_github.commit({"a": "3"}, first)
    merge = stage.on_github.commit({"a": "4"}, left, right)
    stage.ask()
    assert [True, True] == [stage.sources().descends(merge, side, within=stage.within()) for side in (left, right)]


def test_committed(stage: GitStage) -> None:
    """The committer date, in UTC."""
    commit = stage.on_github.commit({"a": "1"}, at=timedelta(minutes=5))
    stage.ask()
    assert stage.sources().committed(commit, within=stage.within()) == NOON + timedelta(minutes=5)


def test_dates_of_another_age(stage: GitStage) -> None:
    """A date that no calendar holds is unknown, one that ours does is told, however forged."""
    tree = stage.on_github.tree({"a": "1"})
    for seconds, expected in (("99999999999999", None), ("4102444800", datetime(2100, 1, 1, tzinfo=UTC))):
        raw = f"tree {tree}\nauthor a <a@x> 1 +0000\ncommitter a <a@x> {seconds} +0000\n\nx\n".encode()
        commit = git(stage.on_github.folder, "hash-object", "-w", "-t", "commit", "--literally", "--stdin", given=raw)
        git(stage.on_github.folder, "update-ref", "refs/heads/main", commit)
        offer = stage.offer()
        assert offer.tip is not None
        assert (offer.tip.commit, offer.tip.committed) == (commit, expected)


@pytest.mark.parametrize("commit", [NOWHERE, "main", "HEAD", "--all", "", "refs/remotes/github/main", "abc"])
def test_only_commits_have_a_name(stage: GitStage, commit: str) -> None:
    """What is no id of a commit that is held is not found, whatever git would make of it."""
    stage.on_github.commit({"a": "1"})
    stage.ask()
    with pytest.raises(NotFound):
        stage.sources().committed(commit, within=stage.within())
    with pytest.raises(NotFound):
        stage.export(commit)


def test_nothing_was_asked_yet(stage: GitStage) -> None:
    """Without a local copy there is no commit, and no crash."""
    with pytest.raises(NotFound):
        stage.export(NOWHERE)


def test_exact_tree(stage: GitStage) -> None:
    """Every file of the commit and no other: bytes, programs, links, hidden ones; no ``.git``, nothing beside the folder."""
    stage.on_github.commit({"old.html": "old"})
    link = git(stage.on_github.folder, "hash-object", "-w", "--stdin", given=b"index.html")
    blob = git(stage.on_github.folder, "hash-object", "-w", "--stdin", given=b"a\r\nb\n\x00\xff")
    listing = f"100644 blob {blob}\t.hidden\n100755 blob {blob}\tbuild.sh\n100644 blob {blob}\tindex.html\n"
    listing += f"120000 blob {link}\tlink\n"
    commit = stage.on_github.commit_tree(git(stage.on_github.folder, "mktree", given=listing.encode()))
    stage.ask()
    folder = stage.export(commit)
    assert [".hidden", "build.sh", "index.html", "link"] == sorted(path.name for path in folder.rglob("*"))
    assert (folder / "index.html").read_bytes() == b"a\r\nb\n\x00\xff"
    assert (folder / "link").readlink() == Path("index.html")
    assert [False, True] == [os.access(folder / name, os.X_OK) for name in ("index.html", "build.sh")]
    assert {"github", "gitlab", "home", "tree"} == {path.name for path in stage.folder.iterdir()}


def test_attributes_hide_and_change_nothing(stage: GitStage) -> None:
    """``export-ignore`` and ``export-subst`` are for archives; LFS pointers stay pointers, for the later check to refuse."""
    files = {
        ".gitattributes": "secret.html export-ignore\nsubst.html export-subst\n*.png filter=lfs diff=lfs -text\n",
        "secret.html": "here",
        "subst.html": "$Format:%H$",
        "logo.png": POINTER,
    }
    commit = stage.on_github.commit(files)
    stage.ask()
    folder = stage.export(commit)
    assert files == {path.name: path.read_text() for path in folder.iterdir()}


def test_the_folder_must_be_empty(stage: GitStage) -> None:
    """What is left of another build is neither mixed with this one nor removed; an empty folder is taken."""
    commit = stage.on_github.commit({"index.html": "1"})
    stage.ask()
    folder = stage.folder / "tree"
    folder.mkdir()
    stage.export(commit)
    with pytest.raises(StepFailed, match="not empty"):
        stage.export(commit)
    assert ["index.html"] == [path.name for path in folder.iterdir()]
    (stage.folder / "link").symlink_to(stage.folder / "home", target_is_directory=True)
    with pytest.raises(StepFailed, match="not empty"):
        stage.sources().export(commit, stage.folder / "link", within=stage.within())


def test_half_a_tree_is_no_tree(stage: GitStage) -> None:
    """Where the time ends while files are written, no folder is left behind."""
    commit = stage.on_github.commit({f"{number}.html": "x" * 10_000 for number in range(50)})
    stage.ask()
    before = {path.name for path in stage.folder.iterdir()}
    with pytest.raises(BudgetSpent):
        stage.sources().export(commit, stage.folder / "tree", within=stage.within(0))
    assert {path.name for path in stage.folder.iterdir()} == before


def test_a_missing_object_is_told(stage: GitStage) -> None:
    """A local copy that lost objects writes out no part of a tree, and says what to do."""
    commit = stage.on_github.commit({"index.html": "1"})
    stage.ask()
    for pack in stage.store.glob("objects/pack/pack-*"):
        pack.chmod(0o600)
        pack.write_bytes(pack.read_bytes()[:40])
    with pytest.raises((StepFailed, NotFound)):
        stage.export(commit)
    assert not (stage.folder / "tree").exists()


def test_a_home_that_cannot_be_written(tmp_path: Path, stage: GitStage) -> None:
    """Where the local copy cannot be kept, that is said at once."""
    (tmp_path / "file").write_text("")
    store = GitStore(tmp_path / "file" / "pulse.git")
    with pytest.raises(HomeUnwritable), store.open(stage.within()):
        pass


def test_without_git(stage: GitStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without git says so, and does not call every remote dead."""
    monkeypatch.setenv("PATH", str(stage.folder))
    with pytest.raises(StepFailed, match="cannot start git"):
        stage.ask()


def test_a_git_that_is_too_old(stage: GitStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A git that ignores configuration in the environment would run what it is told not to: not used, whatever was."""
    stage.ask()
    folder = stage.folder / "bin"
    folder.mkdir()
    (folder / "git").write_text(f'#!/bin/sh\nunset GIT_CONFIG_COUNT\nPATH={os.environ["PATH"]} exec git "$@"\n')
    (folder / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    with pytest.raises(StepFailed, match="configuration"):
        stage.ask()
