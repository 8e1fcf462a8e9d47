"""Bundles: keeping one, and whether it is whole, which `git bundle verify` leaves open as it reads only the header."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from defib.clock import Deadline
from defib.errors import BudgetSpent, StepFailed
from defib.providers.git.command import GitCommand

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


def keep_bundle(git: GitCommand, path: Path, refs: Mapping[str, str], within: Deadline) -> str:
    """Make the bundle at `path` hold `refs` of the repository; what was done, in words.

    One that does so and is whole stays. A new one takes its place only once it has been read back and found whole; the two
    before it stay beside it. :class:`StepFailed` where none can be made.
    """
    known = git.repository / "bundled"
    if path.is_file() and known.is_file() and known.read_text(encoding="utf-8") == _stamp(path, refs):
        return "the bundle holds it already"
    if path.is_file() and is_whole(path, within) and heads_of(git, path, within) == refs:
        known.write_text(_stamp(path, refs), encoding="utf-8")
        return "the bundle holds it already"
    fresh = path.with_name(f"{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh.unlink(missing_ok=True)
        command = ("bundle", "create", "--quiet", str(fresh.absolute()), "--stdin")
        with tempfile.TemporaryFile() as given:
            given.write("".join(f"{ref}\n" for ref in refs).encode())
            given.seek(0)
            made = git.run(*command, within=within, given=given)
        if made.status or heads_of(git, fresh, within) != refs or not is_whole(fresh, within):
            raise StepFailed("no whole bundle could be made", where=str(path), seen=made.output.strip()[-300:])
        verified = git.run("bundle", "verify", "--quiet", str(fresh.absolute()), within=within)
        if verified.status:
            raise StepFailed("the new bundle does not verify", where=str(path), seen=verified.output.strip()[-300:])
        _put(fresh, path)
    except OSError as error:
        raise StepFailed(f"the bundle cannot be written: {error.strerror}", where=str(path)) from error
    finally:
        fresh.unlink(missing_ok=True)
    known.write_text(_stamp(path, refs), encoding="utf-8")
    return f"a new bundle of {len(refs)} refs, {path.stat().st_size} bytes"


def _stamp(path: Path, refs: Mapping[str, str]) -> str:
    """What says that a bundle is still the file that was found whole, and with these refs."""
    found = path.stat()
    told = "".join(f"{ref} {commit}\n" for ref, commit in sorted(refs.items()))
    return f"{found.st_ino} {found.st_size} {found.st_mtime_ns} {hashlib.sha256(told.encode()).hexdigest()}"


def heads_of(git: GitCommand, path: Path, within: Deadline) -> dict[str, str]:
    """The refs that the bundle at `path` says it holds; none where it is no bundle."""
    lines: list[str] = []
    told = git.run("bundle", "list-heads", str(path.absolute()), within=within, line=lines.append)
    pairs = (line.partition(" ") for line in lines)
    return {} if told.status else {ref: commit for commit, _, ref in pairs}


def _put(fresh: Path, path: Path) -> None:
    """Put `fresh` in the place of `path`, which is never missing meanwhile; the two before stay."""
    with fresh.open("rb") as file:
        os.fsync(file.fileno())
    first, second = (path.with_name(f"{path.name}.{number}") for number in (1, 2))
    if first.exists():
        first.replace(second)
    if path.exists():
        os.link(path, first)
    fresh.replace(path)
