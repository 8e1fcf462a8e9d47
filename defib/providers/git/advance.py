"""Refs of a store that go on to what descends from where they are: all of them at once, where nothing is lost by any."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence

from defib.clock import Deadline
from defib.providers.git.command import GitCommand
from defib.providers.git.outgoing import Move, Outgoing

_NOWHERE = "0" * 40


def advance(git: GitCommand, outgoing: Outgoing, moves: Sequence[Move], within: Deadline) -> bool:
    """Make all `moves`; False, with nothing done, where one of them might lose something, or git does not make all."""
    return outgoing.loses_nothing(moves, within) and update(git, moves, within)


def update(git: GitCommand, moves: Sequence[Move], within: Deadline) -> bool:
    """Make all `moves` where each ref still leads where its move says, otherwise none."""
    with tempfile.TemporaryFile() as given:
        told = "".join(f"update {ref} {after} {before or _NOWHERE}\n" for ref, before, after in moves)
        given.write(told.encode())
        given.seek(0)
        return not git.run("update-ref", "--stdin", within=within, given=given).status
