"""A bundle that is kept, and what is added to it: together they hold everything, and no half of either is ever in place."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from defib.clock import Deadline, SystemClock
from defib.errors import StepFailed
from defib.providers.git.bundle import added_to, is_whole, read_header
from defib.providers.git.command import GitCommand
from defib.providers.git.keeping import WHOLE_EVERY, Bundles
from tests.providers.git.repository import Repository, git

MAIN = "refs/heads/main"


class Kept:
    """A repository of two branches and a tag, of which a bundle is kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = Repository.make(folder / "store.git")
        self.first = self.store.commit({"index.html": "1"})
        self.second = self.store.commit({"index.html": "2"}, self.first)
        self.store.commit({"index.html": "x"}, self.first, branch="topic")
        git(self.store.folder, "tag", "v1", self.first)
        self.bundle = folder / "mirrors" / "pulse.bundle"
        self.added = added_to(self.bundle)

    def refs(self) -> dict[str, str]:
        """What the repository has."""
        told = git(self.store.folder, "for-each-ref", "--format=%(refname) %(objectname)").splitlines()
        return dict(line.split(" ") for line in told)

    def keep(self, seconds: float = 20) -> str:
        """Keep what the repository has."""
        within = Deadline.after(SystemClock(), timedelta(seconds=seconds))
        return Bundles(GitCommand(self.store.folder), self.bundle).keep(self.refs(), within)

    def restored(self) -> dict[str, str]:
        """What a person gets out of both, by the commands of the runbook; nothing is missing in it."""
        back = self.folder / "back.git"
        subprocess.run(["rm", "-rf", str(back)], check=True)
        git(self.folder, "clone", "--quiet", "--mirror", str(self.bundle), str(back))
        if self.added.is_file():
            git(back, "fetch", "--quiet", str(self.added), "refs/*:refs/*")
        git(back, "fsck", "--full", "--strict")
        told = git(back, "for-each-ref", "--format=%(refname) %(objectname)").splitlines()
        return dict(line.split(" ") for line in told)

    def go_on(self) -> str:
        """One more commit on the branch."""
        tip = self.refs()[MAIN]
        return self.store.commit({"index.html": f"after {tip}"}, tip)


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    """With a bundle, to which nothing was added yet."""
    made = Kept(tmp_path)
    assert "a new bundle of 3 refs" in made.keep()
    return made


def go_on(kept: Kept) -> None:
    """A branch goes on."""
    kept.go_on()


def go_on_twice(kept: Kept) -> None:
    """It goes on again after it was kept."""
    kept.go_on()
    kept.keep()
    kept.go_on()


def branch_off(kept: Kept) -> None:
    """There is another branch."""
    kept.store.commit({"index.html": "new"}, kept.first, branch="new")


def begin_anew(kept: Kept) -> None:
    """There is a branch that has nothing in common with the others."""
    kept.store.commit({"index.html": "of another line"}, branch="other")


def tag_what_is_there(kept: Kept) -> None:
    """Tags of both kinds on what the bundle holds."""
    git(kept.store.folder, "tag", "v2", kept.first)
    git(kept.store.folder, "tag", "-a", "v3", "-m", "the third", kept.second)


def tag_and_go_on(kept: Kept) -> None:
    """A tag on what the bundle ends with, and the branch goes on."""
    git(kept.store.folder, "tag", "v2", kept.second)
    kept.go_on()


def merge(kept: Kept) -> None:
    """Two branches are merged."""
    tree = kept.store.tree({"index.html": "2", "x": "x"})
    kept.store.commit_tree(tree, kept.second, kept.refs()["refs/heads/topic"])


def bring_back(kept: Kept) -> None:
    """A file is again what it was two commits before."""
    kept.store.commit({"index.html": "1"}, kept.second)


@pytest.mark.parametrize(
    "change", [go_on, go_on_twice, branch_off, begin_anew, tag_what_is_there, tag_and_go_on, merge, bring_back]
)
def test_what_is_new_is_added(kept: Kept, change: Callable[[Kept], None]) -> None:
    """The bundle stays to the byte; what was added is enough to have everything again, on any machine."""
    before = kept.bundle.read_bytes()
    change(kept)
    assert "added to the bundle" in kept.keep()
    assert kept.bundle.read_bytes() == before
    assert kept.restored() == kept.refs()
    assert kept.keep() == "the bundle holds it already"


def delete(kept: Kept) -> None:
    """A branch is gone."""
    git(kept.store.folder, "update-ref", "-d", "refs/heads/topic")


def archive(kept: Kept) -> None:
    """An old tip was archived."""
    git(kept.store.folder, "update-ref", "refs/archive/2026-03-01/heads/topic/0123", kept.first)


def bring_much(kept: Kept) -> None:
    """More came than may be added."""
    kept.store.commit({"large": os.urandom(1_500_000).hex()}, kept.second)


def grow_old(kept: Kept) -> None:
    """It was only added to for a day."""
    kept.go_on()
    then = kept.bundle.stat().st_mtime - WHOLE_EVERY.total_seconds()
    os.utime(kept.bundle, (then, then))


def damage(kept: Kept) -> None:
    """The bundle is cut short."""
    kept.bundle.write_bytes(kept.bundle.read_bytes()[:-1])
    kept.go_on()


def lose(kept: Kept) -> None:
    """The bundle is gone."""
    kept.bundle.unlink()
    kept.go_on()


@pytest.mark.parametrize("change", [delete, archive, bring_much, grow_old, damage, lose])
def test_what_cannot_be_added_makes_a_new_bundle(kept: Kept, change: Callable[[Kept], None]) -> None:
    """What was lost or archived, what is much, and what was added for a day goes into a bundle of its own."""
    kept.go_on()
    kept.keep()
    change(kept)
    assert "a new bundle of" in kept.keep()
    assert not kept.added.exists()
    assert kept.restored() == kept.refs()


def test_two_bundles_before_it(kept: Kept) -> None:
    """The two before it stay, each as it was."""
    before = kept.bundle.read_bytes()
    for number in range(3):
        archived = f"refs/archive/2026-03-0{number + 1}/heads/main/0123"
        git(kept.store.folder, "update-ref", archived, kept.first)
        kept.keep()
    names = sorted(path.name for path in kept.bundle.parent.iterdir())
    assert names == ["pulse.bundle", "pulse.bundle.1", "pulse.bundle.2"]
    assert before not in [path.read_bytes() for path in kept.bundle.parent.iterdir()]


def test_back_to_what_the_bundle_holds(kept: Kept) -> None:
    """Where nothing differs from the bundle any more, nothing is left beside it."""
    kept.go_on()
    kept.keep()
    git(kept.store.folder, "update-ref", MAIN, kept.second)
    assert kept.keep() == "the bundle holds it already"
    assert not kept.added.exists()


def test_an_addition_says_whose_it_is(kept: Kept) -> None:
    """It names the bundle by what that ends with, and needs only what that holds."""
    kept.go_on()
    kept.keep()
    header, bundle = read_header(kept.added), read_header(kept.bundle)
    assert header is not None
    assert bundle is not None
    assert dict(header.needs) == {kept.second: f"of {kept.bundle.read_bytes()[-20:].hex()}"}
    assert set(header.needs) <= set(bundle.heads.values())


@pytest.mark.parametrize("name", ["pulse.bundle", "pulse.bundle.added"])
def test_what_somebody_else_put_there(kept: Kept, name: str) -> None:
    """A file that is not the one that was found whole is looked at again, and made anew where it is no good."""
    kept.go_on()
    kept.keep()
    (kept.bundle.parent / name).write_bytes(b"not a bundle")
    kept.keep()
    assert kept.restored() == kept.refs()


def test_a_disk_that_is_full(kept: Kept) -> None:
    """Where nothing can be written, that is told, and what was there stays."""
    kept.go_on()
    kept.keep()
    before = {path.name: path.read_bytes() for path in kept.bundle.parent.iterdir()}
    kept.go_on()
    for name in ("pulse.bundle.new", "pulse.bundle.added.new"):
        (kept.bundle.parent / name).mkdir()
    with pytest.raises(StepFailed, match="cannot be written"):
        kept.keep()
    after = {path.name: path.read_bytes() for path in kept.bundle.parent.iterdir() if path.is_file()}
    assert after == before


def test_a_store_that_lost_something(kept: Kept) -> None:
    """A commit that cannot be read goes into no bundle, and what was there stays."""
    new = kept.go_on()
    (kept.store.folder / "objects" / new[:2] / new[2:]).unlink()
    before = kept.bundle.read_bytes()
    with pytest.raises(StepFailed, match="no whole bundle could be made"):
        kept.keep()
    assert kept.bundle.read_bytes() == before
    assert [path.name for path in kept.bundle.parent.iterdir()] == ["pulse.bundle"]


def test_many_refs(kept: Kept) -> None:
    """A few hundred new refs are added as well, and are whole."""
    told = "".join(f"create refs/heads/many/{number} {kept.second}\n" for number in range(300))
    git(kept.store.folder, "update-ref", "--stdin", given=told.encode())
    kept.go_on()
    assert "301 refs were added" in kept.keep()
    assert is_whole(kept.added, Deadline.after(SystemClock(), timedelta(seconds=5)))
    assert kept.restored() == kept.refs()
