"""What is in a folder, followed through its links and no further."""

from __future__ import annotations

import errno
import os
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from defib.building.built import Skipped
from defib.building.names import fault_of, is_git, is_hidden, shown
from defib.clock import Deadline
from defib.errors import BudgetSpent, Refused

WAYS = 100
"""In which one folder may be reached. Links can make millions of folders out of a handful, each level twice the one below,
without any loop."""

_KINDS = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISCHR, "a device"),
)


@dataclass(frozen=True)
class Found:
    """One file: its path as it will be served, and where it really is, without links on the way."""

    path: str
    real: Path


@dataclass(frozen=True)
class Survey:
    """All of a folder: what is there, what is passed over, and what must not be there, in words."""

    files: tuple[Found, ...]
    skipped: tuple[Skipped, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True)
class _Folder:
    """One folder on the way: `path` is "" or ends with a slash, `above` are the identities of it and of those it is in."""

    path: str
    real: Path
    above: frozenset[tuple[int, int]]


@dataclass
class _Walk:
    """A walk that goes on after each problem, so that all of them are told at once."""

    root: Path
    within: Deadline
    ways: Counter[tuple[int, int]] = field(default_factory=Counter)
    files: list[Found] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    ahead: list[_Folder] = field(default_factory=list)

    def go(self) -> None:
        self.ahead = [_Folder("", self.root, frozenset({_identity(self.root.stat())}))]
        while self.ahead:
            folder = self.ahead.pop()
            for entry in self.entries(folder.real, folder.path):
                self.look(folder, f"{folder.path}{entry.name}", entry)

    def entries(self, real: Path, path: str) -> Iterator[os.DirEntry[str]]:
        try:
            with os.scandir(real) as entries:
                for entry in entries:
                    go_on(self.within, self.root)
                    yield entry
        except OSError as error:
            self.problem(path, f"cannot be read: {error.strerror}")

    def look(self, folder: _Folder, path: str, entry: os.DirEntry[str]) -> None:
        if is_git(entry.name):
            self.problem(path, "is a Git repository, with all that was ever in it")
        elif is_hidden(path):
            self.hide(path, entry)
        elif fault := fault_of(path):
            self.problem(path, fault)
        else:
            self.follow(folder, path, entry)

    def hide(self, path: str, entry: os.DirEntry[str]) -> None:
        """Pass over a hidden file or folder; a repository is no more welcome in there, so it is looked for."""
        within = entry.is_dir(follow_symlinks=False)
        self.skipped.append(Skipped(shown(path) + "/" * within, "hidden: its name begins with a dot"))
        below = [(path, Path(entry.path))] if within else []
        while below:
            name, real = below.pop()
            for each in self.entries(real, name):
                if is_git(each.name):
                    self.problem(f"{name}/{each.name}", "is a Git repository, with all that was ever in it")
                elif each.is_dir(follow_symlinks=False):
                    below.append((f"{name}/{each.name}", Path(each.path)))

    def follow(self, folder: _Folder, path: str, entry: os.DirEntry[str]) -> None:
        real = Path(entry.path)
        try:
            if entry.is_symlink():
                real = Path(os.path.realpath(entry.path, strict=True))
            found = real.lstat()
        except OSError as error:
            self.problem(path, _unreachable(error))
            return
        if not real.is_relative_to(self.root):
            self.problem(path, f"is a link that leaves the output, to {shown(str(real))}")
        elif real != self.root and is_hidden(inside := real.relative_to(self.root).as_posix()):
            self.skipped.append(Skipped(path, f"hidden: a link to {shown(inside)}"))
        else:
            self.take(folder, path, real, found)

    def take(self, folder: _Folder, path: str, real: Path, found: os.stat_result) -> None:
        if stat.S_ISREG(found.st_mode):
            self.files.append(Found(path, real))
        elif not stat.S_ISDIR(found.st_mode):
            self.problem(path, f"is {next((kind for test, kind in _KINDS if test(found.st_mode)), 'no file')}")
        elif _identity(found) in folder.above:
            self.problem(path, "is a link that loops: it leads to a folder that it is in")
        else:
            self.enter(_Folder(f"{path}/", real, folder.above | {_identity(found)}), _identity(found))

    def enter(self, folder: _Folder, identity: tuple[int, int]) -> None:
        self.ways[identity] += 1
        if self.ways[identity] > WAYS:
            raise Refused(
                f"links lead to one folder in more than {WAYS} ways",
                where=str(self.root),
                expected="a site of as many files as it has",
                seen=f"{shown(folder.path)} is {shown(str(folder.real))} again",
                then="make the build copy what it links to",
            )
        self.ahead.append(folder)

    def problem(self, path: str, what: str) -> None:
        self.problems.append(f"{shown(path) or '.'} {what}")


def survey(folder: Path, within: Deadline) -> Survey:
    """Look through `folder`, in the order of paths.

    :class:`Refused` where links lead to one folder in more than :data:`WAYS` ways, :class:`BudgetSpent` when time is up.
    """
    walk = _Walk(Path(os.path.realpath(folder)), within)
    walk.go()
    files = tuple(sorted(walk.files, key=lambda found: found.path))
    return Survey(files, tuple(sorted(walk.skipped)), tuple(sorted(walk.problems)))


def go_on(within: Deadline, where: Path) -> None:
    """Raise :class:`BudgetSpent` when the time is over, :class:`Interrupted` when the run is stopped."""
    if within.expired():
        raise BudgetSpent("the files could not be read in time", where=str(where))
    within.clock.sleep(timedelta(0))


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def _unreachable(error: OSError) -> str:
    if error.errno == errno.ELOOP:
        return "is a link that loops: it leads to itself"
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return "is a link that leads nowhere"
    return f"cannot be read: {error.strerror}"
