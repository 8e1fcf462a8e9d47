"""What would be lost where a mirror followed its source, and who decides about that.

Words: *places* are the mirrors of a repository and the local copy. A place *follows* where it takes over what the source
has now. What the source no longer leads to is a *loss*: its branch was moved back or pushed over, its tag moved, its ref
deleted. A loss is archived under a dated ref before the place follows. A place that leads where the source never led has
*diverged*: nobody but a person can say whose work that is, so nothing of it is ever overwritten.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

ARCHIVE = "refs/archive"
"""Under it stand the old tips: ``refs/archive/<date>/heads/<branch>/<commit>``."""

_HEADS = "refs/heads/"
_SHORT = 12


@dataclass(frozen=True)
class Loss:
    """A ref that would no longer lead to `before`, but to `after`, or nowhere ("")."""

    ref: str
    before: str
    after: str = ""

    def __str__(self) -> str:
        before, after = self.before[:_SHORT], self.after[:_SHORT]
        return f"{self.ref} moved from {before} to {after}" if after else f"{self.ref} deleted, which was at {before}"


@dataclass(frozen=True)
class Weighed:
    """One place against its source: what it would lose, where it has diverged, and what it has that the source never had."""

    losses: tuple[Loss, ...] = ()
    diverged: tuple[Loss, ...] = ()
    extra: tuple[str, ...] = ()


def archived(ref: str, commit: str, day: date) -> str:
    """The ref under which an old tip stays."""
    return f"{ARCHIVE}/{day.isoformat()}/{ref.removeprefix('refs/')}/{commit[:_SHORT]}"


def weigh(
    source: Mapping[str, str],
    there: Mapping[str, str],
    refused: Collection[str],
    given_up: Collection[str],
    held: Callable[[str], bool],
) -> Weighed:
    """Weigh what a place has, by ref, against its `source`.

    `refused` are the refs that git would not move there without losing what they have, `given_up` those that the source
    once had and has no longer, and `held` says whether something ever came from the source.
    """
    if source == there:  # as most are: thousands of refs need not be looked at one by one
        return Weighed()
    moved = [Loss(ref, there[ref], source[ref]) for ref in sorted(refused) if ref in there and ref in source]
    moved = [loss for loss in moved if loss.before != loss.after]
    more = sorted(ref for ref in there if ref not in source)
    gone = [Loss(ref, there[ref]) for ref in more if ref in given_up]
    found = [(loss, held(loss.before)) for loss in (*moved, *gone)]
    return Weighed(
        tuple(loss for loss, known in found if known),
        tuple(loss for loss, known in found if not known),
        tuple(ref for ref in more if ref not in given_up),
    )


def alarm(losses: Sequence[Loss], count: int, branch: str, most_lost: float) -> str:
    """Why a person must decide about `losses` in a place with `count` refs; "" where it may follow by itself."""
    main = next((loss for loss in losses if loss.ref == f"{_HEADS}{branch}"), None)
    if main:
        return f"{main}: it is the branch that the site is built from"
    if len(losses) > 1 and len(losses) > most_lost * count:
        return f"{len(losses)} of {count} refs would be deleted or moved back, and {most_lost:.0%} may be without a person"
    return ""
