"""Bundles as they are read: what one says of itself, and whether it is whole, which `git bundle verify` leaves open."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from defib.clock import Deadline
from defib.errors import BudgetSpent

ADDED = ".added"
"""How the name of the second bundle ends that holds what came since the first was made."""

_PIECE = 1 << 20
_LONGEST_LINE = 1 << 16
_SHA1, _SHA256 = 20, 32


@dataclass(frozen=True)
class Header:
    """What a bundle says of itself (https://git-scm.com/docs/gitformat-bundle).

    `heads` is where its refs lead; `needs` are the commits that must be there before, each with what is said of it;
    `checksum` is how long the one at its end is.
    """

    heads: Mapping[str, str]
    needs: Mapping[str, str]
    checksum: int


def added_to(bundle: Path) -> Path:
    """Where what was added to a bundle is kept."""
    return bundle.with_name(f"{bundle.name}{ADDED}")


def settings_beside(bundle: Path, remote: str) -> Path:
    """Where the settings of a remote are kept."""
    return bundle.with_name(f"{bundle.name.removesuffix('.bundle')}.{remote}.settings.json")


def read_header(path: Path) -> Header | None:
    """The header of the bundle at `path`; None where it is no bundle, OSError where it cannot be read."""
    with path.open("rb") as file:
        return _header(file)


def mark_of(path: Path, header: Header) -> str:
    """What a bundle ends with, which tells it from every other one."""
    with path.open("rb") as file:
        file.seek(-header.checksum, 2)
        return file.read().hex()


def is_whole(path: Path, within: Deadline) -> bool:
    """Whether the pack in the bundle ends with its own checksum.

    Reads it all, in pieces. :class:`BudgetSpent` where the time does not suffice, OSError where it cannot be read.
    """
    with path.open("rb") as file:
        header = _header(file)
        length = header.checksum if header else 0
        left = path.stat().st_size - file.tell() - length
        if not length or left < 0:
            return False
        digest = hashlib.sha256() if length == _SHA256 else hashlib.sha1()  # noqa: S324 - it is Git's own
        while left > 0 and (piece := file.read(min(left, _PIECE))):
            digest.update(piece)
            left -= len(piece)
            if within.expired():
                raise BudgetSpent("the bundle could not be read in its time", where=str(path))
        return file.read() == digest.digest()


def _header(file: BinaryIO) -> Header | None:
    """Read to the end of the header; None where this is no bundle."""
    line = file.readline(_LONGEST_LINE)
    if not (line.startswith(b"# v") and line.endswith(b" git bundle\n")):
        return None
    heads: dict[str, str] = {}
    needs: dict[str, str] = {}
    checksum = _SHA1
    while (line := file.readline(_LONGEST_LINE)) != b"\n":
        if not line.endswith(b"\n"):
            return None
        if line.startswith(b"@"):
            checksum = _SHA256 if line == b"@object-format=sha256\n" else checksum
            continue
        commit, _, rest = line.decode(errors="replace").rstrip("\n").partition(" ")
        if commit.startswith("-"):
            needs[commit[1:]] = rest
        else:
            heads[rest] = commit
    return Header(heads, needs, checksum)
