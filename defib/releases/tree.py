"""The files of a built site: which there are, and what is in them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path

from defib.clock import Deadline
from defib.errors import Refused
from defib.releases.crowd import Crowd
from defib.releases.piece import Piece
from defib.releases.rules import MANIFEST, headers_of

_SMALL = 256 * 1024
"""Bytes below which a file is read by one call."""

_CHUNK = 1024 * 1024
_LOT = 1000


def files_of(root: Path, *, within: Deadline, crowd: Crowd | None = None) -> tuple[Piece, ...]:
    """Every file below `root` with its hash, sorted by path.

    Refused: a link that leaves the tree, a link to a folder (it may lead in circles), what is neither file nor folder, a
    name that is no text, and a file under the name of the manifest. What should not be in a build at all is looked for
    where it is built.
    """
    top = root.resolve()
    paths = sorted(_walk(str(top), ""))
    lots = [paths[first : first + _LOT] for first in range(0, len(paths), _LOT)]
    # Threads that read small files wait for each other rather than for the disk, so one of them is faster than several.
    small = list(chain.from_iterable(Crowd(1).each(partial(_small, top), lots, within=within)))
    others = [path for path, file in zip(paths, small, strict=True) if file is None]
    large = iter((crowd or Crowd()).each(partial(_large, top), others, within=within))
    return tuple(file or next(large) for file in small)


def _walk(folder: str, prefix: str) -> Iterator[str]:
    """The paths in the site of the files below `folder`; `prefix` is that of the folder, with its slash."""
    with os.scandir(folder) as entries:
        for entry in entries:
            path = prefix + entry.name
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(entry.path, f"{path}/")
            else:
                _check(entry, path)
                yield path


def _check(entry: os.DirEntry[str], path: str) -> None:
    if entry.is_symlink() and (not _inside(entry, path) or entry.is_dir()):
        raise _refused(path, "a link to a file of the build", f"a link to {os.readlink(entry.path)}")  # noqa: PTH115
    if not entry.is_file():
        raise _refused(path, "a file", "something else")
    if path == MANIFEST:
        raise _refused(path, "another name: this one marks a release as complete", "a file of the build")
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise _refused(repr(path), "a name in UTF-8", "other bytes") from error


def _inside(link: os.DirEntry[str], path: str) -> bool:
    top = Path(link.path).parents[path.count("/")]
    try:
        return Path(link.path).resolve(strict=True).is_relative_to(top)
    except (OSError, RuntimeError):  # it leads nowhere, or in circles
        return False


def _refused(path: str, expected: str, seen: str) -> Refused:
    return Refused("the build holds what cannot be deployed", where=path, expected=expected, seen=seen, then="fix the build")


def _small(top: Path, paths: Sequence[str]) -> list[Piece | None]:
    """The small ones of these files, None for each of the others. All are read into the same memory, which saves time."""
    held = memoryview(bytearray(_SMALL))
    found: list[Piece | None] = []
    for path in paths:
        content = _beginning(f"{top}/{path}", held)
        small = len(content) < _SMALL
        found.append(_piece(top, path, len(content), hashlib.sha256(content).hexdigest()) if small else None)
    return found


def _beginning(place: str, held: memoryview) -> memoryview:
    """What a file begins with: of a regular one, a read gives as much as there is and `held` can take.

    No stream is made for it, which for thousands of small files costs as much as to read them.
    """
    descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return held[: os.readv(descriptor, (held,))]
    finally:
        os.close(descriptor)


def _large(top: Path, path: str) -> Piece:
    """One file of any size."""
    hashed, size = hashlib.sha256(), 0
    with (top / path).open("rb", buffering=0) as stream:
        while chunk := stream.read(_CHUNK):
            hashed.update(chunk)
            size += len(chunk)
    return _piece(top, path, size, hashed.hexdigest())


def _piece(top: Path, path: str, size: int, sha256: str) -> Piece:
    return Piece(path, size, sha256, headers_of(path), top)
