"""The board of a home, from its files alone: no vendor, no site and no Prefect is asked."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from defib import __version__
from defib.board import going
from defib.board.copying import Copies
from defib.board.files import Files
from defib.board.glance import Glance, Unreadable
from defib.board.model import Board, Ready, SiteBoard
from defib.board.proving import FURTHEST, ROUNDS, Evidence, enough, prove
from defib.board.runs import Group, Runs, Seen
from defib.board.sites import Known, Written, is_for, known_sites, written_runbooks
from defib.clock import Clock, Deadline
from defib.drills.proofs import changed_from
from defib.errors import EvidenceBroken
from defib.history import JOURNAL
from defib.home import Home
from defib.objectives import Status
from defib.ready.check import State
from defib.ready.kept import GOOD_FOR, kept_at, read_kept
from defib.report import words
from defib.runbook import Runbook
from defib.sites.site import Site

READ_WITHIN = timedelta(seconds=20)
"""For reading runs; what could not be read by then is said to be unknown."""

NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
"""As in site files: nothing else may become a path, or be asked for."""

_DRILLS = 3


@dataclass
class _Gathered:
    """What was read of the runs on one site."""

    runs: dict[str, list[Glance]] = field(default_factory=lambda: defaultdict(list))
    drills: dict[str, list[Glance]] = field(default_factory=lambda: defaultdict(list))
    broken: dict[str, list[Unreadable]] = field(default_factory=lambda: defaultdict(list))
    more: set[str] = field(default_factory=set)


class Lookout:
    """Makes the board; whoever keeps one and asks again pays for what has changed alone."""

    def __init__(self, home: Home, runbooks: Path, clock: Clock) -> None:
        self._home = home
        self._runbooks = runbooks
        self._clock = clock
        self._files = Files()
        self._runs = Runs(home, self._files)
        self._copies = Copies(home, self._files)

    def board(self, *only: str, within: timedelta = READ_WITHIN) -> Board:
        """The board of the sites that are named, or of all; never raises for what stands on the disk."""
        deadline = Deadline.after(self._clock, within)
        known = known_sites(self._home, self._runbooks, self._files, only)
        written = {each.procedure: each for each in written_runbooks(self._runbooks, self._files)}
        gathered, lost = self._gather({*known}, {*written}, only, deadline)
        now = self._clock.now()
        names = [name for name in sorted({*known, *gathered}) if not only or name in only]
        shown = [name for name in names if name in gathered or not _is_idle_lab(known.get(name), self._home)]
        sites = [known.get(name) or _gone(name) for name in shown]
        boards = (self._site(each, gathered.get(each.name, _Gathered()), written, now) for each in sites)
        return Board(
            at=now,
            sites=tuple(sorted(boards, key=_urgency)),
            held=going.held(self._home),
            unreadable=tuple(lost),
            problems=tuple(each.problem for each in written.values() if each.problem),
            hidden=len(names) - len(shown),
        )

    def _gather(
        self, known: AbstractSet[str], procedures: AbstractSet[str], wanted: Sequence[str], within: Deadline
    ) -> tuple[Mapping[str, _Gathered], list[Unreadable]]:
        """What was read, by site; and what cannot be read, nor its site be told from its name."""
        found: dict[str, _Gathered] = defaultdict(_Gathered)
        lost: list[Unreadable] = []
        for group in self._runs.groups():
            if wanted and not any(group.words.endswith(f"-{site}") for site in wanted):
                continue
            seen = self._read(group, within)
            if not seen:
                continue
            procedure, site = _whose(group, seen, known, procedures)
            glances = [each for each in seen if isinstance(each, Glance) and each.opened.site == site]
            broken = [each for each in seen if isinstance(each, Unreadable)]
            if not NAME.fullmatch(site):
                lost += broken or [Unreadable(group.names[0], "its journal names no site")]
                continue
            mine = found[site]
            mine.broken[procedure] += broken
            for glance in glances:
                (mine.drills if glance.is_drill else mine.runs)[glance.procedure].append(glance)
            mine.more |= {procedure} if len(seen) < len(group.names) else set()
        return found, lost

    def _read(self, group: Group, within: Deadline) -> list[Seen]:
        seen: list[Seen] = []
        for each in self._runs.glances(group, within):
            seen.append(each)
            if len(seen) >= FURTHEST or (isinstance(each, Glance) and _is_enough(each, seen)):
                break
        return seen

    def _site(self, known: Known, mine: _Gathered, written: Mapping[str, Written], now: datetime) -> SiteBoard:
        site = known.file
        expected = {name for name, each in written.items() if site and each.runbook and is_for(each.runbook, site)}
        ran = {name for name, runs in mine.runs.items() if runs} | {name for name, runs in mine.drills.items() if runs}
        runs = [run for each in mine.runs.values() for run in each]
        drills = [run for each in mine.drills.values() for run in each]
        alive = going.alive(self._runs, [*runs, *drills])
        moving = {name for name, each in written.items() if each.runbook and each.runbook.against}
        return SiteBoard(
            name=known.name,
            title=site.title if site else "",
            is_lab=bool(site and site.lab),
            targets=site.objectives.objectives() if site else None,
            problem=known.problem,
            is_gone=known.is_gone,
            ready=self._ready(known.name, now),
            procedures=tuple(
                prove(self._evidence(name, mine, alive, known, written.get(name)), known, written.get(name), now)
                for name in sorted(expected | ran)
            ),
            copies=tuple(copy for each in mine.runs.values() for copy in self._copies.of(site, each, now)),
            down=going.down(self._home, known.name, now),
            running=tuple(going.running(self._runs, run) for run in alive),
            left=tuple(going.left(self._runs, (each[0] for each in mine.runs.values() if each))),
            away=going.away((run for run in runs if run.status is Status.RECOVERED), moving),
            held=going.held(self._home, known.name),
            unreadable=tuple(each for group in mine.broken.values() for each in group),
        )

    def _evidence(
        self, procedure: str, mine: _Gathered, alive: Iterable[Glance], known: Known, written: Written | None
    ) -> Evidence:
        evidence = Evidence(
            procedure,
            runs=tuple(mine.runs.get(procedure, ())),
            drills=tuple(mine.drills.get(procedure, ())),
            unreadable=tuple(mine.broken.get(procedure, ())),
            alive=frozenset(run.run for run in alive),
            more=procedure in mine.more,
        )
        last = next(iter(evidence.recovered), None)
        if last is None or procedure in ROUNDS or known.file is None or written is None or written.runbook is None:
            return evidence
        return replace(evidence, changed=self._changed(last, known, known.file, written.runbook))

    def _changed(self, last: Glance, known: Known, site: Site, runbook: Runbook) -> tuple[str, ...]:
        """What differs in what the procedure depends on; where neither file has changed, nothing needs to be compared."""
        opened = last.opened
        if (opened.site_digest, opened.runbook_digest) == (known.digest, runbook.digest):
            return () if opened.version == __version__ else ("the version of Defib",)
        what = f"changed {known.digest} {runbook.digest}"
        folder = self._runs.folder(last.run)
        return self._files.read(what, folder / JOURNAL, lambda _: changed_from(folder, site, runbook))

    def _ready(self, site: str, now: datetime) -> Ready:
        try:
            found = self._files.read("ready", kept_at(self._home, site), read_kept)
        except EvidenceBroken as error:
            return Ready(State.UNKNOWN, str(error))
        if found is None:
            return Ready(State.UNKNOWN, "never checked")
        age = now - found.at
        if not -GOOD_FOR < age <= GOOD_FOR:
            return Ready(State.UNKNOWN, f"not checked for {words.duration(age)}", found)
        return Ready(found.state, "", found)


def _is_enough(newest: Glance, seen: Sequence[Seen]) -> bool:
    return len(seen) >= _DRILLS if newest.is_drill else enough(newest.procedure, seen)


def _whose(group: Group, seen: Iterable[Seen], sites: AbstractSet[str], procedures: AbstractSet[str]) -> tuple[str, str]:
    """Procedure and site of a group: by what its journals say, else as far as its name tells."""
    for each in seen:
        if isinstance(each, Glance):
            return each.procedure, each.opened.site
    words_of_id = group.words.removeprefix("drill-")
    for procedure in sorted(procedures, key=len, reverse=True):
        site = words_of_id.removeprefix(f"{procedure}-")
        if site != words_of_id and site in sites:
            return procedure, site
    return "", ""


def _gone(name: str) -> Known:
    return Known(name, None, problem="it has no site file any more", is_gone=True)


def _is_idle_lab(known: Known | None, home: Home) -> bool:
    """A site of the lab on which nothing was run, while no lab is up, is nobody's: it is left out."""
    up = home.path / "lab" / "sites"
    return bool(known and known.file and known.file.lab and not (up / f"{known.name}.yaml").exists())


def _urgency(site: SiteBoard) -> tuple[bool, bool, bool, int, str]:
    """What goes on first, then what is wrong; the lab last."""
    return not site.down, not site.needs_somebody, site.is_lab, -list(State).index(site.state), site.name
