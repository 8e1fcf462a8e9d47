"""Whether what a build left behind may be served: a judgement over a folder that changes nothing."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from defib import ports
from defib.building.built import BuiltFile, Output
from defib.building.tree import Found, go_on, survey
from defib.clock import Deadline
from defib.errors import Refused
from defib.observe.page import LONGEST_PAGE, Fetched, judge
from defib.ports import Expect, Health
from defib.sites.site import Page

INDEX = "index.html"

# A pointer file is shorter than 1,024 bytes and begins with its version, of which Git LFS takes these three:
# https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md and lfs/pointer.go there.
_POINTER = 1024
_POINTERS = (
    b"version https://git-lfs.github.com/spec/v1",
    b"version https://hawser.github.com/spec/v1",
    b"version http://git-media.io/v/2",
)

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_CHUNK = 1024 * 1024
_TOLD = 5


def check_output(folder: Path, page: Page, commit: str, within: Deadline) -> Output:
    """Every file of `folder` that is to be served, or :class:`Refused` with all that is wrong with it.

    There is an ``index.html`` that an observer of the site would call good and whose build marker names `commit`; nothing
    is a Git LFS pointer, a repository, a special file, a link that leaves the folder, loops or leads nowhere, or has a
    name that no key can carry. Hidden files are left out and told. Links to files and folders inside are followed: what
    they lead to is served under both paths. Reads everything once; safe to repeat. :class:`BudgetSpent` when time is up.
    """
    if not folder.is_dir():
        raise Refused("the build left no output", where=str(folder), expected="a folder", seen="nothing of that name")
    found = survey(folder, within)
    problems = list(found.problems)
    files = [file for each in found.files if (file := _read(each, problems, within))]
    build, notes = _judge_index(found.files, page, commit, problems)
    if problems or build is None:
        raise _refusal(folder, problems)
    return Output(tuple(files), found.skipped, build, notes)


def digest(file: Path, within: Deadline, sink: Callable[[bytes], object] | None = None) -> tuple[int, str]:
    """Size and SHA-256 of a regular file, whose bytes go to `sink` on the way.

    :class:`OSError` where it cannot be read or is no longer a regular file; opening never blocks, nor follows a link.
    """
    size, total = 0, hashlib.sha256()
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb", buffering=0) as source:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "no longer a file", str(file))
        while chunk := source.read(_CHUNK):
            go_on(within, file)
            size += len(chunk)
            total.update(chunk)
            if sink:
                sink(chunk)
    return size, total.hexdigest()


def _read(found: Found, problems: list[str], within: Deadline) -> BuiltFile | None:
    start = bytearray()
    try:
        size, sha256 = digest(found.real, within, lambda chunk: start.extend(chunk[: _POINTER - len(start)]))
    except OSError as error:
        problems.append(f"{found.path} cannot be read: {error.strerror}")
        return None
    if size < _POINTER and start.startswith(_POINTERS):
        problems.append(f"{found.path} is a Git LFS pointer, not the file that it stands for")
    return BuiltFile(found.path, size, sha256)


def _judge_index(
    files: tuple[Found, ...], page: Page, commit: str, problems: list[str]
) -> tuple[ports.Build | None, tuple[str, ...]]:
    index = next((found for found in files if found.path == INDEX), None)
    if index is None:
        problems.insert(0, f"there is no {INDEX}")
        return None, ()
    try:
        with index.real.open("rb") as file:
            body = file.read(LONGEST_PAGE + 1)
    except OSError as error:
        problems.append(f"{INDEX} cannot be read: {error.strerror}")
        return None, ()
    build, why = _read_marker(body, page)
    if why:
        problems.insert(0, f"{INDEX} {why}")
        return None, ()
    return build, _compare(build, commit, problems)


def _read_marker(body: bytes, page: Page) -> tuple[ports.Build | None, str]:
    """The build that the page says it is, or why an observer would not call it good."""
    if not body:
        return None, "is empty"
    if len(body) > LONGEST_PAGE:
        return None, f"is longer than {LONGEST_PAGE // 1024**2} MiB, which is as far as a page is read"
    judgement = judge(Fetched(200, (), body, timedelta(0)), page, Expect.CONTENT)
    return judgement.build, "" if judgement.health is Health.GOOD else f"is not the page: {judgement.reason}"


def _compare(build: ports.Build | None, commit: str, problems: list[str]) -> tuple[str, ...]:
    """A marker that is a commit has to be this one; any other is told, because nobody can say what it stands for."""
    if build is None or build.id.lower() == commit.lower():
        return ()
    if _COMMIT.fullmatch(build.id.lower()):
        problems.insert(0, f"{INDEX} says that it was built from {build.id}, not from {commit}")
        return ()
    return (f"the build marker is {build.id!r}, which is no commit: that it was built from {commit} cannot be read from it",)


def _refusal(folder: Path, problems: list[str]) -> Refused:
    more = f"; and {len(problems) - _TOLD} more" if len(problems) > _TOLD else ""
    return Refused(
        "the build's output must not be served",
        where=str(folder),
        expected=f"an {INDEX} with the commit's build marker, and files that may be public",
        seen="; ".join(problems[:_TOLD]) + more,
        then="mend the build, or what it is built from; nothing was uploaded",
    )
