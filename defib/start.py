"""From what somebody asked for to a run that can begin: files read, outside opened, journal and lease in hand."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from defib import __version__, entries
from defib.approval import Approver
from defib.changes import Changes, standing
from defib.clock import Clock
from defib.drilled import DRILL
from defib.errors import EvidenceBroken, HomeUnwritable, Refused
from defib.home import Home
from defib.journal import FileSink, Journal, Record, Sink, mend, read_journal
from defib.lease import Holder, Lease, operator
from defib.objectives import Mode, Status
from defib.plan import Change
from defib.ports import Observation
from defib.providers.wrappers import ReadOnlyCdn, ReadOnlyZone
from defib.redact import Redactor
from defib.run import Outside, Run
from defib.runbook import Runbook, load_runbook, parse_runbook
from defib.site import Site, find_site, load_site

Opener = Callable[[Site, Home, Redactor, Clock], Outside]
"""Opens the outside of a site: real vendors and observers, or an in-memory world."""

Listener = Callable[[Record], None]


@dataclass(frozen=True)
class Order:
    """What somebody asked for. `site` is a name or a path; `since` is when users first lost service, if known.

    `looks` are the observations that say so; they become part of the run's evidence.
    """

    procedure: str
    site: str
    mode: Mode
    approver: Approver
    since: datetime | None = None
    down_at: datetime | None = None
    trigger: str = ""
    forced: bool = False
    follows: str = ""
    looks: tuple[Observation, ...] = ()


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
        return find_site(name, self.home.path / "lab" / "sites", self.runbooks / "sites")


def new_run(desk: Desk, order: Order) -> Run:
    """A run with its lease, its folder and its first journal entries; whatever refuses it leaves nothing behind."""
    site_path = desk.site_path(order.site)
    site = load_site(site_path)
    _guard_mode(site, order.mode)
    runbook = load_runbook(order.procedure, desk.runbooks)
    follows = _recovered_changes(desk.home, order.follows) if order.follows else ()
    outside = desk.opener(site, desk.home, desk.redact, desk.clock)
    run_id = new_id(desk.clock.now(), order.procedure, site.site)
    lease = Lease.take(desk.home.site(site.site), desk.clock, Holder.me(run_id))
    try:
        _refuse_beside_unfinished(desk.home, site.site, order)
        folder = _new_folder(desk.home, run_id, site_path, runbook)
        journal = Journal(desk.sink(folder / "journal.jsonl"), desk.clock, desk.redact, listen=desk.listen)
        journal.append(_opening(run_id, order, site, runbook, _digest(site_path)))
        for look in order.looks:
            journal.append(entries.Observed("", "users", look))
    except BaseException:
        lease.release()
        raise
    return _assemble(desk, run_id, order, site, runbook, journal, outside, lease, follows)


def plan_run(desk: Desk, order: Order) -> Run:
    """A run that only reads: no folder, no lease, and a journal that is kept in memory."""
    site = load_site(desk.site_path(order.site))
    runbook = load_runbook(order.procedure, desk.runbooks)
    follows = _recovered_changes(desk.home, order.follows) if order.follows else ()
    outside = read_only(desk.opener(site, desk.home, desk.redact, desk.clock))
    journal = Journal(_Forgotten(), desk.clock, desk.redact, listen=desk.listen)
    return _assemble(desk, "plan", order, site, runbook, journal, outside, None, follows)


def take_up(desk: Desk, run_id: str, approver: Approver, how: str) -> Run:
    """An earlier run, to ``resume`` or to ``rollback``, with the site file and the runbook that it began with."""
    folder = desk.home.run(run_id)
    opened = opening_of(read_journal(folder / "journal.jsonl")[0], folder)
    site = load_site(folder / "site.yaml")
    runbook = parse_runbook((folder / "runbook.md").read_text(encoding="utf-8"), folder / "runbook.md")
    follows = changes_of(desk.home, opened.follows) if opened.follows and how != "rollback" else ()
    outside = desk.opener(site, desk.home, desk.redact, desk.clock)
    lease = Lease.take(desk.home.site(site.site), desk.clock, Holder.me(folder.name))
    try:
        records, torn = mend(folder / "journal.jsonl")
        journal = Journal(desk.sink(folder / "journal.jsonl"), desk.clock, desk.redact, records, desk.listen)
        journal.append(entries.Reopened(how, operator(), torn))
    except BaseException:
        lease.release()
        raise
    order = Order(opened.procedure, site.site, opened.mode, approver, forced=opened.forced, follows=opened.follows)
    return _assemble(desk, folder.name, order, site, runbook, journal, outside, lease, follows)


def opening_of(records: Sequence[Record], folder: Path) -> entries.Opened:
    """The first entry of a run's journal, which says what was asked for."""
    if not records or not isinstance(records[0].entry, entries.Opened):
        raise EvidenceBroken("the journal does not begin with the opening of a run", where=str(folder))
    return records[0].entry


def status_of(records: Sequence[Record]) -> Status | None:
    """How a run ended, or None while it is unfinished (also when it was closed and taken up again)."""
    for record in reversed(records):
        if isinstance(record.entry, entries.Closed):
            return record.entry.status
        if isinstance(record.entry, entries.Reopened):
            return None
    return None


def changes_of(home: Home, run_id: str) -> tuple[Change, ...]:
    """The changes that an earlier run made, oldest first, for a failback that was begun."""
    records = read_journal(home.run(run_id) / "journal.jsonl")[0]
    intended = (record.entry for record in records if isinstance(record.entry, entries.ChangeIntended))
    # A run that was taken up again may have intended the same change twice.
    changes = {entry.number: entry.change for entry in intended if not entry.undo}
    return tuple(changes[number] for number in sorted(changes))


def _recovered_changes(home: Home, run_id: str) -> tuple[Change, ...]:
    """The same for a failback that begins now: only a recovered run can be failed back."""
    folder = home.run(run_id)
    status = status_of(read_journal(folder / "journal.jsonl")[0])
    if status is not Status.RECOVERED:
        raise Refused(
            "only a recovered run can be failed back",
            where=folder.name,
            expected=Status.RECOVERED,
            seen=status or "unfinished",
            then=f"defib resume {folder.name}, or defib rollback {folder.name}",
        )
    return changes_of(home, run_id)


def unfinished(home: Home, site: str, besides: str = "") -> Path | None:
    """The folder of the run that stopped half-way on `site` with changes that stand, if the last run on it did.

    :class:`EvidenceBroken` where the journal of a run that may have been on `site` cannot be read.
    """
    for folder in reversed(home.runs()):
        try:
            records = read_journal(folder / "journal.jsonl")[0]
        except EvidenceBroken:
            if f"-{site}-" not in folder.name:
                continue  # what became of another site must not keep this one down
            raise
        if not records:
            continue  # killed before its first entry: nothing was changed
        opened = opening_of(records, folder)
        if opened.site != site or opened.procedure == DRILL or opened.run_id == besides:
            continue
        stopped = status_of(records) in {None, Status.INTERRUPTED}
        return folder if stopped and standing(records) else None
    return None


def _guard_mode(site: Site, mode: Mode) -> None:
    """A rehearsal approves its own plan, so it must not reach anything that users depend on."""
    if mode is Mode.REHEARSAL and not site.lab:
        raise Refused(
            f"{site.site} is not in the lab, so it cannot be rehearsed on",
            expected="a site file with lab: true",
            then=f"defib plan cdn-failover --site {site.site}",
        )


def _refuse_beside_unfinished(home: Home, site: str, order: Order) -> None:
    """A site on which a run stopped half-way must be brought to an end first; ``--force`` goes past a broken journal."""
    try:
        folder = unfinished(home, site, order.follows)
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


def _new_folder(home: Home, run_id: str, site_path: Path, runbook: Runbook) -> Path:
    """The folder of a new run, with the site file and the runbook as they are now."""
    folder = home.path / "runs" / run_id
    try:
        folder.mkdir(parents=True)
        (folder / "site.yaml").write_bytes(site_path.read_bytes())
        (folder / "runbook.md").write_text(runbook.text, encoding="utf-8")
    except OSError as error:
        raise HomeUnwritable(f"cannot make the run's folder: {error.strerror}", where=str(folder)) from error
    return folder


def read_only(outside: Outside) -> Outside:
    """The same outside, with every write refused."""
    return replace(
        outside,
        zones=tuple(ReadOnlyZone(zone) for zone in outside.zones),
        cdns={name: ReadOnlyCdn(cdn) for name, cdn in outside.cdns.items()},
    )


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
        changes=Changes(journal, desk.clock, outside.zones, lease),
        forced=order.forced,
        follows=follows,
    )


def _opening(run_id: str, order: Order, site: Site, runbook: Runbook, site_digest: str) -> entries.Opened:
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
        forced=order.forced,
        site_digest=site_digest,
        runbook_digest=runbook.digest,
        follows=order.follows,
    )


def new_id(now: datetime, *words: str) -> str:
    """A run's id: in the order of time to the millisecond, readable, and unique."""
    stamp = f"{now:%Y%m%d-%H%M%S%f}"[:-3]
    return "-".join((stamp, *words, secrets.token_hex(2)))


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
