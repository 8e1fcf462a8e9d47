"""A bundle is judged by its last byte, not by its header."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from defib.clock import Deadline, SystemClock
from defib.errors import BudgetSpent
from defib.providers.git.bundle import is_whole
from tests.providers.git.repository import Repository, git


def within(seconds: float = 30) -> Deadline:
    """A deadline."""
    return Deadline.after(SystemClock(), timedelta(seconds=seconds))


@pytest.mark.parametrize("version", ["2", "3"])
def test_whole(tmp_path: Path, version: str) -> None:
    """What git writes is whole, and not with one byte less, more, or changed."""
    repository = Repository.make(tmp_path / "pulse.git")
    repository.commit({"index.html": "1"})
    path = tmp_path / "pulse.bundle"
    git(repository.folder, "bundle", "create", "--quiet", f"--version={version}", str(path), "main")
    good = path.read_bytes()
    assert is_whole(path, within())
    for bad in (
        good[:-1],
        good + b"x",
        good[:-25] + bytes([good[-25] ^ 1]) + good[-24:],
        good[:30],
        b"",
        b"# v2 git bundle\n",
    ):
        path.write_bytes(bad)
        assert not is_whole(path, within())


def test_objects_by_sha256(tmp_path: Path) -> None:
    """The longer checksum of repositories by SHA-256 is read as such."""
    folder = tmp_path / "pulse.git"
    folder.mkdir()
    git(folder, "init", "--quiet", "--bare", "--object-format=sha256", "--initial-branch=main", ".")
    Repository(folder).commit_tree(git(folder, "mktree"))
    path = Repository(folder).bundle(tmp_path / "pulse.bundle")
    assert is_whole(path, within())


def test_time(tmp_path: Path) -> None:
    """A bundle that cannot be read in time is not called whole."""
    repository = Repository.make(tmp_path / "pulse.git")
    repository.commit({"index.html": "1"})
    with pytest.raises(BudgetSpent):
        is_whole(repository.bundle(tmp_path / "pulse.bundle"), within(0))
