"""The files of a built site: which there are, and what is in them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from defib.clock import Deadline
from defib.errors import Refused
from defib.releases.crowd import Crowd
from defib.releases.rules import MANIFEST, Headers, headers_of, key_of
from defib.releases.store import Upload

_CHUNK = 1024 * 1024
_BATCH = 64 * 1024 * 1024

_Found = tuple[str, Path, int]


@dataclass(frozen=True)
class File:
    """One file as it is to be served: `path` is relative to the site's root, with slashes."""

    path: str
    source: Path
    size: int
    sha256: str
    headers: Headers

    def upload(self, commit: str) -> Upload:
        """What is to be stored for it in the release of `commit`."""
        return Upload(key_of(commit, self.path), self.source, self.size, self.sha256, self.headers)


def files_of(root: Path, *, within: Deadline, crowd: Crowd | None = None) -> tuple[File, ...]:
    """Every file below `root` with its hash, sorted by path.

    Refused: a link that leaves the tree, a link to a folder (it may lead in circles), what is neither file nor folder, a
    name that is no text, and a file under the name of the manifest. What should not be in a build at all is looked for
    where it is built.
    """
    top = root.resolve()
    found = sorted(_walk(top, ""))
    return tuple(chain.from_iterable((crowd or Crowd()).each(_read, _batches(found), within=within)))


def _walk(folder: Path, prefix: str) -> list[_Found]:
    """The files below `folder`: path in the site, place, and size; `prefix` is that of the folder, with its slash."""
    found: list[_Found] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            told = f"{prefix}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                found += _walk(Path(entry.path), f"{told}/")
            else:
                _check(entry, told)
                found.append((told, Path(entry.path), entry.stat().st_size))
    return found


def _check(entry: os.DirEntry[str], told: str) -> None:
    if entry.is_symlink() and (not _inside(entry, told) or entry.is_dir()):
        raise _refused(told, "a link to a file of the build", f"a link to {os.readlink(entry.path)}")  # noqa: PTH115
    if not entry.is_file():
        raise _refused(told, "a file", "something else")
    if told == MANIFEST:
        raise _refused(told, "another name: this one marks a release as complete", "a file of the build")
    try:
        told.encode()
    except UnicodeEncodeError as error:
        raise _refused(repr(told), "a name in UTF-8", "other bytes") from error


def _batches(found: Sequence[_Found]) -> Iterator[list[_Found]]:
    """Files for one thread at a time: many small files are read faster by one thread than by several in turn."""
    batch: list[_Found] = []
    held = 0
    for each in found:
        batch.append(each)
        held += each[2]
        if held >= _BATCH:
            yield batch
            batch, held = [], 0
    yield batch


def _read(batch: Sequence[_Found]) -> list[File]:
    return [_file(told, path, size) for told, path, size in batch]


def _inside(link: os.DirEntry[str], told: str) -> bool:
    top = Path(link.path).parents[told.count("/")]
    try:
        return Path(link.path).resolve(strict=True).is_relative_to(top)
    except (OSError, RuntimeError):  # it leads nowhere, or in circles
        return False


def _refused(path: str, expected: str, seen: str) -> Refused:
    return Refused("the build holds what cannot be deployed", where=path, expected=expected, seen=seen, then="fix the build")


def _file(told: str, path: Path, expected: int) -> File:
    """One file with its hash; `expected` is its size when it was found, so that a small one is read at once."""
    hashed, size, piece = hashlib.sha256(), 0, min(expected + 1, _CHUNK)
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)  # a stream for each of thousands costs as much again
    try:
        while chunk := os.read(descriptor, piece):
            hashed.update(chunk)
            size += len(chunk)
            if len(chunk) < piece:  # of a regular file, that was its end
                break
    finally:
        os.close(descriptor)
    return File(told, path, size, hashed.hexdigest(), headers_of(told))
