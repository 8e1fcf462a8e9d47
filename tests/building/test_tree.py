"""Random trees with links: whatever a build leaves, nothing from outside is ever listed, and every walk ends."""

from __future__ import annotations

import os
import stat
import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from hypothesis import event, given, settings
from hypothesis import strategies as st

from defib.building.tree import Survey, survey
from defib.clock import Deadline, SystemClock

NAMES = ("a", "b", "c", ".h", ".well-known")
PLACES = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join)
TARGETS = st.one_of(
    PLACES,
    PLACES.map("../{}".format),
    PLACES.map("../../{}".format),
    PLACES.map("{{root}}/{}".format),
    st.sampled_from(["/etc/hostname", "../outside", "../outside/secret", "..", ".", "{root}", "{root}/../outside/secret"]),
)


@dataclass(frozen=True)
class Piece:
    """One thing to make: a file, a folder, a pipe, or a link to `target`."""

    kind: str
    path: str
    target: str = ""

    def make(self, root: Path) -> None:
        """Make it where there is room for it; what stands in the way stays."""
        place = root / self.path
        if os.path.lexists(place) or not _make_parents(root, place):
            return
        if self.kind == "file":
            place.write_text(self.path)
        elif self.kind == "folder":
            place.mkdir()
        elif self.kind == "pipe":
            os.mkfifo(place)
        else:
            place.symlink_to(self.target.format(root=root))


PIECES = st.one_of(
    st.builds(Piece, st.sampled_from(["file", "file", "folder"]), PLACES),
    st.builds(Piece, st.just("link"), PLACES, TARGETS),
    st.builds(Piece, st.just("pipe"), PLACES),
)


def _make_parents(root: Path, place: Path) -> bool:
    """Folders up to `place`; False where a file or a link is in the way, so that nothing is made elsewhere."""
    for parent in reversed(place.parents):
        if parent.is_relative_to(root) and (parent.is_symlink() or (parent.exists() and not parent.is_dir())):
            return False
    place.parent.mkdir(parents=True, exist_ok=True)
    return True


@dataclass
class Oracle:
    """The same judgement from the plain meaning of the rules: path by path, recursively, by `realpath` alone."""

    root: Path

    def __post_init__(self) -> None:
        self.files: set[str] = set()
        self.bad: set[str] = set()
        self.visit("", self.root, [])

    def visit(self, path: str, real: Path, above: list[Path]) -> None:
        """All that is under a folder."""
        for each in real.iterdir():
            self.judge(f"{path}{each.name}", [*above, real])

    def judge(self, path: str, above: list[Path]) -> None:
        """One path."""
        if self.hidden(path):
            return
        try:
            real = Path(os.path.realpath(self.root / path, strict=True))
        except OSError:
            self.bad.add(path)
            return
        if self.root not in (real, *real.parents) or real in above:
            self.bad.add(path)
        elif self.hidden(str(real.relative_to(self.root))):
            return
        elif real.is_dir():
            self.visit(f"{path}/", real, above)
        elif real.is_file():
            self.files.add(path)
        else:
            self.bad.add(path)

    def hidden(self, path: str) -> bool:
        """Whether nobody is to see it."""
        parts = Path(path).parts
        return bool(parts) and parts[0] != ".well-known" and any(part[0] == "." for part in parts)


def look(root: Path) -> Survey:
    """The survey under test."""
    return survey(root, Deadline.after(SystemClock(), timedelta(seconds=30)))


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=14))
def test_random_trees(pieces: list[Piece]) -> None:
    """R14: exactly the files that rules and links allow are listed, and exactly the rest is a problem or passed over."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(os.path.realpath(name)) / "root"
        root.mkdir()
        (root.parent / "outside").mkdir()
        (root.parent / "outside" / "secret").write_text("s")
        for piece in pieces:
            piece.make(root)
        found, oracle = look(root), Oracle(root)
        event("refused" if oracle.bad else "served")
        assert {file.path for file in found.files} == oracle.files
        assert {problem.partition(" ")[0] for problem in found.problems} == oracle.bad
        for file in found.files:
            assert file.real.is_relative_to(root)
            assert stat.S_ISREG(file.real.lstat().st_mode)
            assert (root / file.path).read_text() == file.real.read_text() != "s"
        assert [file.path for file in found.files] == sorted(oracle.files)
        served = {file.path for file in found.files}
        assert not [each for each in found.skipped if each.path in served]
