"""Artefacts: whole or not there, the newest few, never the one in use, and never believed for their name."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from defib.building.artefacts import NEWEST, Artefacts, Recipe
from defib.building.built import Kind, Output
from defib.building.output import check_output
from defib.clock import Deadline, SimulatedClock
from defib.errors import BudgetSpent, HomeUnwritable, StepFailed
from tests.building.workshop import COMMIT, INDEX, PAGE

RECIPE = Recipe(("make", "site"), "public")
OTHERS = [f"{number:040x}" for number in range(1, 6)]


class Shelf:
    """Artefacts, a folder with the output of a build, and a clock that stands still until it is told."""

    def __init__(self, folder: Path) -> None:
        self.clock = SimulatedClock()
        self.artefacts = Artefacts(folder / "artefacts")
        self.source = folder / "public"
        (self.source / "assets").mkdir(parents=True)
        (self.source / "assets" / "logo.svg").write_text("<svg/>")

    @property
    def within(self) -> Deadline:
        """A deadline."""
        return Deadline.after(self.clock, timedelta(seconds=30))

    def output(self, commit: str) -> Output:
        """The checked output of a commit."""
        (self.source / "index.html").write_text(INDEX.replace(COMMIT, commit))
        return check_output(self.source, PAGE, commit, self.within)

    def keep(self, commit: str = COMMIT, recipe: Recipe = RECIPE) -> Path:
        """Keep it, a minute later than the last."""
        self.clock.sleep(timedelta(minutes=1))
        return self.artefacts.keep(self.output(commit), self.source, commit, recipe, Kind.STATIC, self.within)

    def find(self, commit: str = COMMIT) -> tuple[Path | None, tuple[str, ...]]:
        """The files of what is found, and why others were not."""
        found, wrong = self.artefacts.find(commit, RECIPE, PAGE, self.within)
        return found.files if found else None, wrong

    def names(self) -> list[str]:
        """All that is in the folder, hidden or not."""
        return sorted(each.name for each in self.artefacts.folder.iterdir())


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """An empty one."""
    return Shelf(tmp_path)


def test_kept_and_found(shelf: Shelf) -> None:
    """R18: what was kept is found, with kind and files; nothing half written lies about."""
    files = shelf.keep()
    assert (files, ()) == shelf.find()
    assert [files.parent.name] == shelf.names()
    manifest = json.loads((files.parent / "manifest.json").read_text())
    assert (manifest["commit"], manifest["kind"], len(manifest["files"])) == (COMMIT, "static", 2)


def test_nothing_there(shelf: Shelf) -> None:
    """Nothing is found where nothing was ever kept, and there is nothing to remove."""
    assert shelf.find() == (None, ())
    assert shelf.artefacts.retain(()) == ()


def test_newest_wins(shelf: Shelf) -> None:
    """Two builds of one commit that differ are both kept, and the newer one is found; the same again makes it newer."""
    first = shelf.keep()
    (shelf.source / "assets" / "logo.svg").write_text("<svg>2</svg>")
    second = shelf.keep()
    assert (second, ()) == shelf.find()
    (shelf.source / "assets" / "logo.svg").write_text("<svg/>")
    assert shelf.keep() == first
    assert (first, ()) == shelf.find()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda files: (files / "assets/logo.svg").write_text("<svg>"), "its files are not those of its manifest"),
        (lambda files: (files / "assets/logo.svg").unlink(), "its files are not those of its manifest"),
        (lambda files: (files / "more").write_text("x"), "its files are not those of its manifest"),
        (lambda files: (files / "index.html").unlink(), "there is no index.html"),
        (lambda files: (files / ".hidden").write_text("x"), "its files are not those of its manifest"),
        (lambda files: (files / "link").symlink_to("/etc"), "link is a link that leaves the output, to /etc"),
    ],
)
def test_not_whole(shelf: Shelf, change: Callable[[Path], object], why: str) -> None:
    """R18: a byte that changed, a file that went or came: it is not used, and why is told; keeping it again mends it."""
    files = shelf.keep()
    change(files)
    assert (None, (f"{files.parent.name} is not whole: {why}",)) == shelf.find()
    assert shelf.keep() == files
    assert (files, ()) == shelf.find()


@pytest.mark.parametrize("text", ["", "{", '{"commit": 1}'])
def test_manifest_that_cannot_be_read(shelf: Shelf, text: str) -> None:
    """R18: an artefact that does not say what is in it serves nobody, and goes first."""
    files = shelf.keep(OTHERS[0])
    (files.parent / "manifest.json").write_text(text)
    assert (None, (f"{files.parent.name} has no manifest that can be read",)) == shelf.find(OTHERS[0])
    assert (files.parent.name,) == shelf.artefacts.retain(())


def test_falls_back_to_an_older_one(shelf: Shelf) -> None:
    """R18: where the newest of a commit is not whole, the one before is used, and why is told."""
    first = shelf.keep()
    (shelf.source / "assets" / "logo.svg").write_text("<svg>2</svg>")
    second = shelf.keep()
    (second / "index.html").write_text("")
    assert (first, (f"{second.parent.name} is not whole: index.html is empty",)) == shelf.find()


def test_retention(shelf: Shelf) -> None:
    """The newest three stay, and whatever is in use, however old; the rest goes, oldest or not."""
    names = [shelf.keep(commit).parent.name for commit in OTHERS]
    assert set(shelf.artefacts.retain({OTHERS[0]})) == {names[1]}
    assert shelf.names() == sorted([names[0], *names[-NEWEST:]])
    assert set(shelf.artefacts.retain(())) == {names[0]}
    assert shelf.artefacts.retain(()) == ()


def test_file_that_changed_since(shelf: Shelf) -> None:
    """What is kept is what was checked, or nothing is."""
    output = shelf.output(COMMIT)
    (shelf.source / "assets" / "logo.svg").write_text("<svg!>")
    with pytest.raises(StepFailed, match="changed while it was kept"):
        shelf.artefacts.keep(output, shelf.source, COMMIT, RECIPE, Kind.STATIC, shelf.within)
    assert shelf.names() == []


def test_time(shelf: Shelf) -> None:
    """Keeping ends with its time and leaves nothing."""
    output = shelf.output(COMMIT)
    with pytest.raises(BudgetSpent):
        shelf.artefacts.keep(output, shelf.source, COMMIT, RECIPE, Kind.STATIC, Deadline.after(shelf.clock, timedelta(0)))
    assert shelf.names() == []


def test_no_place(shelf: Shelf) -> None:
    """A home where nothing can be written is named, with how much room it takes."""
    output = shelf.output(COMMIT)
    shelf.artefacts.folder.write_text("a file is in the way")
    with pytest.raises(HomeUnwritable, match="cannot keep the build") as caught:
        shelf.artefacts.keep(output, shelf.source, COMMIT, RECIPE, Kind.STATIC, shelf.within)
    assert (str(shelf.artefacts.folder), "room for 1 MiB") == (caught.value.where, caught.value.expected)
    with pytest.raises(HomeUnwritable), shelf.artefacts.room():
        pass


def test_what_others_left_is_swept(shelf: Shelf) -> None:
    """Half-written folders of processes that were killed go after a day, and not while somebody may be at work there."""
    shelf.clock = SimulatedClock(datetime.now(UTC))
    shelf.artefacts.folder.mkdir()
    for name, age in (("old", timedelta(days=2)), ("young", timedelta(hours=1))):
        folder = shelf.artefacts.folder / f".new-{name}"
        (folder / "files").mkdir(parents=True)
        at = (datetime.now(UTC) - age).timestamp()
        os.utime(folder, (at, at))
    files = shelf.keep()
    assert [".new-young", files.parent.name] == shelf.names()


def test_room_is_gone_afterwards(shelf: Shelf) -> None:
    """A build's own folder goes with the build, also what it made read-only in there."""
    with shelf.artefacts.room() as own:
        (own / "cache").mkdir()
        (own / "cache" / "a").write_text("x")
        (own / "cache").chmod(0o500)
    assert shelf.names() == []


KEEPER = """
import sys
from pathlib import Path
from defib.clock import SystemClock
from tests.building.test_artefacts import *
shelf = Shelf.__new__(Shelf)
folder = Path(sys.argv[1])
shelf.clock, shelf.artefacts, shelf.source = SystemClock(), Artefacts(folder / "artefacts"), folder / "public"
output = shelf.output(COMMIT)

class Killing(SystemClock):
    def monotonic(self):
        if any(shelf.artefacts.folder.glob(".new-*/artefact/files/15.txt")):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().monotonic()

shelf.artefacts.keep(output, shelf.source, COMMIT, RECIPE, Kind.STATIC, Deadline.after(Killing(), timedelta(minutes=9)))
"""
"""Its clock kills its own process, without any chance to clean up, when half of the files are there."""


def test_killed_while_it_keeps(shelf: Shelf) -> None:
    """R18: after a kill -9 in the middle there is no artefact by that name, and the next build keeps one."""
    for number in range(30):
        (shelf.source / f"{number:02}.txt").write_text("x" * 2000)
    keeper = [sys.executable, "-c", KEEPER, str(shelf.source.parent)]
    assert -signal.SIGKILL == subprocess.run(keeper, cwd=Path(__file__).parents[2], check=False).returncode
    assert any(shelf.artefacts.folder.glob(".new-*/artefact/files/*.txt"))
    assert not [name for name in shelf.names() if not name.startswith(".")]
    assert shelf.find() == (None, ())
    files = shelf.keep()
    assert (files, ()) == shelf.find()
