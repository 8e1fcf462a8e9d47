"""A store that is put in order: nothing of it is thrown away, and what every run reads stands in one file."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from defib.clock import Deadline, SystemClock
from defib.providers.git.command import GitCommand
from defib.providers.git.examine import examine
from tests.providers.git.repository import Repository, git


def within(seconds: float = 20) -> Deadline:
    """A deadline."""
    return Deadline.after(SystemClock(), timedelta(seconds=seconds))


@pytest.fixture
def store(tmp_path: Path) -> Repository:
    """A repository with two commits, of which no ref leads to one."""
    made = Repository.make(tmp_path / "store.git")
    made.commit({"a": "lost"})
    made.commit({"a": "1"})
    return made


def loose(store: Repository) -> int:
    """How many refs stand in a file each."""
    return sum(path.is_file() for path in (store.folder / "refs").rglob("*"))


def test_the_first_time(store: Repository) -> None:
    """It is examined and put in order, as it is whenever that is due again; what no ref leads to stays."""
    before = git(store.folder, "cat-file", "--batch-all-objects", "--batch-check=%(objectname)")
    for _ in range(2):
        assert examine(GitCommand(store.folder), loose(store), within()) == ""
        (store.folder / "examined").unlink()
    assert git(store.folder, "cat-file", "--batch-all-objects", "--batch-check=%(objectname)") == before
    assert (loose(store), (store.folder / "objects" / "info" / "commit-graph").is_file()) == (0, True)


@pytest.mark.parametrize(("many", "left"), [(3, 3), (250, 0)])
def test_in_between(store: Repository, many: int, left: int) -> None:
    """Until it is due again, refs are put into one file only where there are many in files of their own."""
    command = GitCommand(store.folder)
    examine(command, loose(store), within())
    tip = git(store.folder, "rev-parse", "main")
    told = "".join(f"create refs/heads/topic/{number} {tip}\n" for number in range(many))
    git(store.folder, "update-ref", "--stdin", given=told.encode())
    assert examine(command, loose(store), within()) == ""
    assert loose(store) == left


def test_damage_is_told(store: Repository) -> None:
    """An object that is not what its name says is found, and told."""
    blob = git(store.folder, "rev-parse", "main:a")
    path = store.folder / "objects" / blob[:2] / blob[2:]
    path.chmod(0o600)
    path.write_bytes(b"something else")
    assert "is damaged" in examine(GitCommand(store.folder), 0, within())


def test_without_time(store: Repository) -> None:
    """Where the time does not suffice, that is told, and it stays due."""
    assert "in its time" in examine(GitCommand(store.folder), 0, within(0))
    assert not (store.folder / "examined").exists()
