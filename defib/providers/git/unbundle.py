"""A branch taken out of a bundle that is kept, and out of what was added to it since."""

from __future__ import annotations

from pathlib import Path

from defib.clock import Deadline
from defib.errors import BudgetSpent
from defib.providers.git.bundle import Header, added_to, is_whole, mark_of, read_header
from defib.providers.git.command import GitCommand
from defib.providers.git.remote import FETCH, Troubled, answer
from defib.redeploy.offer import Trouble


def take_branch(git: GitCommand, bundle: Path, branch: str, ref: str, within: Deadline) -> str:
    """Bring `branch` to `ref` of the repository of `git`; a doubt about what was added to the bundle, in words, or "".

    Where that cannot be taken, what the bundle itself holds is brought. :class:`Troubled` where it gives nothing.
    """
    header = _header(bundle, within)
    answer(git, "bundle", "verify", "--quiet", str(bundle), within=within)
    if branch in header.heads:
        _fetch(git, bundle, branch, ref, within)
    try:
        newer = _added(bundle, header, within)
        if newer is not None and branch in newer.heads:
            _fetch_added(git, bundle, branch, ref, within)
            return ""
        doubt = ""
    except Troubled as trouble:
        doubt = f"what was added to it since cannot be taken: {trouble.problem}"
    if branch not in header.heads:
        told = f"it has no {branch.removeprefix('refs/heads/')}"
        raise Troubled(Trouble.NO_BRANCH, f"{Trouble.NO_BRANCH}: {f'{told}; {doubt}' if doubt else told}")
    return doubt


def _header(bundle: Path, within: Deadline) -> Header:
    """The header of a bundle that is whole."""
    try:
        header = read_header(bundle) if is_whole(bundle, within) else None
    except (OSError, BudgetSpent) as error:
        raise Troubled(Trouble.DAMAGED, f"it cannot be read: {error}") from error
    if header is None:
        raise Troubled(Trouble.DAMAGED, "its checksum does not fit, or it is no bundle")
    return header


def _added(bundle: Path, header: Header, within: Deadline) -> Header | None:
    """What was added to exactly this bundle; None where nothing was."""
    if not added_to(bundle).is_file():
        return None
    newer, mark = _header(added_to(bundle), within), mark_of(bundle, header)
    if not all(said == f"of {mark}" for said in newer.needs.values()):
        raise Troubled(Trouble.DAMAGED, "it belongs to another bundle")
    return newer


def _fetch_added(git: GitCommand, bundle: Path, branch: str, ref: str, within: Deadline) -> None:
    try:
        _fetch(git, added_to(bundle), branch, ref, within)
    except Troubled:
        # Of the bundle git has brought no more than the branch, and nothing where that was there already. If anything else
        # is wrong with what was added, that is told the second time.
        answer(git, "bundle", "unbundle", str(bundle), within=within)
        _fetch(git, added_to(bundle), branch, ref, within)


def _fetch(git: GitCommand, bundle: Path, branch: str, ref: str, within: Deadline) -> None:
    answer(git, "fetch", *FETCH, str(bundle), f"+{branch}:{ref}", protocol="file", within=within)
