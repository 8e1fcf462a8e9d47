"""Refs that go on, brought and sent in one request each; and all that is left to git, with nothing lost by the attempt."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from defib.clock import Deadline, SystemClock
from defib.errors import Unavailable
from defib.providers.git.command import GitCommand
from defib.providers.git.exchange import bring, send
from defib.providers.git.outgoing import Move, Outgoing
from defib.providers.git.smart_http import SmartHttp
from tests.providers.git.repository import Repository, git
from tests.providers.git.server import GitServer, serving

MAIN, INCOMING = "refs/heads/main", "refs/incoming/heads/main"


class Exchange:
    """A source, a mirror of it and a store, all at the same commit of a line."""

    def __init__(self, folder: Path, source: GitServer, mirror: GitServer) -> None:
        self.source, self.mirror = source, mirror
        self.at_source = Repository.make(source.root / "pulse.git")
        self.at_mirror = Repository.make(mirror.root / "pulse.git")
        self.store = Repository.make(folder / "store.git")
        self.old = self.at_source.commit({"index.html": "1"}, self.at_source.commit({"index.html": "0"}))
        self.other = self.at_source.commit({"x": "1"}, self.old, branch="other")
        self.at_mirror.take(self.at_source, self.old)
        git(self.store.folder, "fetch", "--quiet", str(self.at_source.folder), "+refs/heads/*:refs/incoming/heads/*")
        self.outgoing = Outgoing(GitCommand(self.store.folder))

    def go_on(self, files: dict[str, str] | None = None, branch: str = "main") -> str:
        """One more commit at the source."""
        tip = git(self.at_source.folder, "rev-parse", f"refs/heads/{branch}")
        return self.at_source.commit(files or {"index.html": "2"}, tip, branch=branch)

    def bring(self, *moves: Move, seconds: float = 20) -> bool:
        """Bring from the source."""
        there = SmartHttp(self.source.at("pulse.git"), self.login(self.source))
        return bring(there, GitCommand(self.store.folder), moves, within(seconds))

    def send(self, *moves: Move, most: int = 0) -> bool:
        """Send to the mirror what the store has."""
        there = SmartHttp(self.mirror.at("pulse.git"), self.login(self.mirror))
        return send(there, self.outgoing, moves, most, within())

    def brought(self) -> str:
        """A commit more, which the store has."""
        new = self.go_on()
        git(self.store.folder, "fetch", "--quiet", str(self.at_source.folder), f"+{MAIN}:{INCOMING}")
        return new

    def login(self, server: GitServer) -> str:
        """What that server is told."""
        return "Basic Z2l0OmdscGF0LWFiY2RlZmdoaWprbG1ub3A=" if server.token else ""


def within(seconds: float = 20) -> Deadline:
    """A deadline."""
    return Deadline.after(SystemClock(), timedelta(seconds=seconds))


def at(repository: Repository, ref: str = MAIN) -> str:
    """Where a ref leads; nothing is missing or broken behind it."""
    git(repository.folder, "fsck", "--full", "--strict")
    return git(repository.folder, "rev-parse", ref)


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Exchange]:
    """Two hosts that run while the test does."""
    with ExitStack() as stack:
        source, mirror = (stack.enter_context(serving(tmp_path / name)) for name in ("source", "mirror"))
        yield Exchange(tmp_path, source, mirror)


class TestBring:
    """From the source."""

    def test_a_commit(self, exchange: Exchange) -> None:
        """One request brings it, and the ref leads there."""
        new = exchange.go_on()
        assert exchange.bring((INCOMING, exchange.old, new))
        assert at(exchange.store, INCOMING) == new
        assert len(exchange.source.logins) == 1

    def test_several_refs(self, exchange: Exchange) -> None:
        """All of them in the same request, those that were pushed over as well: what was taken in follows its source."""
        new = exchange.go_on()
        over = exchange.at_source.commit({"y": "1"}, branch="other")
        other = "refs/incoming/heads/other"
        assert exchange.bring((INCOMING, exchange.old, new), (other, exchange.other, over))
        assert (at(exchange.store, INCOMING), at(exchange.store, other)) == (new, over)
        assert len(exchange.source.logins) == 1

    def test_a_new_ref(self, exchange: Exchange) -> None:
        """Nobody knows how much that is: git finds out."""
        new = exchange.go_on()
        assert not exchange.bring(("refs/incoming/heads/new", "", new))
        assert exchange.source.logins == []

    def test_the_store_has_moved(self, exchange: Exchange) -> None:
        """Another process was faster: what it did stays."""
        git(exchange.store.folder, "update-ref", INCOMING, exchange.other)
        assert not exchange.bring((INCOMING, exchange.old, exchange.go_on()))
        assert at(exchange.store, INCOMING) == exchange.other

    def test_no_time_left(self, exchange: Exchange) -> None:
        """Who has no time left asks nobody."""
        with pytest.raises(Unavailable):
            exchange.bring((INCOMING, exchange.old, exchange.go_on()), seconds=0)
        assert exchange.source.logins == []


def speak_the_first_protocol(exchange: Exchange) -> None:
    """The host knows no other."""
    exchange.source.old = True


def break_off(exchange: Exchange) -> None:
    """The answer ends in its middle."""
    exchange.source.cut_at = b"command=fetch"


def refuse(exchange: Exchange) -> None:
    """The token has expired."""
    exchange.source.token = "another-one-that-is-valid"


def redirect(exchange: Exchange) -> None:
    """It has moved."""
    exchange.source.status, exchange.source.location = 301, exchange.mirror.at("pulse.git")


def cut_the_history(exchange: Exchange) -> None:
    """The source is a shallow clone."""
    tip = git(exchange.at_source.folder, "rev-parse", MAIN)
    (exchange.at_source.folder / "shallow").write_text(f"{tip}\n", encoding="utf-8")


def bring_much(exchange: Exchange) -> None:
    """More than comes at once."""
    exchange.go_on({"large": os.urandom(5_000_000).hex()})


def mean_harm(exchange: Exchange) -> None:
    """A tree with a folder that git would take for its own."""
    tree = exchange.at_source.tree({".git/config": "[core]\n\tfsmonitor = touch /tmp/x\n", "index.html": "1"})
    exchange.at_source.commit_tree(tree, exchange.old)


def go_back(exchange: Exchange) -> None:
    """There is nothing to bring: the store has it."""
    git(exchange.at_source.folder, "update-ref", MAIN, f"{exchange.old}^")


@pytest.mark.parametrize(
    "happen", [speak_the_first_protocol, break_off, refuse, redirect, cut_the_history, bring_much, mean_harm, go_back]
)
def test_what_git_fetches(exchange: Exchange, happen: Callable[[Exchange], None]) -> None:
    """Nothing is moved, nothing of it comes into the store, and nobody else is told our token."""
    exchange.go_on()
    happen(exchange)
    before = sorted((exchange.store.folder / "objects").rglob("pack-*"))
    new = git(exchange.at_source.folder, "rev-parse", MAIN)
    assert not exchange.bring((INCOMING, exchange.old, new))
    assert at(exchange.store, INCOMING) == exchange.old
    assert sorted((exchange.store.folder / "objects").rglob("pack-*")) == before
    assert exchange.mirror.logins == []


class TestSend:
    """To a mirror."""

    def test_a_commit(self, exchange: Exchange) -> None:
        """One request takes it there, and the branch leads to it."""
        new = exchange.brought()
        assert exchange.send((MAIN, exchange.old, new))
        assert at(exchange.at_mirror) == new
        assert len(exchange.mirror.logins) == 1

    def test_several_refs(self, exchange: Exchange) -> None:
        """All of them in the same request."""
        new, other = exchange.brought(), "refs/heads/other"
        exchange.at_mirror.take(exchange.at_source, exchange.old, "other")
        assert exchange.send((MAIN, exchange.old, new), (other, exchange.old, exchange.other))
        assert (at(exchange.at_mirror), at(exchange.at_mirror, other)) == (new, exchange.other)
        assert len(exchange.mirror.logins) == 1

    def test_the_mirror_has_moved(self, exchange: Exchange) -> None:
        """Somebody pushed there since it was asked: what they pushed stays."""
        new = exchange.brought()
        own = exchange.at_mirror.commit({"index.html": "own"}, exchange.old)
        assert not exchange.send((MAIN, exchange.old, new))
        assert at(exchange.at_mirror) == own

    @pytest.mark.parametrize(("hook", "moved"), [("pre-receive", False), ("update", True)])
    def test_the_mirror_declines(self, exchange: Exchange, hook: str, moved: bool) -> None:
        """What it declines is not taken for done, whatever became of the others."""
        path = exchange.at_mirror.folder / "hooks" / hook
        path.write_text(f'#!/bin/sh\n[ "{hook}" = update ] && [ "$1" != {MAIN} ] && exit 0\nexit 1\n', encoding="utf-8")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        new, other = exchange.brought(), "refs/heads/other"
        exchange.at_mirror.take(exchange.at_source, exchange.old, "other")
        assert not exchange.send((MAIN, exchange.old, new), (other, exchange.old, exchange.other))
        assert at(exchange.at_mirror) == exchange.old
        assert (at(exchange.at_mirror, other) == exchange.other) is moved

    def test_what_is_too_large(self, exchange: Exchange) -> None:
        """More than a host takes at once, or than is sent at once, is left to git before anything is sent."""
        new = exchange.brought()
        assert not exchange.send((MAIN, exchange.old, new), most=20)
        large = exchange.store.commit({"large": os.urandom(1_500_000).hex()}, new)
        assert not exchange.send((MAIN, exchange.old, large))
        assert exchange.mirror.logins == []

    @pytest.mark.parametrize("name", ["back", "apart", "new", "tag", "unknown"])
    def test_what_might_lose_something(self, exchange: Exchange, name: str) -> None:
        """Nobody is asked to move a ref back, aside, or from where we do not know what it leads to."""
        new = exchange.brought()
        apart = exchange.store.commit({"z": "1"}, branch="apart")
        move = {
            "back": (MAIN, exchange.old, f"{exchange.old}^"),
            "apart": (MAIN, exchange.old, apart),
            "new": ("refs/heads/new", "", new),
            "tag": ("refs/tags/v1", exchange.old, new),
            "unknown": (MAIN, "1" * 40, new),
        }[name]
        assert not exchange.send(move)
        assert exchange.mirror.logins == []

    @pytest.mark.parametrize("status", [301, 403, 500])
    def test_the_mirror_refuses(self, exchange: Exchange, status: int) -> None:
        """What is no answer to a push is none; git finds out what is wrong."""
        exchange.mirror.status, exchange.mirror.location = status, exchange.source.at("pulse.git")
        assert not exchange.send((MAIN, exchange.old, exchange.brought()))
        assert exchange.source.logins == []
