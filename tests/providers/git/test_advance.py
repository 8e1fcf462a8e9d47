"""Refs that are moved at once where nothing is lost by it: anything else is left as it is, all of it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from defib.clock import Deadline, SystemClock
from defib.providers.git.advance import advance
from defib.providers.git.command import GitCommand
from defib.providers.git.outgoing import Outgoing
from tests.providers.git.repository import Repository, git

MAIN = "refs/heads/main"
NEW = "refs/heads/new"


class Store:
    """A line of three commits, of which the branch is at the second, and one of another line."""

    def __init__(self, folder: Path) -> None:
        self.repository = Repository.make(folder)
        self.first = self.repository.commit({"a": "1"})
        self.second = self.repository.commit({"a": "2"}, self.first)
        self.third = self.repository.commit({"a": "3"}, self.second, branch="third")
        self.other = self.repository.commit({"b": "1"}, branch="other")
        git(folder, "tag", "v1", self.first)

    def refs(self) -> dict[str, str]:
        """Where every ref leads."""
        told = git(self.repository.folder, "for-each-ref", "--format=%(refname) %(objectname)").splitlines()
        return dict(line.split(" ") for line in told)

    def advance(self, *moves: tuple[str, str, str]) -> bool:
        """Try it."""
        within = Deadline.after(SystemClock(), timedelta(seconds=20))
        git = GitCommand(self.repository.folder)
        return advance(git, Outgoing(git), moves, within)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Ready."""
    return Store(tmp_path / "store.git")


def test_what_loses_nothing(store: Store) -> None:
    """A branch goes on, and new refs are made, whatever they lead to."""
    before = store.refs()
    moves = [(MAIN, store.second, store.third), (NEW, "", store.first), ("refs/tags/v2", "", store.third)]
    assert store.advance(*moves, ("refs/heads/third", store.third, store.third))
    assert store.refs() == before | {MAIN: store.third, NEW: store.first, "refs/tags/v2": store.third}


@pytest.mark.parametrize("name", ["back", "apart", "tag", "elsewhere", "there", "gone", "folder", "missing", "many"])
def test_what_may_lose_something(store: Store, name: str) -> None:
    """Nothing is moved, not even what could be."""
    git(store.repository.folder, "update-ref", "refs/heads/folder/x", store.first)
    fine = (NEW, "", store.third)
    several = [(f"refs/heads/many/{number}", store.first, store.second) for number in range(5)]
    for ref, commit, _ in several if name == "many" else ():
        git(store.repository.folder, "update-ref", ref, commit)
    moves = {
        "back": [(MAIN, store.second, store.first)],
        "apart": [(MAIN, store.second, store.other)],
        "tag": [("refs/tags/v1", store.first, store.second)],
        "elsewhere": [(MAIN, store.first, store.third)],
        "there": [(MAIN, "", store.third)],
        "gone": [("refs/heads/gone", store.first, store.third)],
        "folder": [("refs/heads/folder", "", store.third)],
        "missing": [("refs/heads/missing", "", "1" * 40)],
        "many": several,
    }[name]
    before = store.refs()
    assert not store.advance(fine, *moves)
    assert store.refs() == before
