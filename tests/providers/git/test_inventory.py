"""The refs of a store as they are read from its files: what git itself says, however they stand there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from defib.clock import Deadline, SystemClock
from defib.errors import StepFailed
from defib.providers.git.command import GitCommand
from defib.providers.git.inventory import Held, Inventory
from tests.providers.git.repository import Repository, git

KINDS = ("heads/", "tags/")


def within() -> Deadline:
    """A deadline."""
    return Deadline.after(SystemClock(), timedelta(seconds=20))


def held(store: Repository) -> Held:
    """What is read."""
    return Inventory(GitCommand(store.folder), KINDS).held(within())


def told(store: Repository, under: str) -> dict[str, str]:
    """What git says."""
    lines = git(store.folder, "for-each-ref", "--format=%(refname) %(objectname)", under).splitlines()
    return dict(line.rsplit(" ", 1) for line in lines)


@pytest.fixture
def store(tmp_path: Path) -> Repository:
    """Refs of every kind, none of them packed."""
    made = Repository.make(tmp_path / "store.git")
    first = made.commit({"a": "1"})
    made.commit({"a": "2"}, first, branch="topic/a\u3000b")
    git(made.folder, "tag", "-a", "v1", "-m", "the first", first)
    for ref in (
        "refs/incoming/heads/main",
        "refs/incoming/notes/x",
        "refs/archive/2026-03-01/heads/main/0123",
        "refs/pull/1",
    ):
        git(made.folder, "update-ref", ref, first)
    return made


def leave_them(_: Repository) -> None:
    """Each in a file of its own."""


def pack(store: Repository) -> None:
    """All in one file."""
    git(store.folder, "pack-refs", "--all")


def pack_and_change(store: Repository) -> None:
    """All in one file, and one of them newer in its own."""
    pack(store)
    store.commit({"a": "3"}, branch="main")


def pack_and_delete(store: Repository) -> None:
    """One is gone after it was packed."""
    pack(store)
    git(store.folder, "update-ref", "-d", "refs/heads/main")


def begin_to_write(store: Repository) -> None:
    """Another process is about to write one."""
    (store.folder / "refs" / "heads" / "new.lock").write_text("half")


def link(store: Repository) -> None:
    """One names another, which the store never does."""
    git(store.folder, "symbolic-ref", "refs/heads/link", "refs/heads/main")


def tear(store: Repository) -> None:
    """The machine lost its power while one was written."""
    (store.folder / "refs" / "heads" / "torn").write_text("")


@pytest.mark.parametrize("change", [leave_them, pack, pack_and_change, pack_and_delete, begin_to_write, link, tear])
def test_what_git_says(store: Repository, change: Callable[[Repository], None]) -> None:
    """Every ref leads where git says that it leads; those of the host's own are none of ours."""
    change(store)
    found = held(store)
    assert found.local == told(store, "refs/heads") | told(store, "refs/tags")
    assert found.incoming == {"refs/heads/main": told(store, "refs/incoming")["refs/incoming/heads/main"]}
    assert found.archived == told(store, "refs/archive")


def test_it_is_read_once(store: Repository) -> None:
    """What was read is known until somebody says that it is forgotten."""
    inventory = Inventory(GitCommand(store.folder), KINDS)
    before = inventory.held(within())
    new = store.commit({"a": "9"})
    assert inventory.held(within()) is before
    inventory.forget()
    assert inventory.held(within()).local["refs/heads/main"] == new


def test_how_many_are_loose(store: Repository) -> None:
    """Those that stand in a file each are counted."""
    assert held(store).loose == 7
    pack(store)
    assert held(store).loose == 0


def test_a_store_that_cannot_be_read(store: Repository) -> None:
    """Where neither we nor git can read them, nobody takes it for a store without refs."""
    (store.folder / "packed-refs").write_text("what is this\n")
    with pytest.raises(StepFailed, match="cannot be read"):
        held(store)
