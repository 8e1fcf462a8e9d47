"""One mirrored repository as a run reaches it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from defib.clock import Deadline
from defib.mirror.settings import RepositorySettings, Unknown
from defib.plan import COPY_VENDOR
from defib.ports import DnsZone, RecordKey, RecordSet

VENDOR = COPY_VENDOR
"""The vendor of a place in a plan; the zone is ``<repository>@<place>``."""

LOCAL = "local copy"
"""The place on this machine, which bundles are made of. No remote can be called so: git allows no space there."""

REF = "REF"
"""The type under which a ref stands in a plan; its one value is the id of what it leads to."""


@dataclass(frozen=True)
class Listing:
    """What a remote said that it holds, by ref; with a `problem` nobody knows. `denied` is one that did not let us in."""

    refs: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""
    denied: bool = False


@dataclass(frozen=True)
class Sent:
    """What became of refs that were pushed without force.

    `kept` are those that git itself would not move, because the place would lose what it has; `rejected` those that the
    place did not take, with its words.
    """

    taken: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    rejected: tuple[tuple[str, str], ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class TakenIn:
    """What became of what the source has: with a `problem` nothing came; `left_out` says why single refs did not."""

    problem: str = ""
    left_out: Mapping[str, str] = field(default_factory=dict)


class Mirrored(Protocol):
    """A repository, the remote that it is taken from, and its mirrors. Nothing but the zones' `replace` ever loses a ref.

    Mirrored are branches and tags, and notes where that is wanted. Whatever else a remote shows, such as ``refs/pull``,
    is its own.
    """

    name: str
    branch: str
    source: str
    mirrors: tuple[str, ...]
    most_lost: float
    urls: tuple[str, ...]

    def ask(self, *places: str, within: Deadline) -> Mapping[str, Listing]:
        """What `places` hold, or without any every remote and the local copy.

        All are asked at the same time, and nobody's failure is raised.
        """
        ...

    def take_in(self, refs: Mapping[str, str], *, within: Deadline, dry: bool = False) -> TakenIn:
        """Bring what the source has into the store, beside the local copy. Idempotent.

        A ref that leads to something damaged is left out, and stays what it was when it was last taken in. A `dry` one
        brings it aside, for this object alone to look at: what a run took in stays, also while one is under way.
        """
        ...

    def taken_in(self, *, within: Deadline) -> Mapping[str, str]:
        """What the source had when it was last taken in, by ref."""
        ...

    def send(self, place: str, refs: Collection[str], *, within: Deadline, dry: bool = False) -> Sent:
        """Push what was taken in to `place`, without force: nothing there is lost by it. Idempotent; `dry` only asks."""
        ...

    def bring_large(self, *, within: Deadline) -> tuple[str, ...]:
        """Bring the large files (Git LFS) that the refs need; what is missing at the source, in words. Idempotent."""
        ...

    def send_large(self, place: str, *, within: Deadline, again: bool = False) -> tuple[str, ...]:
        """Send them to `place`; what it lacks afterwards, in words. Idempotent; `again` doubts what is remembered."""
        ...

    def held(self, commit: str, *, within: Deadline) -> bool:
        """Whether this ever came from the source."""
        ...

    def given_up(self, *, within: Deadline) -> Collection[str]:
        """The refs that the local copy has, or had once: of the rest nobody can say that they came from the source."""
        ...

    def submodules(self, *, within: Deadline) -> tuple[str, ...]:
        """The URLs of the repositories that the branch was taken in with as submodules; none where that cannot be read."""
        ...

    def zones(self) -> tuple[DnsZone, ...]:
        """Every place as what a plan can change."""
        ...

    def first_made(self, commits: Collection[str], besides: Collection[str], *, within: Deadline) -> datetime | None:
        """The date of the first commit that `commits` lead to and `besides` do not; None where nobody can tell."""
        ...

    def keep_bundle(self, *, within: Deadline) -> str:
        """Make the bundle, with what is added to it, hold the local copy, verified; what was done, in words.

        :class:`StepFailed` where it could not be; what was kept before then stays.
        """
        ...

    def settings(self, *, within: Deadline) -> Mapping[str, RepositorySettings | Unknown]:
        """What each remote tells by its vendor's API, for those of which the site file says how to ask. Reads only."""
        ...

    def keep_settings(self, place: str, settings: RepositorySettings, *, within: Deadline) -> str:
        """Write down beside the bundle what a remote told, and copy it where the bundle is copied; what was done, in words.

        :class:`StepFailed`, or what the store of copies raises, where it could not be.
        """
        ...

    def examine(self, *, within: Deadline) -> str:
        """Examine every object of the store, where that is due; what is wrong, or ""."""
        ...


def compared(of: Mirrored) -> tuple[str, ...]:
    """The places that must be as their source: the mirrors, or where there is none the local copy, which bundles are of."""
    return of.mirrors or (LOCAL,)


def ref_key(ref: str) -> RecordKey:
    """The key under which a ref stands in a plan."""
    return RecordKey(ref, REF)


def leading_to(ref: str, commit: str) -> RecordSet:
    """A ref as it stands in a plan."""
    return RecordSet(ref_key(ref), timedelta(0), (commit,))
