"""What a procedure is about, which its name says: users, repositories, or assets.

Runs about the one never wait for runs about the other: a mirror that takes its time must not keep users waiting.
"""

from __future__ import annotations

from enum import StrEnum


class About(StrEnum):
    """Whose recovery it is; only of users is there an outage, and so an RTO."""

    USERS = "users"
    REPOSITORIES = "git"
    ASSETS = "assets"


_BEGINNINGS = (("git-", About.REPOSITORIES), ("replication-", About.ASSETS), ("asset-", About.ASSETS))


CHANGES_NOTHING = frozenset({"replication-check"})
"""Procedures that change nothing but a canary of their own. They may take hours, and a restore must not wait for them."""


def changes_nothing(words: str) -> bool:
    """Whether a procedure, or a run by what follows the time in its id, changes nothing that stays."""
    return any(words == each or words.startswith(f"{each}-") for each in CHANGES_NOTHING)


def about(words: str) -> About:
    """What a procedure is about, or a run by what follows the time in its id."""
    return next((what for beginning, what in _BEGINNINGS if words.startswith(beginning)), About.USERS)
