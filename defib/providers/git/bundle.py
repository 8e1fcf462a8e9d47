"""Whether a bundle is whole: what `git bundle verify` leaves open, which reads no further than its header."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import BinaryIO

from defib.clock import Deadline
from defib.errors import BudgetSpent

_PIECE = 1 << 20
_LONGEST_LINE = 1 << 16


def is_whole(path: Path, within: Deadline) -> bool:
    """Whether the pack in the bundle ends with its own checksum (https://git-scm.com/docs/gitformat-bundle).

    Reads it all, in pieces. :class:`BudgetSpent` where the time does not suffice, OSError where it cannot be read.
    """
    with path.open("rb") as file:
        length = _length_of_checksum(file)
        left = path.stat().st_size - file.tell() - length
        if not length or left < 0:
            return False
        digest = hashlib.sha256() if length > hashlib.sha1().digest_size else hashlib.sha1()  # noqa: S324 - it is Git's own
        while left > 0 and (piece := file.read(min(left, _PIECE))):
            digest.update(piece)
            left -= len(piece)
            if within.expired():
                raise BudgetSpent("the bundle could not be read in its time", where=str(path))
        return file.read() == digest.digest()


def _length_of_checksum(file: BinaryIO) -> int:
    """Read the header; how long the checksum at the end is, or 0 where this is no bundle."""
    line = file.readline(_LONGEST_LINE)
    length = 20 if line.startswith(b"# v") and line.endswith(b" git bundle\n") else 0
    while length and (line := file.readline(_LONGEST_LINE)) != b"\n":
        if not line:
            return 0
        length = 32 if line == b"@object-format=sha256\n" else length
    return length
