"""A store that was lost, taken from the bundle of it: or what the bundle alone holds would go with the next one."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from defib.clock import Deadline
from defib.errors import BudgetSpent
from defib.mirror.weigh import ARCHIVE
from defib.providers.git.advance import update
from defib.providers.git.bundle import Header, added_to, is_whole, read_header
from defib.providers.git.command import GitCommand


def reclaim(git: GitCommand, bundle: Path, kinds: Collection[str], within: Deadline) -> str:
    """Make the store of `git`, which has no refs yet, what the bundle and what was added to it hold: all refs of `kinds`.

    Gives why that could not be, in words, or ""; then the store has no refs, and the bundle is as it was.
    """
    refs: dict[str, str] = {}
    for file in (each for each in (bundle, added_to(bundle)) if each.is_file()):
        header = _header(file, within)
        if header is None:
            return f"the store was lost, and {file} cannot be taken for it: it is not whole"
        unpacked = git.run("bundle", "unbundle", str(file.absolute()), within=within)
        if unpacked.status:
            return f"the store was lost, and git does not take {file} for it: {unpacked.output.strip()[-300:]}"
        refs |= header.heads
    ours = (*(f"refs/{kind}" for kind in kinds), f"{ARCHIVE}/")
    if not update(git, [(ref, "", commit) for ref, commit in refs.items() if ref.startswith(ours)], within):
        return f"the store was lost, and the refs of {bundle} could not be made in it"
    return ""


def _header(file: Path, within: Deadline) -> Header | None:
    try:
        return read_header(file) if is_whole(file, within) else None
    except (OSError, BudgetSpent):
        return None
