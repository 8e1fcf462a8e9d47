"""Which objects of Git LFS a history needs: the pointers among its blobs, found by few processes over files.

What counts as a pointer is what git-lfs itself takes for one: the specification
(https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md), and lines that end as on Windows, blank lines and a missing last
line end besides, because a checkout replaces those texts, too (``git lfs pointer --check`` tells).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import BinaryIO

from defib.clock import Deadline
from defib.errors import BudgetSpent, HomeUnwritable, InputError, NotFound, StepFailed
from defib.providers.git.command import GitCommand

LONGEST_POINTER = 1024
"""Bytes; git-lfs takes no longer text for a pointer."""

_POINTER = re.compile(
    rb"version (?:https://git-lfs\.github\.com/spec/v1|https://hawser\.github\.com/spec/v1|http://git-media\.io/v/2)\s*\n"
    rb"(?:ext-[0-9]-\w+ sha256:[0-9a-f]{64}\s*\n)*"
    rb"oid sha256:([0-9a-f]{64})\s*\n"
    rb"size ([0-9]{1,18})"
)
_SHORTEST_POINTER = 110
"""Bytes; no version, oid and size are shorter."""

_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_LOOK = 4096
"""Objects between two looks at the time."""


@dataclass(frozen=True)
class Pointer:
    """One object of Git LFS: `oid` is the SHA-256 of its `size` bytes, `path` one of the places where a commit has it."""

    oid: str
    size: int
    path: str = ""

    def __str__(self) -> str:
        return f"{self.path or 'an object'} ({self.oid}, {self.size} bytes)"


def read_pointer(text: bytes, path: str = "") -> Pointer | None:
    """The pointer that a blob's `text` is, None where it is none."""
    found = _POINTER.fullmatch(text.strip()) if len(text) <= LONGEST_POINTER else None
    return Pointer(found[1].decode(), int(found[2]), path) if found else None


def pointers(git: GitCommand, wanted: Sequence[str], known: Sequence[str], within: Deadline) -> tuple[Pointer, ...]:
    """The pointers in every blob that is reachable from `wanted` and not from `known`, each object once.

    Both are full ids of commits or tags. Those of `known` that are not held are left out, as a remote may name what nobody
    here has. What stands in old commits of `known` alone may be given, too: git looks at no more of them than it must.
    :class:`InputError` for what is no id, :class:`NotFound` where one of `wanted` is not held, :class:`StepFailed` where git
    cannot read the history, :class:`HomeUnwritable` where the disk does not take its lists, :class:`BudgetSpent` when time
    is up. Memory holds pointers and no other blobs. Idempotent.
    """
    _insist_on_ids((*wanted, *known))
    try:
        return _look_through(git, wanted, known, within)
    except OSError as error:
        where = str(git.repository)
        raise HomeUnwritable(f"cannot keep a list of the objects: {error.strerror}", where=where) from error


def _look_through(git: GitCommand, wanted: Sequence[str], known: Sequence[str], within: Deadline) -> tuple[Pointer, ...]:
    with ExitStack() as stack:

        def file() -> BinaryIO:
            # Without a name, so that nothing is left of it whatever becomes of us, and on the disk that has the room.
            return stack.enter_context(TemporaryFile(dir=git.repository))

        def ask(*arguments: str, given: Iterable[bytes]) -> BinaryIO:
            return _ask(git, arguments, given, file(), file(), within)

        lacking = _lacking(ask("cat-file", "--batch-check", given=_lines((*wanted, *known))))
        _insist_on_held(wanted, lacking, git)
        ends = (*wanted, *(f"^{commit}" for commit in known if commit not in lacking))
        listed = ask("rev-list", *_LISTED, "--stdin", given=_lines(ends))
        objects = (line for line in _timely(listed, within) if not line.startswith(b"-"))  # that are commits at the edge
        checked = ask("cat-file", f"--batch-check={_CHECKED}", given=objects)
        paths = dict(_small_blobs(_timely(checked, within)))
        if not paths:
            return ()
        read = ask("cat-file", "--batch", given=(blob + b"\n" for blob in paths))
        return distinct(_pointers_in(read, paths, within))


# Aggressive, because a branch that was never merged leaves nothing else by which git would know of its trees.
_LISTED = ("--objects", "--objects-edge-aggressive", f"--filter=blob:limit={LONGEST_POINTER + 1}")
_CHECKED = "%(objectname) %(objecttype) %(objectsize) %(rest)"


def _insist_on_ids(ids: Iterable[str]) -> None:
    for each in ids:
        if _ID.fullmatch(each) is None:
            raise InputError("this is no full id of a commit", seen=repr(each), expected="40 or 64 hexadecimal digits")


def _insist_on_held(wanted: Sequence[str], lacking: frozenset[str], git: GitCommand) -> None:
    for commit in wanted:
        if commit in lacking:
            raise NotFound(f"there is no commit {commit!r}", where=str(git.repository), then="fetch the remote first")


def _ask(
    git: GitCommand, arguments: Sequence[str], given: Iterable[bytes], to: BinaryIO, answer: BinaryIO, within: Deadline
) -> BinaryIO:
    """What git says to lines that it reads from its stdin, from the beginning."""
    to.writelines(given)
    to.seek(0)  # also writes out what is buffered
    finished = git.run(*arguments, within=within, given=to, into=answer)
    if finished.status:
        raise StepFailed(
            f"git {arguments[0]} cannot read the history",
            where=str(git.repository),
            seen=finished.output.strip(),
            then="remove the folder; it is made anew from the remotes",
        )
    answer.seek(0)
    return answer


def _lines(words: Iterable[str]) -> Iterator[bytes]:
    return (f"{word}\n".encode() for word in words)


def _timely(lines: Iterable[bytes], within: Deadline) -> Iterator[bytes]:
    """The lines, as long as there is time."""
    for number, line in enumerate(lines):
        if not number % _LOOK and within.expired():
            raise BudgetSpent("the objects of the history could not be looked through in time")
        yield line


def _lacking(checked: BinaryIO) -> frozenset[str]:
    return frozenset(line.split(b" ")[0].decode() for line in checked if line.endswith(b" missing\n"))


def _small_blobs(checked: Iterable[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Id and path of the blobs that may be pointers."""
    for line in checked:
        blob, kind, *rest = line.rstrip(b"\n").split(b" ", 3)
        if kind == b"blob" and _SHORTEST_POINTER <= int(rest[0]) <= LONGEST_POINTER:
            yield blob, rest[1]


def _pointers_in(read: BinaryIO, paths: dict[bytes, bytes], within: Deadline) -> Iterator[Pointer]:
    """Read the answers of ``cat-file --batch``: a line with id, kind and size, then so many bytes and a line end."""
    for blob in _timely(paths, within):
        size = int(read.readline().split(b" ")[2])
        found = read_pointer(read.read(size), paths[blob].decode(errors="backslashreplace"))
        read.read(1)
        if found is not None:
            yield found


def distinct(found: Iterable[Pointer]) -> tuple[Pointer, ...]:
    """Each object once; another size under the same id is kept, because one of the two is wrong."""
    first: dict[tuple[str, int], Pointer] = {}
    for each in found:
        first.setdefault((each.oid, each.size), each)
    return tuple(first.values())
