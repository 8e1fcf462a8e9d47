"""A store examined object by object, and put in order, from time to time."""

from __future__ import annotations

from datetime import timedelta

from defib.clock import Deadline
from defib.errors import BudgetSpent
from defib.providers.git.command import GitCommand

EVERY = timedelta(days=7)
"""How often: it reads everything."""

_STAMP = "examined"


def examine(git: GitCommand, within: Deadline) -> str:
    """Examine every object where that is due, then pack what many fetches left; what is wrong, or "".

    Nothing is thrown away by it: a geometric repack keeps what no ref leads to any more.
    """
    stamp = git.repository / _STAMP
    now = within.clock.now().timestamp()
    if stamp.exists() and now - stamp.stat().st_mtime < EVERY.total_seconds():
        return ""
    try:
        found = git.run("fsck", "--full", "--no-dangling", "--no-progress", within=within)
        if found.status:
            return f"the store at {git.repository} is damaged: {found.output.strip()[-300:]}"
        packed = git.run("repack", "--quiet", "-d", "--geometric=2", within=within)
        packed = packed if packed.status else git.run("pack-refs", "--all", within=within)
    except BudgetSpent:
        return f"the store at {git.repository} could not be examined in its time"
    if packed.status:
        return f"the store at {git.repository} could not be packed: {packed.output.strip()[-300:]}"
    stamp.touch()
    return ""
