"""``drill``: rehearse a recovery from the fault to the last proof."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from defib.about import About, about
from defib.alerts.herald import hush, outlets_of
from defib.cli import labs, procedures
from defib.cli.desk import desk, signals_interrupt
from defib.cli.live import Lines
from defib.cli.lookup import must_match
from defib.cli.recover import FAILBACK, Asked, by_flow, carry_out
from defib.cli.say import aside, fold_parts, say
from defib.clock import Deadline, SystemClock
from defib.drillentries import PreconditionSeen
from defib.drills.drill import Stage, run_drill
from defib.drills.drilled import Drill
from defib.drills.history import drill_lines
from defib.drills.news import telling
from defib.drills.order import DrillOrder
from defib.drills.preconditions import allowed, healthy, no_incident, quiet
from defib.errors import InputError, Refused
from defib.lab.bench import LabBench
from defib.lab.faults import EDGE_FAULTS, GIT_FAULTS, REPLICATION_FAULTS, Fault, check
from defib.mirror.rehearsal import rehearse_loss
from defib.objectives import Status
from defib.providers.open_alarms import open_alarms
from defib.providers.secret import resolve
from defib.ready.inspect import inspect
from defib.replication.rehearsal import rehearse_stall
from defib.report.as_json import as_json
from defib.report.drillfigures import drill_exit_code, drill_figures
from defib.report.summary import drill_summary
from defib.report.write import write_drill
from defib.runbook import load_runbook
from defib.sites.site import Site, load_site
from defib.start import Desk


@dataclass(frozen=True)
class _Way:
    """How procedures of one kind are rehearsed: what may fail, how it usually does, and the part of the site file for it."""

    rehearse: Callable[[Stage, str, str, str], tuple[str, Drill]]
    faults: tuple[str, ...]
    part: str
    usual: str = "refuse"


_WAYS = {
    About.USERS: _Way(run_drill, EDGE_FAULTS, "cdns or hosts"),
    About.REPOSITORIES: _Way(rehearse_loss, GIT_FAULTS, "git"),
    About.ASSETS: _Way(rehearse_stall, REPLICATION_FAULTS, "replication", "stall"),
}


_WITH_OTHERS = {
    FAILBACK: "defib drill cdn-failover --site lab",
    "git-promote": "defib git promote --site lab --to gitlab --mode rehearsal",
    "replication-repair": "defib drill replication-check --site lab",
    "asset-restore": "defib assets restore --site lab --at TIME --mode rehearsal",
}
"""What is rehearsed together with something else, or by hand, and how."""


_TO_READ_ALARMS = timedelta(seconds=20)


@dataclass(frozen=True)
class Wanted:
    """A drill that somebody wants. `net` is the network of the lab, if one has to be started."""

    procedure: str
    site: str
    net: str
    fault: str = ""
    order: DrillOrder = field(default_factory=DrillOrder)


@dataclass(frozen=True)
class Rehearsed:
    """A drill that is over, and where its report is."""

    told: Drill
    report: Path
    brought_a_lab: bool

    @property
    def exit_code(self) -> int:
        """What the command exits with."""
        code = drill_exit_code(self.told)
        return Status.INTERRUPTED.exit_code if code is None else code


def drill(asked: Asked, procedure: str, site_name: str, fault: str, net: str, trigger: str = "") -> int:
    """Break, notice, recover, heal, fail back, compare; the lab is started for it and stopped after it unless it was up."""
    over = rehearse(asked, Wanted(procedure, site_name, net, fault, DrillOrder(by=trigger)))
    if asked.as_json:
        say(as_json(drill_figures(over.told, over.report)))
    else:
        lab = "the lab is stopped" if over.brought_a_lab else "the lab is still up"
        say(f"\n{fold_parts(drill_summary(over.told, lab))}\n\nReport: {over.report}\nSealed: {over.told.head}")
    return over.exit_code


def rehearse(asked: Asked, wanted: Wanted) -> Rehearsed:
    """The drill from its preconditions to its report."""
    procedures.engine().prepare(asked.prefect)
    clock = SystemClock()
    lines = Lines(aside)
    at = desk(clock, asked.redact, lines)
    site = _site_of(at, wanted)
    way = _WAYS[about(wanted.procedure)]
    fault = _fault(at, site, way, wanted)
    with ExitStack() as stack:
        stack.enter_context(signals_interrupt(clock, lines.stopping))
        brought = not labs.is_up(at.home)
        if brought:
            aside("starting the lab")
            stack.callback(labs.stop, at.home)
            labs.start(at.home, wanted.net, parent=os.getpid())
        stack.callback(labs.end_with(at.home, clock))
        bench = LabBench(at.home.path, site.page.name.rstrip("."), clock)
        for trouble in hush(outlets_of(site, at.home, at.redact), clock):
            aside(trouble)  # a page that nobody can ask is in the fingerprint all the same
        order = with_surroundings(at, site, wanted)
        stage = Stage(at, bench, lambda run: carry_out(at, run, by_flow(prefect=asked.prefect)), order)
        drill_id, told = way.rehearse(stage, wanted.procedure, wanted.site, fault)
    return Rehearsed(told, write_report(at, drill_id, told), brought)


def with_surroundings(at: Desk, site: Site, wanted: Wanted) -> DrillOrder:
    """The order with what is looked at before, and who is told where it comes to nothing."""
    by_schedule = wanted.order.by_schedule

    def secret(reference: str) -> str:
        return at.redact.learn(resolve(reference, at.home.path))

    def look() -> Iterable[PreconditionSeen]:
        now = at.clock.now()
        yield from no_incident(at.home, site.site, now)
        yield from allowed(at.home, site, now, by_schedule=by_schedule)
        if by_schedule:  # who drills by hand sees to it; a site that is not healthy fails the drill at once
            yield from quiet(open_alarms(site, secret), Deadline.after(at.clock, _TO_READ_ALARMS))
            yield from healthy(site, lambda: inspect(at, wanted.site))

    tell = telling(site, outlets_of(site, at.home, at.redact), at.clock)
    return replace(wanted.order, preconditions=look, tell=tell)


def write_report(at: Desk, drill_id: str, told: Drill) -> Path:
    """The report of a drill, with the drills of its site so far."""
    past, _ = drill_lines(at.home, told.opened.site)
    return write_drill(at.home.path / "runs" / drill_id, told, past)


def _site_of(at: Desk, wanted: Wanted) -> Site:
    if wanted.procedure in _WITH_OTHERS:
        raise InputError(f"{wanted.procedure} is not drilled by itself", then=_WITH_OTHERS[wanted.procedure])
    site = load_site(at.site_path(wanted.site))
    must_match(at, wanted.procedure)
    if not site.lab:
        raise Refused(
            f"{site.site} is not in the lab", expected="a site file with lab: true, or --live", then="defib drill --help"
        )
    return site


def _fault(at: Desk, site: Site, way: _Way, wanted: Wanted) -> str:
    fault = wanted.fault or way.usual
    faults = load_runbook(wanted.procedure, at.runbooks).failing(site, fault)
    if not faults:
        raise InputError(
            f"the site {site.site} has nothing that {wanted.procedure} is about", expected=f"{way.part}: in its file"
        )
    check({faults[0][0]: way.faults}, faults[0][0], Fault(fault))
    return fault
