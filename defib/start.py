"""From what somebody asked for to a run that can begin: files read, outside opened, journal and lease in hand."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from defib import __version__, entries
from defib.about import About, about, changes_nothing
from defib.approval import Approver
from defib.changes import Changes
from defib.clock import Clock
from defib.copyentries import PastWanted
from defib.errors import EvidenceBroken, HomeUnwritable, InputError, Refused
from defib.forecast import earlier_recoveries
from defib.history import (
    JOURNAL,
    RUNBOOK,
    SITE,
    as_it_was,
    changed_later,
    changes_of,
    digest,
    opening_of,
    recovered_changes,
    unfinished,
)
from defib.home import Home
from defib.journal import FileSink, Journal, Record, Sink, mend, read_journal
from defib.lease import Holder, Lease, operator
from defib.objectives import Mode
from defib.outside import Outside, read_only
from defib.plan import Change
from defib.ports import Observation
from defib.redact import Redactor
from defib.replication import pastwanted
from defib.run import Run
from defib.runbook import Runbook, load_runbook
from defib.sites.site import Site, find_site, load_site
from defib.users.lastbuild import last_build
from defib.users.looking import USERS

Opener = Callable[[Site, Home, Redactor, Clock], Outside]
"""Opens the outside of a site: real vendors and observers, or an in-memory world."""

_BUILDS = "choose-the-source"
_FULL_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")

Listener = Callable[[Record], None]


@dataclass(frozen=True)
class Order:
    """What somebody asked for. `site` is a name or a path; `since` is when users first lost service, if known.

    `looks` are the observations that say so; they become part of the run's evidence. `automatic` is a start by detection
    that the runbook allows. `live` marks a drill that moves the users of a site in earnest.
    """

    procedure: str
    site: str
    mode: Mode
    approver: Approver
    since: datetime | None = None
    down_at: datetime | None = None
    trigger: str = ""
    automatic: bool = False
    forced: bool = False
    follows: str = ""
    looks: tuple[Observation, ...] = ()
    live: bool = False
    commit: str = ""
    """The full id of the commit to build, where a person insists on one."""
    promoted: str = ""
    """The mirror that is to be the source, as ``<repository>@<remote>``."""
    past: PastWanted | None = None
    """What is to be as it was."""


@dataclass(frozen=True)
class Desk:
    """Where orders are carried out: folders, clock, and the way to the outside."""

    home: Home
    runbooks: Path
    clock: Clock
    opener: Opener
    listen: Listener = lambda _: None
    redact: Redactor = field(default_factory=Redactor)
    sink: Callable[[Path], Sink] = FileSink

    def site_path(self, name: str) -> Path:
        """The file of a site; a running lab brings those that fit its network."""
        return find_site(name, *self._site_folders)

    def site_names(self) -> list[str]:
        """The names of all sites that have a file."""
        return sorted({file.stem for folder in self._site_folders for file in folder.glob("*.yaml")})

    @property
    def _site_folders(self) -> tuple[Path, Path]:
        return self.home.path / "lab" / "sites", self.runbooks / "sites"


def new_run(desk: Desk, order: Order) -> Run:
    """A run with its lease, its folder and its first journal entries; whatever refuses it leaves nothing behind."""
    site_path = desk.site_path(order.site)
    site = load_site(site_path)
    _guard_mode(site, order.mode)
    runbook = _runbook_for(desk, order, site)
    order = replace(order, past=pastwanted.checked(order.procedure, order.past, site, desk.clock.now()))
    follows = recovered_changes(desk.home, order.follows) if order.follows else ()
    outside = desk.opener(site, desk.home, desk.redact, desk.clock)
    run_id = new_id(desk.clock.now(), order.procedure, site.site)
    lease = Lease.take(desk.home.lease(site.site, order.procedure), desk.clock, Holder.me(run_id))
    try:
        _refuse_beside_unfinished(desk.home, site.site, order)
        folder = new_folder(desk.home, run_id, site_path, runbook)
        journal = Journal(desk.sink(folder / JOURNAL), desk.clock, desk.redact, listen=desk.listen)
        journal.append(opening(run_id, order, site, runbook, digest(folder / SITE)))
        for look in order.looks:
            journal.append(entries.Observed("", USERS, look))
        _recall_the_build(journal, desk.home, site)
        return _assemble(desk, run_id, order, site, runbook, journal, outside, lease, follows)
    except BaseException:
        lease.release()
        raise


def plan_run(desk: Desk, order: Order) -> Run:
    """A run that only reads: no folder, no lease, and a journal that is kept in memory."""
    site = load_site(desk.site_path(order.site))
    runbook = _runbook_for(desk, order, site)
    order = replace(order, past=pastwanted.checked(order.procedure, order.past, site, desk.clock.now()))
    follows = recovered_changes(desk.home, order.follows) if order.follows else ()
    outside = read_only(desk.opener(site, desk.home, desk.redact, desk.clock))
    journal = Journal(_Forgotten(), desk.clock, desk.redact, listen=desk.listen)
    _recall_the_build(journal, desk.home, site)
    return _assemble(desk, "plan", order, site, runbook, journal, outside, None, follows)


def take_up(desk: Desk, run_id: str, approver: Approver, how: str, *, forced: bool = False) -> Run:
    """An earlier run, to ``resume`` or to ``rollback``, with the site file and the runbook that it began with.

    Refused where a later run has changed the site, unless `forced`: what looks like this run's work may be the later one's.
    """
    folder = desk.home.run(run_id)
    opened = opening_of(read_journal(folder / JOURNAL)[0], folder)
    site, runbook = as_it_was(folder, opened)
    _guard_mode(site, opened.mode)
    follows = changes_of(desk.home, opened.follows) if opened.follows and how != "rollback" else ()
    outside = desk.opener(site, desk.home, desk.redact, desk.clock)
    lease = Lease.take(desk.home.lease(site.site, opened.procedure), desk.clock, Holder.me(folder.name))
    try:
        if not forced:
            _refuse_before_later(desk.home, site.site, folder)
        records, torn = mend(folder / JOURNAL)
        journal = Journal(desk.sink(folder / JOURNAL), desk.clock, desk.redact, records, desk.listen)
        journal.append(entries.Reopened(how, operator(), torn))
        order = Order(
            opened.procedure,
            site.site,
            opened.mode,
            approver,
            forced=opened.forced,
            follows=opened.follows,
            live=opened.live,
            commit=opened.commit,
            promoted=opened.promoted,
        )
        order = replace(order, since=opened.since, past=opened.past)
        return _assemble(desk, folder.name, order, site, runbook, journal, outside, lease, follows)
    except BaseException:
        lease.release()
        raise


def _recall_the_build(journal: Journal, home: Home, site: Site) -> None:
    """What users were last seen to have: when their host is down, nobody else can tell."""
    try:
        known = last_build(home.site(site.site))
    except EvidenceBroken as error:
        journal.append(entries.Noted("", str(error), warning=True))
        return
    if known is not None:
        journal.append(entries.UsersHad(*known))


def _runbook_for(desk: Desk, order: Order, site: Site) -> Runbook:
    """The runbook; refused before anything begins where it has nothing to do with such a site, or such an order."""
    runbook = load_runbook(order.procedure, desk.runbooks)
    if runbook.against:
        runbook.primary_of(site)
    if order.commit and _BUILDS not in {step.name for step in runbook.steps}:
        raise InputError(f"{order.procedure} builds nothing", where="--commit", expected="aws-redeploy")
    if order.commit and not _FULL_ID.fullmatch(order.commit):
        raise InputError(
            "not the full id of a commit", where="--commit", expected="40 or 64 hexadecimal digits", seen=order.commit
        )
    return runbook


def _guard_mode(site: Site, mode: Mode) -> None:
    """A plan is no run; and a rehearsal approves its own plan, so it must not reach anything that users depend on."""
    if mode is Mode.PLAN:
        raise InputError("a plan is not a run", then=f"defib plan PROCEDURE --site {site.site}")
    if mode is Mode.REHEARSAL and not site.lab:
        raise Refused(
            f"{site.site} is not in the lab, so it cannot be rehearsed on",
            expected="a site file with lab: true",
            then=f"defib plan PROCEDURE --site {site.site}; defib drill PROCEDURE --site {site.site} --live moves its users",
        )


def _refuse_beside_unfinished(home: Home, site: str, order: Order) -> None:
    """A site on which a run stopped half-way must be brought to an end first; ``--force`` goes past a broken journal.

    Not where repositories are mirrored: what an earlier run of that left half done, the next one does. And not where nothing
    is changed: how the replicas stand is worth knowing at any time.
    """
    if about(order.procedure) is About.REPOSITORIES or changes_nothing(order.procedure):
        return
    try:
        folder = unfinished(home, site, order.follows, procedure=order.procedure)
    except EvidenceBroken as error:
        if order.forced:
            return
        raise Refused(
            "the journal of an earlier run on this site is broken, so nobody can tell whether its changes stand",
            where=error.where,
            seen=error.what,
            then="look at the site's records, then move the run's folder away or add --force",
        ) from error
    if folder is not None:
        raise Refused(
            "an earlier run on this site stopped half-way, and its changes stand",
            where=folder.name,
            then=f"defib resume {folder.name}, or defib rollback {folder.name}",
        )


def _refuse_before_later(home: Home, site: str, folder: Path) -> None:
    """What looks like this run's work may be a later one's, and must not be taken back in its name."""
    later = changed_later(home, site, folder)
    if later is not None:
        raise Refused(
            "a later run has changed the site, so this one must be left alone",
            where=folder.name,
            seen=later.name,
            then=f"defib rollback {later.name}, or add --force",
        )


def new_folder(home: Home, run_id: str, site_path: Path, runbook: Runbook) -> Path:
    """The folder of a new run or drill, with the site file and the runbook as they are now."""
    folder = home.path / "runs" / run_id
    try:
        folder.mkdir(parents=True)
        (folder / SITE).write_bytes(site_path.read_bytes())
        (folder / RUNBOOK).write_text(runbook.text, encoding="utf-8")
    except OSError as error:
        raise HomeUnwritable(f"cannot make the run's folder: {error.strerror}", where=str(folder)) from error
    return folder


class _Forgotten:
    """A sink for runs that only read."""

    def append(self, line: bytes, *, durable: bool) -> None:
        del line, durable


def _assemble(
    desk: Desk,
    run_id: str,
    order: Order,
    site: Site,
    runbook: Runbook,
    journal: Journal,
    outside: Outside,
    lease: Lease | None,
    follows: tuple[Change, ...],
) -> Run:
    if lease is not None:
        journal.append(entries.LeaseTaken(lease.number, str(Holder.me(run_id))))
        lease.keep()
        outside.fence.arm(lease.check)
        if outside.replicas is not None:
            outside.replicas.keep_made_in(desk.home.path / "runs" / run_id)
    return Run(
        id=run_id,
        site=site,
        runbook=runbook,
        mode=order.mode,
        objectives=runbook.objectives_for(site),
        clock=desk.clock,
        journal=journal,
        outside=outside,
        approver=order.approver,
        changes=Changes(journal, desk.clock, outside.changeable, lease),
        forced=order.forced,
        live=order.live,
        commit=order.commit,
        promoted=order.promoted,
        past=order.past,
        follows=follows,
        since=order.since,
        earlier=earlier_recoveries(desk.home, site.site, runbook.procedure),
    )


def opening(run_id: str, order: Order, site: Site, runbook: Runbook, site_digest: str) -> entries.Opened:
    """The first entry of a run: what was asked for, and what it promises."""
    objectives = runbook.objectives_for(site)
    return entries.Opened(
        run_id=run_id,
        procedure=order.procedure,
        site=site.site,
        mode=order.mode,
        operator=operator(),
        version=__version__,
        rto=objectives.rto,
        rpo=objectives.rpo,
        since=order.since,
        down_at=order.down_at,
        trigger=order.trigger,
        automatic=order.automatic,
        forced=order.forced,
        site_digest=site_digest,
        runbook_digest=runbook.digest,
        follows=order.follows,
        live=order.live,
        commit=order.commit,
        promoted=order.promoted,
        past=order.past,
    )


def new_id(now: datetime, *words: str) -> str:
    """A run's id: in the order of time to the millisecond, readable, and unique."""
    stamp = f"{now:%Y%m%d-%H%M%S%f}"[:-3]
    return "-".join((stamp, *words, secrets.token_hex(2)))
