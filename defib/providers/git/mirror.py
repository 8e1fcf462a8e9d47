"""One repository, taken from its source into a store of this machine, and sent on to its mirrors.

The store is bare. Under ``refs/incoming`` stands what the source had when it was last taken in (in a plan, under
``refs/planned``); ``refs/heads`` and ``refs/tags`` are the local copy, a mirror like the others, of which bundles are made;
under ``refs/archive`` stand old tips.
Only the source is ever fetched from: what the store holds, the source once had.
"""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from defib.clock import Deadline
from defib.errors import ProviderError, SecretMissing
from defib.mirror.port import LOCAL, Listing, Sent, TakenIn
from defib.mirror.settings import RepositorySettings, Unknown
from defib.mirror.settings_file import write_settings
from defib.mirror.weigh import ARCHIVE, archived
from defib.ports import DnsZone
from defib.providers.git.advance import advance
from defib.providers.git.bundle import settings_beside
from defib.providers.git.examine import examine
from defib.providers.git.inventory import Inventory
from defib.providers.git.keeping import Bundles
from defib.providers.git.large import LargeFiles
from defib.providers.git.listing import Reading
from defib.providers.git.offsite import OffsiteCopy
from defib.providers.git.outgoing import Move, Outgoing
from defib.providers.git.reclaim import reclaim
from defib.providers.git.refs import GitRefs
from defib.providers.git.remote import GitRemote, Pushed, Troubled
from defib.providers.git.steps import Steps
from defib.providers.git.store import GitStore
from defib.providers.git.submodules import submodules_of
from defib.providers.open_repository import open_repository
from defib.redeploy.offer import Trouble
from defib.sites.git import Remote, Repository
from defib.wholefile import put

ANSWER_WITHIN = timedelta(seconds=20)
"""A remote that has not said by then what it holds is taken for dead."""

_ONE_BY_ONE = 100
"""So many refs are fetched and pushed by name; where more have changed, all that there are."""

_AT_ONCE = 5000
"""Refs that are deleted here at once, at some 100 bytes each: what the system takes as arguments of one command."""

_MOST_PUSHES = 64
_ARCHIVED = re.compile(rf"{ARCHIVE}/\d{{4}}-\d\d-\d\d/(.+)/[0-9a-f]+")

_MOST_FETCHES = 24
"""Fetches that fail for the sake of something damaged, after which what is left waits for the next run."""

_OF_ALL = frozenset({Trouble.DENIED, Trouble.NO_REPOSITORY})
"""What is no matter of single refs."""

_IN_VAIN = 4
"""The same where none of them brought anything."""

Item = TypeVar("Item")


class GitMirror:
    """Fulfils :class:`defib.mirror.port.Mirrored`; the store is kept at `folder`, the bundle at `bundle`.

    A store that was lost `reclaims` what the bundle has, before anything is taken from the source.
    """

    def __init__(
        self,
        folder: Path,
        repository: Repository,
        secrets: Callable[[str], str],
        bundle: Path,
        *,
        source: str = "",
        before_write: Callable[[], None] = lambda: None,
        gate: AbstractContextManager[object] | None = None,
        offsite: OffsiteCopy | None = None,
        reclaims: bool = True,
    ) -> None:
        self.name = repository.name
        self.branch = repository.branch
        self.most_lost = repository.most_lost
        self.urls = tuple(remote.url for remote in repository.remotes)
        taken_from = repository.taken_from(source)
        self.source = taken_from.name
        self.mirrors = tuple(remote.name for remote in repository.remotes if remote is not taken_from)
        self._store = GitStore(folder)
        git, reading = self._store.git, Reading()
        self._remotes, self._secrets = repository.remotes, secrets
        self._places = {remote.name: GitRemote.of(git, remote, secrets, reading) for remote in repository.remotes}
        self._kinds = ("heads/", "tags/", "notes/") if repository.notes else ("heads/", "tags/")
        self._inventory, self._outgoing = Inventory(git, self._kinds), Outgoing(git)
        self._places[LOCAL] = GitRemote(git, LOCAL, str(folder.absolute()), pushed=self._inventory.forget)
        self._limit = repository.push_limit
        self._large = LargeFiles(git, repository.remotes, secrets) if repository.lfs else None
        self._listed: dict[str, Listing] = {}
        self._held_open: AbstractContextManager[None] | None = None
        self._bundle, self._reclaims = bundle, reclaims
        self._offsite = offsite
        self._before_write = before_write
        self._gate = gate or threading.Semaphore(len(self._places))

    def ask(self, *places: str, within: Deadline) -> Mapping[str, Listing]:
        self._hold(within)
        remote = [place for place in self._places if place != LOCAL and place in (places or self._places)]
        with ThreadPoolExecutor(max(len(remote), 1)) as pool:
            asked = [pool.submit(self._listing, place, within) for place in remote]
            wait(asked, return_when=FIRST_COMPLETED)  # reading at once would keep the questions from going out
            if not places or LOCAL in places:
                self._listed[LOCAL] = self._local(within)
            self._listed.update(zip(remote, (each.result() for each in asked), strict=True))
        return {place: self._listed[place] for place in (*remote, LOCAL) if place in (places or self._places)}

    def _hold(self, within: Deadline) -> None:
        """Hold the store from the first question to the end: whoever finds it free removes what looks left behind."""
        if self._held_open is None:
            held = self._store.open(within)
            held.__enter__()
            self._held_open = held

    def _local(self, within: Deadline) -> Listing:
        self._inventory.forget()
        held = self._inventory.held(within)
        if self._reclaims and not (held.local or held.archived) and self._bundle.is_file():
            problem = reclaim(self._store.git, self._bundle, self._kinds, within)
            self._inventory.forget()
            return Listing(self._inventory.held(within).local, problem)
        return Listing(held.local)

    def _listing(self, place: str, within: Deadline) -> Listing:
        try:
            with self._gate:
                soon = within.sooner(ANSWER_WITHIN)
                return Listing(self._places[place].refs(*(f"refs/{kind}" for kind in self._kinds), within=soon))
        except Troubled as trouble:
            return Listing(problem=trouble.problem, denied=trouble.trouble is Trouble.DENIED)

    def take_in(self, refs: Mapping[str, str], *, within: Deadline, dry: bool = False) -> TakenIn:
        self._hold(within)
        if dry:
            self._inventory.look_aside()
        try:
            return self._take_in(refs, within, dry=dry)
        except Troubled as trouble:
            return TakenIn(trouble.problem)

    def _take_in(self, refs: Mapping[str, str], within: Deadline, *, dry: bool) -> TakenIn:
        before = self._inventory.held(within).incoming
        if refs == before:
            return TakenIn()
        changed = [ref for ref, commit in refs.items() if before.get(ref) != commit]
        gone = [ref for ref in before if ref not in refs]
        if not dry:
            self._keep_what_was_not_sent(before, [*changed, *gone], within)
        for some in _some(gone):
            self._places[LOCAL].push([f":{self._inventory.incoming(ref)}" for ref in some], within=within)
        if not changed:
            return TakenIn()
        said, damaged = self._fetched([(ref, before.get(ref, ""), refs[ref]) for ref in changed], within)
        now = self._inventory.held(within).incoming
        # A shallow repository is no failure to git: it warns, leaves out the branch, and ends with 0.
        shallow = [ref for ref in changed if ref not in damaged and now.get(ref) in {None, before.get(ref)}]
        if shallow:
            told = f"git does not take {', '.join(shallow[:3])} of {self.source}: {said.strip()[:300]}"
            return TakenIn(f"{Trouble.DAMAGED}: {told}")
        return TakenIn(left_out=damaged) if len(damaged) < len(refs) else TakenIn(damaged[changed[0]])

    def _fetched(self, moves: Sequence[Move], within: Deadline) -> tuple[str, dict[str, str]]:
        """Bring what the source has, and move what was taken in to that; what was said meanwhile.

        Git brings nothing where one ref leads to something that is damaged, or that the source has lost: then part after
        part, until that one is found. Gives also why refs were left out. Where no part can be had, it is given up soon.
        """
        said, damaged, parts, asked = "", dict[str, str](), deque([moves]), 0
        while parts:
            some = parts.popleft()
            try:
                said = self._fetched_at_once(some, within, by_name=asked > 0)
            except Troubled as trouble:
                if trouble.trouble in _OF_ALL:
                    raise
                asked += 1
                nothing_came = len(damaged) + sum(map(len, parts)) + len(some) == len(moves)
                if len(some) == 1 or asked >= (_IN_VAIN if nothing_came else _MOST_FETCHES):
                    damaged |= {ref: trouble.problem for ref, _, _ in some}
                else:
                    parts.extend(_halves(some))
        return said, damaged

    def _fetched_at_once(self, moves: Sequence[Move], within: Deadline, *, by_name: bool) -> str:
        moved = all(before for _, before, _ in moves) and len(moves) <= _ONE_BY_ONE
        every = len(moves) > _ONE_BY_ONE and not by_name
        names = [f"refs/{kind}*" for kind in self._kinds] if every else [ref for ref, _, _ in moves]
        source = self._places[self.source]
        try:
            with self._gate:
                if moved and source.brought(
                    [(self._inventory.incoming(ref), old, new) for ref, old, new in moves], within=within
                ):
                    return ""
                tips = [before for _, before, _ in moves] if moved else []
                return source.fetch([f"+{name}:{self._inventory.incoming(name)}" for name in names], tips, within=within)
        finally:
            self._inventory.forget()

    def _keep_what_was_not_sent(self, before: Mapping[str, str], going: Sequence[str], within: Deadline) -> None:
        """Archive what was taken in, is nowhere else yet, and is about to be forgotten, as what waits for a person."""
        here, day = self._inventory.held(within).local, within.clock.now().date()
        lost = [(ref, before[ref]) for ref in going if ref in before and here.get(ref) != before[ref]]
        for some in _some(lost):
            self._places[LOCAL].push([f"{commit}:{archived(ref, commit, day)}" for ref, commit in some], within=within)

    def taken_in(self, *, within: Deadline) -> Mapping[str, str]:
        return self._inventory.held(within).incoming

    def send(self, place: str, refs: Collection[str], *, within: Deadline, dry: bool = False) -> Sent:
        if not refs:
            return Sent()
        if not dry:
            self._before_write()
        pushed: list[Pushed] = []
        try:
            if not dry and len(refs) <= _ONE_BY_ONE and self._advanced(place, refs, within):
                return Sent(tuple(refs))
            if self._limit and not dry and place != LOCAL:
                self._send_in_steps(place, sorted(refs), within)
            pushed += self._push(place, sorted(refs), within, _MOST_PUSHES, dry=dry)
        except Troubled as trouble:
            return _sent(pushed, trouble.problem)
        return _sent(pushed)

    def _advanced(self, place: str, refs: Collection[str], within: Deadline) -> bool:
        """Whether the place has taken these refs over, without anybody but us having to find out what it has."""
        there, incoming = self._listed[place].refs, self._inventory.held(within).incoming
        moves = [(ref, there.get(ref, ""), incoming[ref]) for ref in refs]
        if place != LOCAL:
            with self._gate:
                return self._places[place].taken(moves, self._outgoing, self._limit, within=within)
        try:
            return advance(self._store.git, self._outgoing, moves, within)
        finally:
            self._inventory.forget()

    def _push(self, place: str, refs: Sequence[str], within: Deadline, most: int, *, dry: bool) -> list[Pushed]:
        """Push; where the place declines all, maybe for the sake of one, half of them, until that one is found.

        Whatever words it has for that: hosts differ in them.
        """
        # By name git compares every name with every ref of the place; what differs is found faster by a pattern.
        wanted = [f"refs/{kind}*" for kind in self._kinds] if len(refs) > _ONE_BY_ONE else refs
        with self._gate:
            told = self._places[place].push(
                [f"{self._inventory.incoming(ref)}:{ref}" for ref in wanted], within=within, dry=dry
            )
        among = set(refs)
        pushed = [each for each in told if each.ref in among]
        declined = [each.ref for each in pushed if each.why and not each.ours]
        if len(declined) < 2 or most <= 1 or len(declined) < len([each for each in pushed if not each.ours]):  # noqa: PLR2004
            return pushed
        half = len(declined) // 2
        kept = [each for each in pushed if each.ref not in set(declined)]
        for some in (declined[:half], declined[half:]):
            kept += self._push(place, some, within, most // 2, dry=dry)
        return kept

    def _send_in_steps(self, place: str, refs: Sequence[str], within: Deadline) -> None:
        """Bring what is more than one push may bring, up to what one push may bring of each branch, branch after branch."""
        there = [commit for commit in self._listed[place].refs.values() if self.held(commit, within=within)]
        steps = Steps(self._store.git, there, self._limit)
        for ref in refs:
            for commit in steps.towards(self._inventory.incoming(ref), within) if ref.startswith("refs/heads/") else ():
                with self._gate:
                    self._places[place].push([f"{commit}:{ref}"], within=within)

    def bring_large(self, *, within: Deadline) -> tuple[str, ...]:
        return self._large.bring(self.source, self._inventory.held(within).incoming, within=within) if self._large else ()

    def send_large(self, place: str, *, within: Deadline, again: bool = False) -> tuple[str, ...]:
        if not self._large or place == LOCAL:
            return ()
        self._before_write()
        return self._large.send(place, self._inventory.held(within).incoming, within=within, again=again)

    def held(self, commit: str, *, within: Deadline) -> bool:
        return not self._store.git.run("cat-file", "-e", commit, within=within).status

    def given_up(self, *, within: Deadline) -> Collection[str]:
        held = self._inventory.held(within)
        once = (_ARCHIVED.fullmatch(ref) for ref in held.archived)
        return {*held.local, *(f"refs/{found[1]}" for found in once if found)}

    def submodules(self, *, within: Deadline) -> tuple[str, ...]:
        tip = self._inventory.held(within).incoming.get(f"refs/heads/{self.branch}")
        return submodules_of(self._store.git, tip, within) if tip else ()

    def zones(self) -> tuple[DnsZone, ...]:
        return tuple(GitRefs(self._places[place], self.name) for place in (LOCAL, *self.mirrors))

    def first_made(self, commits: Collection[str], besides: Collection[str], *, within: Deadline) -> datetime | None:
        return self._store.first_date(commits, besides, within)

    def keep_bundle(self, *, within: Deadline) -> str:
        held = self._inventory.held(within)
        kept = {**held.archived, **held.local}
        if not kept:
            return "nothing to bundle yet"
        done = Bundles(self._store.git, self._bundle).keep(kept, within)
        if self._offsite is None:
            return done
        self._before_write()
        copied = self._offsite.keep(self._bundle, within=within)
        return f"{done}; {copied}" if copied else done

    def settings(self, *, within: Deadline) -> Mapping[str, RepositorySettings | Unknown]:
        asked = [remote for remote in self._remotes if remote.api is not None]
        with ThreadPoolExecutor(max(len(asked), 1)) as pool:
            told = pool.map(lambda remote: self._settings(remote, within), asked)
            return {remote.name: found for remote, found in zip(asked, told, strict=True)}

    def _settings(self, remote: Remote, within: Deadline) -> RepositorySettings | Unknown:
        try:
            hosted = open_repository(remote, self._secrets)
            return hosted.settings(within=within) if hosted else Unknown("the site file does not say how to ask")
        except (ProviderError, SecretMissing) as error:
            return Unknown(str(error))

    def keep_settings(self, place: str, settings: RepositorySettings, *, within: Deadline) -> str:
        file = settings_beside(self._bundle, place)
        put(file, write_settings(settings).encode(), "the settings")
        if self._offsite is None:
            return ""
        self._before_write()
        # When they were asked for is no difference: every run asks.
        told = write_settings(replace(settings, asked=datetime.min.replace(tzinfo=UTC)))
        return self._offsite.keep_part(file, f".{place}.settings.json", sha256(told.encode()).hexdigest(), within=within)

    def examine(self, *, within: Deadline) -> str:
        return examine(self._store.git, self._inventory.held(within).loose, within)


def _halves(moves: Sequence[Move]) -> Iterator[Sequence[Move]]:
    """Two halves, or where these are more than one command takes, as many parts as that takes."""
    size = min((len(moves) + 1) // 2, _AT_ONCE // 2)
    for first in range(0, len(moves), size):
        yield moves[first : first + size]


def _some(refs: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for first in range(0, len(refs), _AT_ONCE):
        yield refs[first : first + _AT_ONCE]


def _sent(pushed: Sequence[Pushed], problem: str = "") -> Sent:
    return Sent(
        tuple(each.ref for each in pushed if not each.why),
        tuple(each.ref for each in pushed if each.ours),
        tuple((each.ref, each.why) for each in pushed if each.why and not each.ours),
        problem,
    )
