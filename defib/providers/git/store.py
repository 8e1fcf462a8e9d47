"""The local copy of what the remotes held when they were last asked, and what can be read from it.

It is a bare repository. Nothing in it is ever collected: a commit that users had stays, whatever the remotes become.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, ClassVar

from defib.clock import Deadline
from defib.errors import BudgetSpent, HomeUnwritable, NotFound, StepFailed
from defib.process import Finished
from defib.providers.git.command import GitCommand
from defib.redeploy.offer import Tip

_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_FULL = re.compile(r"^[0-9a-f]{40}(?:[0-9a-f]{24})?$", re.MULTILINE)
_NEWER_GIT = "git 2.31 or newer"
_POLL = timedelta(milliseconds=20)

# What is pushed into the store itself is taken by a process to which git hands on no configuration from the environment.
_OWN = """[gc]
\tauto = 0
\tpruneExpire = never
[maintenance]
\tauto = false
[receive]
\tautogc = false
\tdenyDeleteCurrent = ignore
[core]
\thooksPath = /dev/null
"""


class GitStore:
    """Reads and writes one bare repository at `folder`, which :meth:`open` creates."""

    _proven: ClassVar[set[tuple[str, int]]] = set()
    """Programs that keep to our configuration, as this process has seen, each with the moment when it was last changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.git = GitCommand(folder)

    @contextmanager
    def open(self, within: Deadline) -> Iterator[None]:
        """Make it where it is missing, and hold it while remotes are asked. Several processes may do so at the same time.

        Whoever comes first removes what processes that were killed have left behind. :class:`HomeUnwritable` where it
        cannot be made, :class:`StepFailed` where there is no `git` that keeps to our configuration.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = os.open(self.folder / "defib.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise HomeUnwritable(f"cannot keep sources: {error.strerror}", where=str(self.folder)) from error
        try:
            if _take(lock, fcntl.LOCK_EX):
                self._clear()
                if not self._is_made():
                    self._make(within)
            while not _take(lock, fcntl.LOCK_SH):  # whoever is alone is about to make it
                if within.expired():
                    raise BudgetSpent("another process holds the store of sources", where=str(self.folder))
                within.clock.sleep(_POLL)
            self._insist_on_configuration(within)
            yield
        finally:
            os.close(lock)

    def _is_made(self) -> bool:
        config = self.folder / "config"
        whole = all((self.folder / name).exists() for name in ("HEAD", "objects", "refs"))
        return whole and config.is_file() and _OWN in config.read_text(encoding="utf-8")

    def _make(self, within: Deadline) -> None:
        made = self.git.run("init", "--bare", "--quiet", "--template=", within=within)
        if made.status:
            raise StepFailed("cannot make the store of sources", where=str(self.folder), seen=made.output.strip())
        config = self.folder / "config"
        if _OWN not in config.read_text(encoding="utf-8"):
            with config.open("a", encoding="utf-8") as file:
                file.write(_OWN)

    def _insist_on_configuration(self, within: Deadline) -> None:
        # An older git ignores configuration in the environment, and with it all that keeps a hostile repository harmless.
        found = shutil.which("git")
        program = (found, Path(found).stat().st_mtime_ns) if found else None
        if program in self._proven:
            return
        if self.git.run("config", "--get", "transfer.fsckObjects", within=within).output.strip() != "true":
            raise StepFailed("git does not keep to our configuration", expected=_NEWER_GIT, then=f"install {_NEWER_GIT}")
        if program:
            self._proven.add(program)

    def _clear(self) -> None:
        for pattern in ("objects/pack/tmp_*", "objects/*/tmp_obj_*", "refs/**/*.lock", "*.lock"):
            for left in self.folder.glob(pattern):
                if left.name != "defib.lock":
                    left.unlink(missing_ok=True)

    def tip(self, ref: str, within: Deadline) -> str:
        """The commit at `ref`; empty where there is none."""
        return self._find(f"{ref}^{{commit}}", within)

    def full(self, commit: str, within: Deadline) -> str:
        """The full id of `commit`, which may be cut short; empty where it is not held."""
        return self._find(f"{commit}^{{commit}}", within) if is_commit(commit) else ""

    def _find(self, name: str, within: Deadline) -> str:
        found = _FULL.search(
            self.git.run("rev-parse", "--verify", "--quiet", "--end-of-options", name, within=within).output
        )
        return found.group() if found else ""

    def descends(self, commit: str, ancestor: str, within: Deadline) -> bool:
        """Whether `commit` is `ancestor` or descends from it; not, where `ancestor` is not held.

        :class:`NotFound` where `commit` is not held.
        """
        whole = self._held(commit, within)
        older = self.full(ancestor, within)
        return bool(older) and self._is_ancestor(older, whole, within)

    def committed(self, commit: str, within: Deadline) -> datetime | None:
        """The committer date; None where it is no date that can be."""
        return self._date(self._held(commit, within), within)

    def _is_ancestor(self, older: str, commit: str, within: Deadline) -> bool:
        if older == commit:
            return True
        return self._read("merge-base", "--is-ancestor", older, commit, within=within, fine=(0, 1)).status == 0

    def _date(self, commit: str, within: Deadline) -> datetime | None:
        found = self._read("rev-list", "--max-count=1", "--format=%ct", commit, within=within)
        return _moment(found.output.split()[-1])

    def first_date(self, commits: Collection[str], besides: Collection[str], within: Deadline) -> datetime | None:
        """The oldest committer date of the commits up to `commits`, without those that `besides` hold and that are here.

        None where there is none, or where one of `commits` leads to no commit.
        """
        dates: list[str] = []
        asked = [*commits, *(f"^{commit}" for commit in besides)]
        with _lines(asked) as given:
            command = ("log", "--format=%ct", "--ignore-missing", "--stdin")
            told = self.git.run(*command, within=within, given=given, line=dates.append)
        known = (_moment(date) for date in dates if not told.status)
        return min((date for date in known if date is not None), default=None)

    def place(self, commits: Collection[str], within: Deadline) -> dict[str, Tip]:
        """Those of `commits`, full ids, that are held: each with its date, and which of the others its history holds."""
        held = [commit for commit in sorted(commits) if self.full(commit, within)]
        return {commit: self._place(commit, held, within) for commit in held}

    def _place(self, commit: str, held: Collection[str], within: Deadline) -> Tip:
        contains = frozenset(other for other in held if self._is_ancestor(other, commit, within))
        return Tip(commit, self._date(commit, within), contains)

    def export(self, commit: str, folder: Path, within: Deadline) -> None:
        """Write the tree of `commit` to `folder`, which must not exist or be empty: no more and no less, and no ``.git``.

        Files are as a fresh checkout has them (line ends by ``.gitattributes``), but no filter runs: LFS pointers stay
        pointers, submodules empty folders, and ``export-ignore`` hides nothing. `folder` is whole or does not exist.
        :class:`NotFound` where the commit is not held, :class:`StepFailed` where `git` refuses to write it.
        """
        whole = self._held(commit, within)
        if folder.is_symlink() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))):
            raise StepFailed("the folder for the sources is not empty", where=str(folder), then="remove it")
        growing = folder.with_name(f"{folder.name}.{os.getpid()}.new")
        index = growing.with_name(f"{growing.name}.index")
        try:
            growing.mkdir(parents=True)
            environment = {"GIT_WORK_TREE": str(growing), "GIT_INDEX_FILE": str(index)}
            # Not `git archive`: it leaves out what .gitattributes marks export-ignore. Checking out also is where git
            # itself refuses paths such as .git in any spelling, and writes through no symbolic link.
            done = self.git.run("read-tree", "--reset", "-u", whole, within=within, environment=environment)
            if done.status:
                raise StepFailed(f"git does not write out {whole}", where=str(folder), seen=done.output.strip())
            growing.replace(folder)
        finally:
            shutil.rmtree(growing, ignore_errors=True)
            index.unlink(missing_ok=True)

    def _held(self, commit: str, within: Deadline) -> str:
        whole = self.full(commit, within)
        if not whole:
            raise NotFound(f"there is no commit {commit!r}", where=str(self.folder), then="ask the remotes first")
        return whole

    def _read(self, *arguments: str, within: Deadline, fine: Collection[int] = (0,)) -> Finished:
        finished = self.git.run(*arguments, within=within)
        if finished.status not in fine:
            raise StepFailed(
                "the store of sources cannot be read",
                where=str(self.folder),
                seen=finished.output.strip(),
                then="remove the folder; it is made anew from the remotes",
            )
        return finished


@contextmanager
def _lines(texts: Collection[str]) -> Iterator[BinaryIO]:
    """A file of these lines, to be read from its beginning."""
    with tempfile.TemporaryFile() as file:
        file.write("".join(f"{text}\n" for text in texts).encode())
        file.seek(0)
        yield file


def _moment(seconds: str) -> datetime | None:
    """A committer date; None where it is no date that can be."""
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def is_commit(text: str) -> bool:
    """Whether this can be the id of a commit, in full or cut short to seven characters or more."""
    return _COMMIT.fullmatch(text) is not None


def _take(lock: int, kind: int) -> bool:
    """Whether the lock could be had, alone (LOCK_EX) or with others (LOCK_SH)."""
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
