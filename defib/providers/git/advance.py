"""Refs of a store that go on to what descends from where they are: all of them at once, where nothing is lost by any."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence

from defib.clock import Deadline
from defib.providers.git.command import GitCommand

Move = tuple[str, str, str]
"""A ref, the commit that it leads to, "" where there is no such ref, and the one that it is to lead to."""

_MOST = 4
"""So many are asked about one by one; of more refs git finds that out faster by itself, in a push."""

_TAGS = "refs/tags/"
_NOWHERE = "0" * 40


def advance(git: GitCommand, moves: Sequence[Move], within: Deadline) -> bool:
    """Make all `moves`; False, with nothing done, where one of them might lose something, or git does not make all.

    No tag is moved. Each ref still has to lead where the move says: whatever else it leads to stays.
    """
    moved = [(before, after) for _, before, after in moves if before and before != after]
    if len(moved) > _MOST or any(ref.startswith(_TAGS) and before not in {"", after} for ref, before, after in moves):
        return False
    if not all(_holds(git, after, before, within) for before, after in moved):
        return False
    with tempfile.TemporaryFile() as given:
        told = "".join(f"update {ref} {after} {before or _NOWHERE}\n" for ref, before, after in moves)
        given.write(told.encode())
        given.seek(0)
        return not git.run("update-ref", "--stdin", within=within, given=given).status


def _holds(git: GitCommand, commit: str, older: str, within: Deadline) -> bool:
    return not git.run("merge-base", "--is-ancestor", older, commit, within=within).status
