"""``drill``: rehearse a recovery from the fault to the last proof."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from defib.about import About, about
from defib.cli import labs, procedures
from defib.cli.desk import desk, signals_interrupt
from defib.cli.live import Lines
from defib.cli.lookup import must_match
from defib.cli.recover import FAILBACK, Asked, by_flow, carry_out
from defib.cli.say import aside, fold_parts, say
from defib.clock import SystemClock
from defib.drill import Stage, run_drill
from defib.drilled import Drill
from defib.errors import InputError, Refused
from defib.herald import hush, outlets_of
from defib.lab.bench import LabBench
from defib.lab.faults import EDGE_FAULTS, GIT_FAULTS, REPLICATION_FAULTS, Fault, check
from defib.mirror.rehearsal import rehearse_loss
from defib.objectives import Status
from defib.replication.rehearsal import rehearse_stall
from defib.report.as_json import as_json
from defib.report.drillfigures import drill_exit_code, drill_figures
from defib.report.summary import drill_summary
from defib.report.write import write_drill
from defib.runbook import load_runbook
from defib.site import load_site


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


def drill(asked: Asked, procedure: str, site_name: str, fault: str, net: str) -> int:
    """Break, notice, recover, heal, fail back, compare; the lab is started for it and stopped after it unless it was up."""
    procedures.engine().prepare(asked.prefect)
    clock = SystemClock()
    lines = Lines(aside)
    at = desk(clock, asked.redact, lines)
    if procedure in _WITH_OTHERS:
        raise InputError(f"{procedure} is not drilled by itself", then=_WITH_OTHERS[procedure])
    site = load_site(at.site_path(site_name))
    must_match(at, procedure)
    if not site.lab:
        raise Refused(
            f"{site.site} is not in the lab", expected="a site file with lab: true, or --live", then="defib drill --help"
        )
    way = _WAYS[about(procedure)]
    fault = fault or way.usual
    faults = load_runbook(procedure, at.runbooks).failing(site, fault)
    if not faults:
        raise InputError(f"the site {site.site} has nothing that {procedure} is about", expected=f"{way.part}: in its file")
    check({faults[0][0]: way.faults}, faults[0][0], Fault(fault))
    with ExitStack() as stack:
        stack.enter_context(signals_interrupt(clock, lines.stopping))
        brought = not labs.is_up(at.home)
        if brought:
            aside("starting the lab")
            stack.callback(labs.stop, at.home)
            labs.start(at.home, net, parent=os.getpid())
        bench = LabBench(at.home.path, site.page.name.rstrip("."), clock)
        for trouble in hush(outlets_of(site, at.home, at.redact), clock):
            aside(trouble)  # a page that nobody can ask is in the fingerprint all the same
        stage = Stage(at, bench, lambda run: carry_out(at, run, by_flow(prefect=asked.prefect)))
        drill_id, told = way.rehearse(stage, procedure, site_name, fault)
    page = write_drill(at.home.path / "runs" / drill_id, told)
    if asked.as_json:
        say(as_json(drill_figures(told, page)))
    else:
        lab = "the lab is stopped" if brought else "the lab is still up"
        say(f"\n{fold_parts(drill_summary(told, lab))}\n\nReport: {page}\nSealed: {told.head}")
    code = drill_exit_code(told)
    return Status.INTERRUPTED.exit_code if code is None else code
