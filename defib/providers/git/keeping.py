"""Keeping a bundle of a repository: a whole one now and then, and beside it what came since, which is made in no time.

The *bundle* holds everything, needs nothing, and is enough to begin anew. The *addition* is a second one, of the refs that
are new or have gone on since, with what they lead to beyond the bundle; it is made anew each time, so that there is never
more than one, and it names the bundle that it belongs to. A bundle is made whole again where something was lost or
archived, which an addition cannot say, where the addition has grown, and once a day.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from defib.clock import Deadline
from defib.errors import StepFailed
from defib.mirror.weigh import ARCHIVE
from defib.providers.git.bundle import Header, added_to, is_whole, mark_of, read_header
from defib.providers.git.command import GitCommand

WHOLE_EVERY = timedelta(days=1)
"""The longest that a bundle is only added to."""

_PART = 16
_SMALL = 1 << 20
"""An addition of more bytes than this, and of more than that part of its bundle, is no longer made in no time."""

_HELD = "the bundle holds it already"
_HEADS = "refs/heads/"


class Bundles:
    """The bundle at `path` of the repository of `git`, what was added to it, and the two bundles before it."""

    def __init__(self, git: GitCommand, path: Path) -> None:
        self._git, self._path, self._added = git, path, added_to(path)
        self._known = git.repository / "bundled"

    def keep(self, refs: Mapping[str, str], within: Deadline) -> str:
        """Make bundle and addition together hold exactly `refs`; what was done, in words.

        What is new takes its place only once it has been read back and found whole. :class:`StepFailed` where none can be
        made; what was there before then stays.
        """
        digest = _digest(refs)
        if self._path.is_file() and self._remembered()[:1] == [self._stamp(digest)]:
            return _HELD
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            before = self._before(within)
            done = self._with_addition(before, refs, within) if before is not None else ""
            done = done or self._whole(refs, within)
        except OSError as error:
            raise StepFailed(f"the bundle cannot be written: {error.strerror}", where=str(self._path)) from error
        self._known.write_text(f"{self._stamp(digest)}\n{_identity(self._path)}\n", encoding="utf-8")
        return done

    def _remembered(self) -> list[str]:
        return self._known.read_text(encoding="utf-8").splitlines() if self._known.is_file() else []

    def _stamp(self, digest: str) -> str:
        """What says that both are still the files that were found whole, and with these refs."""
        return f"{_identity(self._path)} {_identity(self._added)} {digest}"

    def _before(self, within: Deadline) -> Header | None:
        """What the bundle holds without what was added; None where there is none that is whole, and needs nothing."""
        if not self._path.is_file():
            return None
        if self._remembered()[1:2] != [_identity(self._path)] and not is_whole(self._path, within):
            return None
        header = read_header(self._path)
        return header if header and not header.needs else None

    def _with_addition(self, before: Header, refs: Mapping[str, str], within: Deadline) -> str:
        """Say `refs` by what is added to the bundle, which holds what was `before`; "" where that cannot or shall not be."""
        if before.heads == refs:
            self._added.unlink(missing_ok=True)
            return _HELD
        moved = {ref: commit for ref, commit in refs.items() if before.heads.get(ref) != commit}
        if not self._may_be_added(before, refs, moved, within):
            return ""
        fresh = self._added.with_name(f"{self._added.name}.new")
        try:
            self._write_addition(fresh, before, moved, within)
            size = fresh.stat().st_size
            if size > max(_SMALL, self._path.stat().st_size // _PART):
                return ""
            _sync(fresh)
            fresh.replace(self._added)
        except StepFailed:
            return ""  # then all of it is written, and what is wrong is told if that cannot be either
        finally:
            fresh.unlink(missing_ok=True)
        return f"{len(moved)} refs were added to the bundle, {size} bytes"

    def _may_be_added(self, before: Header, refs: Mapping[str, str], moved: Mapping[str, str], within: Deadline) -> bool:
        age = within.clock.now().timestamp() - self._path.stat().st_mtime
        # A name that is no UTF-8 was read with a mark in it, and must not be written with that.
        odd = any(ref.startswith(f"{ARCHIVE}/") or "\ufffd" in ref for ref in moved)
        gone = any(ref not in refs for ref in before.heads)
        return 0 <= age < WHOLE_EVERY.total_seconds() and not odd and not gone

    def _write_addition(self, fresh: Path, before: Header, moved: Mapping[str, str], within: Deadline) -> None:
        """A bundle of `moved`; `git bundle create` would leave out refs that lead to what the first one holds already."""
        known = [before.heads[ref] for ref in moved if ref in before.heads]
        every = [commit for ref, commit in before.heads.items() if ref.startswith(_HEADS)]
        needs, mark = list(dict.fromkeys(known if len(known) == len(moved) else every)), mark_of(self._path, before)
        with fresh.open("wb") as file, tempfile.TemporaryFile() as given:
            file.write(b"# v2 git bundle\n")
            file.writelines(f"-{commit} of {mark}\n".encode() for commit in needs)
            file.writelines(f"{commit} {ref}\n".encode() for ref, commit in moved.items())
            file.write(b"\n")
            file.flush()
            given.writelines(f"{line}\n".encode() for line in (*moved.values(), *(f"^{commit}" for commit in needs)))
            given.seek(0)
            command = ("pack-objects", "--stdout", "--revs", "--thin", "--delta-base-offset", "--quiet")
            made = self._git.run(*command, within=within, given=given, into=file)
        self._must_hold(fresh, moved, made.output if made.status else "", within)

    def _whole(self, refs: Mapping[str, str], within: Deadline) -> str:
        fresh = self._path.with_name(f"{self._path.name}.new")
        try:
            fresh.unlink(missing_ok=True)
            with tempfile.TemporaryFile() as given:
                given.write("".join(f"{ref}\n" for ref in refs).encode())
                given.seek(0)
                command = ("bundle", "create", "--quiet", str(fresh.absolute()), "--stdin")
                made = self._git.run(*command, within=within, given=given)
            self._must_hold(fresh, refs, made.output if made.status else "", within)
            _sync(fresh)
            _put(fresh, self._path)
            self._added.unlink(missing_ok=True)  # after that: without its bundle it would be worth nothing
        finally:
            fresh.unlink(missing_ok=True)
        return f"a new bundle of {len(refs)} refs, {self._path.stat().st_size} bytes"

    def _must_hold(self, fresh: Path, refs: Mapping[str, str], said: str, within: Deadline) -> None:
        header = read_header(fresh) if fresh.is_file() and not said else None
        if header is None or header.heads != refs or not is_whole(fresh, within):
            raise StepFailed("no whole bundle could be made", where=str(self._path), seen=said.strip()[-300:])
        verified = self._git.run("bundle", "verify", "--quiet", str(fresh.absolute()), within=within)
        if verified.status:
            seen = verified.output.strip()[-300:]
            raise StepFailed("the new bundle does not verify", where=str(self._path), seen=seen)


def _digest(refs: Mapping[str, str]) -> str:
    return hashlib.sha256("\n".join(sorted(map(" ".join, refs.items()))).encode()).hexdigest()


def _identity(path: Path) -> str:
    """What tells a file from any that takes its place."""
    if not path.is_file():
        return "none"
    found = path.stat()
    return f"{found.st_ino} {found.st_size} {found.st_mtime_ns}"


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _put(fresh: Path, path: Path) -> None:
    """Put `fresh` in the place of `path`, which is never missing meanwhile; the two before stay."""
    first, second = (path.with_name(f"{path.name}.{number}") for number in (1, 2))
    if first.exists():
        first.replace(second)
    if path.exists():
        os.link(path, first)
    fresh.replace(path)
