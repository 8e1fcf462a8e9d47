"""A store examined object by object, and put in order, from time to time."""

from __future__ import annotations

from datetime import timedelta

from defib.clock import Deadline
from defib.errors import BudgetSpent
from defib.process import Finished
from defib.providers.git.command import GitCommand

EVERY = timedelta(days=7)
"""How often: it reads everything."""

_STAMP = "examined"

_MOST_LOOSE = 200
"""More refs are not left in a file each: all that stand in one file are read in the time of some of those."""


def examine(git: GitCommand, loose: int, within: Deadline) -> str:
    """Examine every object where that is due, then pack what many fetches left; what is wrong, or "".

    Nothing is thrown away by it: a geometric repack keeps what no ref leads to any more. `loose` refs stand in a file each.
    """
    stamp = git.repository / _STAMP
    now = within.clock.now().timestamp()
    if stamp.exists() and now - stamp.stat().st_mtime < EVERY.total_seconds():
        return _in_order(git, within) if loose > _MOST_LOOSE else ""
    try:
        found = git.run("fsck", "--full", "--no-dangling", "--no-progress", within=within)
        if found.status:
            then = "move it away: the next run makes it anew, from the source and the bundle"
            return f"the store at {git.repository} is damaged: {_wrong(found.output)}; {then}"
        packed = git.run("repack", "--quiet", "-d", "--geometric=2", within=within)
    except BudgetSpent:
        return f"the store at {git.repository} could not be examined in its time"
    wrong = _unless_done(git, packed) or _in_order(git, within)
    if not wrong:
        stamp.touch()
    return wrong


def _wrong(said: str) -> str:
    lines = [line for line in said.strip().splitlines() if not line.startswith("notice: ")]
    return "; ".join(lines)[:300] or "git does not say how"


def _in_order(git: GitCommand, within: Deadline) -> str:
    """What every run reads put into one file each: the refs, and the dates and parents of all commits."""
    try:
        packed = git.run("pack-refs", "--all", within=within)
        graph = git.run("commit-graph", "write", "--reachable", "--no-progress", within=within)
    except BudgetSpent:
        return f"the store at {git.repository} could not be put in order in its time"
    return _unless_done(git, packed) or _unless_done(git, graph)


def _unless_done(git: GitCommand, done: Finished) -> str:
    return f"the store at {git.repository} could not be put in order: {done.output.strip()[-300:]}" if done.status else ""
