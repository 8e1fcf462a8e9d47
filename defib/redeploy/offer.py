"""What the places that may hold a site's sources answer, and how that stands to the commit that users had.

Words: a *tip* is the commit at the end of the branch somewhere. The *deployed* commit is the one that users had last. A tip
*carries* it when it is that commit or descends from it, and is *behind* when it does not but is part of the same line.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

BUNDLE = "local bundle"
"""What the bundle is called where a remote has its name. No remote can be called so: git allows no space there."""


class Trouble(StrEnum):
    """Why somebody offers no commit."""

    UNREACHABLE = "unreachable"
    DENIED = "denied"
    NO_REPOSITORY = "no such repository"
    EMPTY = "empty"
    NO_BRANCH = "no such branch"
    DAMAGED = "damaged"


class Standing(StrEnum):
    """How a tip stands to the deployed commit."""

    CARRIES = "carries"
    BEHIND = "behind"
    APART = "apart"
    UNPROVEN = "unproven"


@dataclass(frozen=True)
class Tip:
    """A commit, its committer date (None where it has none that can be read), and which of the commits in question it holds.

    `contains` are those of all tips and deployed commits that are this commit or its ancestors.
    """

    commit: str
    committed: datetime | None = None
    contains: frozenset[str] = frozenset()

    def has(self, commit: str) -> bool:
        """Whether this is `commit` or descends from it."""
        return commit == self.commit or commit in self.contains

    def is_newer(self, other: Tip) -> bool:
        """Whether this descends from `other`. Dates say nothing about that."""
        return self.commit != other.commit and self.has(other.commit)

    def __str__(self) -> str:
        return f"{self.commit} of {f'{self.committed:%Y-%m-%d %H:%M} UTC' if self.committed else 'an unknown date'}"


@dataclass(frozen=True)
class Offer:
    """What one remote (or the bundle) answered: a tip, or a trouble with its problem in words.

    A problem without a trouble is a doubt: there is a tip to build from, and there may have been a newer one.
    With a trouble, `tip` is what it was last seen to hold, where that is known; that is no offer, but it tells what is lost.
    """

    remote: str
    tip: Tip | None = None
    trouble: Trouble | None = None
    problem: str = ""

    @property
    def stands(self) -> Tip | None:
        """The tip, where it is an offer."""
        return None if self.trouble else self.tip


@dataclass(frozen=True)
class Deployed:
    """The commit that users had last. `held` says that it is at hand, so that tips can be placed before it.

    `earlier` are the commits deployed before it. `tip.committed` may be given by whoever knows it where it is not held.
    """

    tip: Tip
    held: bool = True
    earlier: frozenset[str] = frozenset()

    def standing(self, tip: Tip) -> Standing:
        """How `tip` stands to this.

        Where nobody holds the deployed commit, a tip that holds an earlier deployed one is behind on the same line.
        """
        if tip.has(self.tip.commit):
            return Standing.CARRIES
        if self.tip.has(tip.commit):
            return Standing.BEHIND
        if self.held:
            return Standing.APART
        return Standing.BEHIND if any(tip.has(commit) for commit in self.earlier) else Standing.UNPROVEN


@dataclass(frozen=True)
class Offers:
    """What everybody offered, in the order of the site file, and what is known of the commit that users had."""

    offers: tuple[Offer, ...]
    bundle: Offer | None
    deployed: Deployed | None
