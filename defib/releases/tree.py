"""The files of a built site: which there are, and what is in them."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from defib.clock import Deadline
from defib.errors import Refused
from defib.releases.crowd import Crowd
from defib.releases.rules import MANIFEST, Headers, headers_of, key_of
from defib.releases.store import Upload

_CHUNK = 1024 * 1024


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
    paths = sorted(_walk(top, top), key=lambda path: path.relative_to(top).as_posix())
    return (crowd or Crowd()).each(lambda path: _file(top, path), paths, within=within)


def _walk(folder: Path, top: Path) -> list[Path]:
    found: list[Path] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            path = Path(entry.path)
            if entry.is_dir(follow_symlinks=False):
                found += _walk(path, top)
            else:
                _check(path, top)
                found.append(path)
    return found


def _check(path: Path, top: Path) -> None:
    told = path.relative_to(top).as_posix()
    if path.is_symlink() and (path.is_dir() or not _inside(path, top)):
        raise _refused(told, "a link to a file of the build", f"a link to {path.readlink()}")
    if not path.is_file():
        raise _refused(told, "a file", "something else")
    if told == MANIFEST:
        raise _refused(told, "another name: this one marks a release as complete", "a file of the build")
    try:
        told.encode()
    except UnicodeEncodeError as error:
        raise _refused(repr(told), "a name in UTF-8", "other bytes") from error


def _inside(link: Path, top: Path) -> bool:
    try:
        return link.resolve(strict=True).is_relative_to(top)
    except (OSError, RuntimeError):  # it leads nowhere, or in circles
        return False


def _refused(path: str, expected: str, seen: str) -> Refused:
    return Refused("the build holds what cannot be deployed", where=path, expected=expected, seen=seen, then="fix the build")


def _file(top: Path, path: Path) -> File:
    told = path.relative_to(top).as_posix()
    hashed, size = hashlib.sha256(), 0
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            hashed.update(chunk)
            size += len(chunk)
    return File(told, path, size, hashed.hexdigest(), headers_of(told))
