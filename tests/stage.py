"""A small scripted world around the engine: users follow the steering record, edges fail on schedule, time is simulated.

Everything is in memory but the run's folder and the lease; a whole procedure takes milliseconds.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from defib import entries
from defib.approval import Approval, Approver, Automatic
from defib.changes import Changes
from defib.clock import Deadline, SimulatedClock
from defib.conduct import Outcome, roll_back
from defib.home import Home
from defib.journal import Record, Sink
from defib.objectives import Mode
from defib.observe.memory import (
    HANG,
    MemoryAnswers,
    MemoryAuthority,
    MemoryObservers,
    MemoryServer,
    MemoryTrust,
    Sight,
    World,
)
from defib.outside import Outside
from defib.plan import Plan
from defib.ports import Aim, Attachment, Build, Deployment, DnsZone, EdgeStatus, Expect, Health, RecordChange, RecordSet
from defib.providers.cdn.memory import MemoryCdn
from defib.providers.dns.memory import MemoryZone
from defib.providers.host.memory import MemoryHost
from defib.run import Run
from defib.sites.site import Site, load_site
from defib.sites.vendors import CdnOfSite, DnsZoneConfig, FailoverSwitch, HostOfSite
from defib.start import Desk, Order, new_run, plan_run, take_up
from defib.users.lastbuild import remember
from defib.users.ways import by_cdn, leads_at, to_host, ways
from flows import aws_redeploy, cdn_failover, dns_switch, failback, release_rollback
from flows.engine import Procedure, perform

ROOT = Path(__file__).parents[1]
RUNBOOKS = ROOT / "runbooks"
LAB = RUNBOOKS / "sites" / "lab.yaml"
START = datetime.fromisoformat("2026-01-01T00:00:00+00:00")
BUILD = Build("4f" * 20, START - timedelta(minutes=20))
WITHOUT_PREFECT = entries.EngineChosen(prefect=False, why="a test")
PROCEDURES: dict[str, Procedure] = {
    each.PROCEDURE.name: each.PROCEDURE for each in (aws_redeploy, cdn_failover, dns_switch, failback, release_rollback)
}

GOOD = Sight(Health.GOOD, build=BUILD)
REFUSED = Sight(Health.BAD, "connection refused", took=timedelta(milliseconds=1))
UNSEEN = Sight(Health.UNKNOWN, "the observer is offline")
DEAD = HANG


def seconds(value: float) -> timedelta:
    """Short for a timedelta."""
    return timedelta(seconds=value)


def older(by: timedelta) -> Sight:
    """A page that is served well, of a build that is older than the origin's."""
    return Sight(Health.GOOD, build=Build("0a" * 20, BUILD.built - by))


class Killed(BaseException):
    """What a process that is killed does to its run: no code of it gets another word in."""


class PlainFile:
    """A sink without waiting for the disk."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, line: bytes, *, durable: bool) -> None:
        """Write at the end."""
        with self._path.open("ab") as file:
            file.write(line)


@dataclass
class Killing:
    """A sink whose process is killed at its nth line: before it is written, when it is on the disk, or half-way."""

    path: Path
    at: int
    how: str

    def append(self, line: bytes, *, durable: bool) -> None:
        """Write, or die as told."""
        self.at -= 1
        if self.at == 0:
            written = {"before": 0, "torn": len(line) // 2, "after": len(line)}[self.how]
            PlainFile(self.path).append(line[:written], durable=durable)
            raise Killed
        if self.at < 0:
            raise AssertionError("a dead process wrote to its journal")
        PlainFile(self.path).append(line, durable=durable)


@dataclass
class Doing:
    """An approver that does something at the moment of the approval, and approves."""

    act: Callable[[], object]

    def approve(self, plan: Plan, *, within: Deadline) -> Approval:
        """Act and approve."""
        self.act()
        return Approval("a test", "automatic")


@dataclass
class Stage:
    """The world, and the desk at which runs in it begin. Change its fields at any time, or with :meth:`at` on schedule."""

    home: Path
    site_path: Path = LAB
    runbooks: Path = RUNBOOKS
    clock: SimulatedClock = field(default_factory=lambda: SimulatedClock(START))
    sink: Callable[[Path], Sink] = PlainFile
    seen: list[Record] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.site: Site = load_site(self.site_path)
        self.memories = [self._as_at_first(config) for config in self.site.dns]
        self.memory = self.memories[0]
        page = self.site.page.name
        held = [record for memory in self.memories for record in memory.records]
        self.before = next(record for record in held if record.key.name == page)
        self.zone: DnsZone = self.memory
        self.edges = {way.name: GOOD for way in ways(self.site)}
        self.origin = GOOD
        self.trust = MemoryTrust(self.clock)
        self.online = True
        self.reaches: Callable[[str], bool] = lambda _: self.online
        self.view: World = self.see
        self.apis = GOOD
        self.more: dict[str, Any] = {}
        self.servers = [MemoryServer(server.name) for server in self.site.servers]
        self.resolvers = [MemoryServer(server.name) for server in self.site.resolvers]
        self.cdns = {cdn.name: MemoryCdn(cdn.name, EdgeStatus(True, True, (page,), "origin", "1")) for cdn in self.site.cdns}
        self.hosts = {host.name: self._host(host) for host in self.site.hosts}
        self.desk = Desk(
            Home.open(self.home),
            self.runbooks,
            self.clock,
            lambda *_: self.outside(),
            listen=self.seen.append,
            sink=lambda path: self.sink(path),  # noqa: PLW0108 - it may be set later
        )
        # Servers that have been asked before know what they hold; a laggard keeps it.
        for record in self.memory.records:
            self._answers().authoritative(record.key, within=Deadline.after(self.clock, seconds(1)))

    @property
    def primary(self) -> CdnOfSite:
        """The CDN that users come through at first."""
        return self.site.primary

    @property
    def standby(self) -> CdnOfSite:
        """The CDN that a failover sends them to."""
        return self.site.standbys[0]

    @property
    def after(self) -> RecordSet:
        """The steering record after a failover."""
        return replace(self.before, values=(self.standby.hostname,))

    def at(self, after: float, **changes: object) -> None:
        """Set fields of the world `after` so many seconds from now; an edge goes by its name."""

        def event() -> None:
            for name, value in changes.items():
                if name in self.edges:
                    assert isinstance(value, Sight)
                    self.edges[name] = value
                else:
                    setattr(self, name, value)

        self.clock.at(self.clock.monotonic() + seconds(after), event)

    def reach(self, run: Run) -> None:
        """Let a run reach the world as it is now."""
        run.outside = self.outside()
        run.changes = Changes(run.journal, run.clock, run.outside.changeable, run.changes.lease)

    def outside(self) -> Outside:
        """The world through the ports of a run."""
        names = [observer.name for observer in self.site.observers]
        observers = MemoryObservers(names, self.view, self.clock, lambda observer, _: self.reaches(observer))
        zones = (self.zone, *self.memories[1:])
        return Outside(zones, self.cdns, observers, self._answers(), self.trust, self.trust, self.hosts, **self.more)

    def order(self, procedure: str = "cdn-failover", approver: Approver | None = None) -> Order:
        """What somebody asks for."""
        return Order(procedure, str(self.site_path), Mode.REHEARSAL, approver or Automatic("a test"))

    def begin(self, procedure: str = "cdn-failover", approver: Approver | None = None, **more: object) -> Run:
        """A new run."""
        return new_run(self.desk, replace(self.order(procedure, approver), **more))  # type: ignore[arg-type]

    def play(self, run: Run) -> Outcome:
        """A run to its end, its lease given back."""
        try:
            return perform(PROCEDURES[run.runbook.procedure], run, WITHOUT_PREFECT)
        finally:
            assert run.changes.lease is not None
            run.changes.lease.release()

    def recover(
        self, procedure: str = "cdn-failover", approver: Approver | None = None, **more: object
    ) -> tuple[Run, Outcome]:
        """A new run, to its end."""
        run = self.begin(procedure, approver, **more)
        return run, self.play(run)

    def recovered(self) -> Run:
        """A run that has sent the users to the standby, with the primary well again."""
        self.edges[self.primary.name] = REFUSED
        run, outcome = self.recover()
        assert outcome.status == "recovered", outcome
        self.edges[self.primary.name] = GOOD
        return run

    def plan(self, procedure: str = "cdn-failover", **more: object) -> Run:
        """A run that only reads."""
        order = replace(self.order(procedure), mode=Mode.PLAN, **more)  # type: ignore[arg-type]
        return plan_run(self.desk, order)

    def resume(self, run_id: str, approver: Approver | None = None) -> tuple[Run, Outcome]:
        """An earlier run, taken up and brought to its end."""
        run = take_up(self.desk, run_id, approver or Automatic("a test"), "resume")
        return run, self.play(run)

    def rollback(self, run_id: str) -> tuple[Run, Outcome]:
        """An earlier run, put back."""
        run = take_up(self.desk, run_id, Automatic("a test"), "rollback")
        try:
            return run, roll_back(run)
        finally:
            assert run.changes.lease is not None
            run.changes.lease.release()

    def die(self) -> None:
        """The process of the last run is dead: nobody renews its lease, and everybody on this machine can tell."""
        path = self.desk.home.site(self.site.site) / "lease.json"
        held = json.loads(path.read_bytes())
        if held["holder"]:
            held["holder"]["started"] = "long ago"  # the process of that number and start is no more
            path.write_text(json.dumps(held), encoding="utf-8")

    @property
    def change(self) -> RecordChange:
        """What a failover changes."""
        return RecordChange(self.before, self.after)

    @property
    def record(self) -> RecordSet:
        """The steering record as it stands."""
        return next(record for record in self.memory.records if record.key == self.before.key)

    @property
    def writes(self) -> list[tuple[str, ...]]:
        """Where each write sent the users."""
        return [change.after.values if change.after else () for batch in self.memory.applied for change in batch]

    def change_by_hand(self, value: str) -> None:
        """Somebody else points the record somewhere."""
        change = RecordChange(self.record, replace(self.record, values=(value,)))
        self.memory.replace([change], within=Deadline.after(self.clock, seconds(1)))

    def _answers(self) -> MemoryAnswers:
        zones = (self.memory, *self.memories[1:])
        held = [
            MemoryAuthority(zone, self._servers_of(config), config.zone, config.provider)
            for config, zone in zip(self.site.dns, zones, strict=True)
        ]
        return MemoryAnswers(held, self.resolvers, self.clock)

    def _servers_of(self, config: DnsZoneConfig) -> list[MemoryServer]:
        names = set() if isinstance(config, FailoverSwitch) else {server.name for server in config.servers}
        return [server for server in self.servers if server.name in names]

    def _as_at_first(self, config: DnsZoneConfig) -> MemoryZone:
        """The zone while all is well: users come through the primary CDN, or are at the primary host."""
        site = self.site
        way = by_cdn(site, site.primary) if site.cdns else to_host(site, site.primary_host)
        records = (lead.put_into(None) for lead in leads_at(config, way) if not lead.armed)
        return MemoryZone(config.zone, [record for record in records if record], vendor=config.provider)

    def _host(self, host: HostOfSite) -> MemoryHost:
        """A host that holds every name of the site, verified and certified."""
        until = START + timedelta(days=60)
        names = to_host(self.site, host).names
        attached = [Attachment(name, attached=True, verified=True, certificate_until=until) for name in names]
        return MemoryHost(host.project, [Deployment("live", START - timedelta(minutes=19))], "live", attached)

    def remember(self, build: Build = BUILD) -> None:
        """Users were seen to have `build` a moment ago, by whoever watches."""
        remember(self.desk.home.site(self.site.site), build, self.clock.now())

    def host_fails(self, how: Sight = REFUSED) -> None:
        """The primary host fails, and with it every CDN that fetches from it."""
        self.origin = how
        for name in self.edges:
            if name not in {host.name for host in self.site.backups}:
                self.edges[name] = how

    def see(self, observer: str, aim: Aim, _at: datetime) -> Sight:
        """What an observer sees; `view` may be set to something that sees otherwise."""
        if aim.url == self.site.origin.url:
            return self.origin
        if aim.expect is Expect.REACHABLE:
            return self.apis
        host = aim.connect_to or self._resolve(observer)
        for way in ways(self.site):
            if way.connect_to == host:
                return self.edges[way.name]
        return Sight(Health.BAD, f"nothing answers at {host!r}")

    def _resolve(self, observer: str) -> str:
        own = next(known.resolver for known in self.site.observers if known.name == observer)
        answers = self._answers().resolvers(self.before.key, within=Deadline.after(self.clock, seconds(1)))
        values = next(answer.values for answer in answers if answer.server == own)
        return values[0] if values else ""


def kinds(records: Sequence[Record]) -> list[str]:
    """The names of the entries."""
    return [type(record.entry).__name__ for record in records]


def steps(run: Run) -> list[tuple[str, str]]:
    """The steps that ended, and how."""
    return [(ended.step, ended.outcome) for ended in run.journal.of(entries.StepEnded)]


def impatient(folder: Path) -> Path:
    """The runbooks as they are, in `folder`, but for the steps that wait for users and answers: they give up after 12 s."""
    for path in RUNBOOKS.glob("*.md"):
        text = (
            path.read_text(encoding="utf-8").replace("· data · 10m", "· data · 12s").replace("· data · 15m", "· data · 12s")
        )
        (folder / path.name).write_text(text, encoding="utf-8")
    return folder
