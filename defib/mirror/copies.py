"""What a run knows of the repositories that it mirrors, from the first question to the last comparison."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from defib import copyentries
from defib.mirror.lag import Known
from defib.mirror.port import LOCAL, Listing, Mirrored
from defib.mirror.sources import SourcesOfSite
from defib.ports import DnsZone

Item = TypeVar("Item")
Result = TypeVar("Result")

AT_ONCE = 8
"""So many pushes and questions at once: each is a few processes of git."""


@dataclass
class Copy:
    """One repository, with what its remotes said.

    `source` is what the source had when it was taken in, None while nobody knows; `stopped` says why nothing is sent.
    """

    of: Mirrored
    known: Known = field(default_factory=Known)
    remembered: bool = True
    """Whether what is known is written down; not where that would take the place of what nobody could read."""
    looked: datetime | None = None
    listings: Mapping[str, Listing] = field(default_factory=dict)
    source: Mapping[str, str] | None = None
    stopped: str = ""
    left_out: dict[str, str] = field(default_factory=dict)
    """What refs of the source lead to that could not be taken in."""
    given_up: Collection[str] = ()
    kept: dict[str, tuple[str, ...]] = field(default_factory=dict)
    rejected: dict[str, dict[str, str]] = field(default_factory=dict)
    """By place, the refs that it did not take the last time, and why."""
    waiting: dict[str, dict[str, datetime | None]] = field(default_factory=dict)
    was: dict[str, timedelta | None] = field(default_factory=dict)
    seen: dict[str, copyentries.MirrorSeen] = field(default_factory=dict)
    held_back: frozenset[str] = frozenset()
    """The refs that follow nowhere before a person has decided."""
    touched: set[str] = field(default_factory=set)
    """The places that something was pushed to since they were asked."""
    again: Mapping[str, Listing] = field(default_factory=dict)
    """What those said since."""
    submodules: tuple[str, ...] = ()
    bundle: str = ""
    problems: dict[str, list[str]] = field(default_factory=dict)
    waits: set[str] = field(default_factory=set)
    """Those of the problems that are nothing but the wait for a person."""

    @property
    def places(self) -> tuple[str, ...]:
        """Where the refs go: the local copy, and every mirror."""
        return (LOCAL, *self.of.mirrors)

    @property
    def wanted(self) -> Mapping[str, str]:
        """What every mirror is to have: what was taken in, and what could not be."""
        return {**(self.source or {}), **self.left_out} if self.left_out else self.source or {}

    def stop(self, why: str) -> None:
        """Nothing is taken from the source, and nothing is sent."""
        self.stopped = why
        self.trouble("", why)

    def wait_for_a_person(self, what: str) -> None:
        """Something waits for a person to decide, and nothing is wrong with it beside that."""
        self.waits.add(what)
        self.trouble("", what)

    def trouble(self, place: str, text: str) -> None:
        """Something is not as it must be; `place` is "" for the repository as a whole."""
        told = self.problems.setdefault(place, [])
        if text not in told:
            told.append(text)


@dataclass(frozen=True)
class Mirrors:
    """All repositories of a site, the folder where it is kept what is known of them, and which remotes are their sources."""

    repositories: tuple[Mirrored, ...]
    folder: Path
    sources: SourcesOfSite

    @property
    def changeable(self) -> tuple[DnsZone, ...]:
        """What a plan may change of them."""
        return (self.sources, *(zone for each in self.repositories for zone in each.zones()))

    def known_at(self, name: str) -> Path:
        """The file that says what is known of a repository."""
        return self.folder / f"{name}.json"


def rejections(copy: Copy) -> None:
    """What places did not take is a problem there, once nothing more is sent."""
    for place, refs in copy.rejected.items():
        for ref, why in refs.items():
            copy.trouble(place, f"{ref} was rejected: {why}")


def together(work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """Do `work` for all items, :data:`AT_ONCE` at a time; the first failure is raised once all are over."""
    todo = list(items)
    if len(todo) == 1:
        return [work(todo[0])]
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="defib-mirror") as pool:
        return list(pool.map(work, todo))


def going(copies: Sequence[Copy]) -> Iterator[tuple[Copy, str]]:
    """Every place that what was taken in goes to."""
    for copy in copies:
        for place in copy.places if copy.source is not None else ():
            if not copy.listings[place].problem:
                yield copy, place
