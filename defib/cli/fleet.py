"""``fleet``: one procedure on many sites at once, under one approval over all of their plans."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatch
from pathlib import Path

from defib import entries
from defib.approval import Approver, ByDigest, Nobody
from defib.cli import procedures
from defib.cli.desk import desk, parse_time, signals_interrupt
from defib.cli.lookup import must_match
from defib.cli.recover import by_flow, carry_out, with_known_outage
from defib.cli.say import Json, aside, fold, say, say_json, table
from defib.clock import SystemClock
from defib.conduct import Outcome
from defib.errors import DefibError, InputError, UnknownSite
from defib.fleet import SHORT, FleetPlan, Planned, Switched, keep_plan, kept_plan, plan_fleet, switch_fleet
from defib.history import JOURNAL
from defib.journal import read_journal
from defib.lease import operator
from defib.objectives import Mode
from defib.observe.killswitch import kill_switch
from defib.redact import Redactor
from defib.report import words
from defib.report.figures import run_exit_code
from defib.run import Run
from defib.start import Desk, Order
from defib.timeline import timeline

_MIXED = 1
"""Exit code where sites did not all end well, and not all in the same way."""


@dataclass(frozen=True)
class Asked:
    """What was asked for."""

    redact: Redactor
    procedure: str
    sites: str
    mode: Mode = Mode.INCIDENT
    approve: str = ""
    since: str = ""
    forced: bool = False
    as_json: bool = False

    @property
    def command(self) -> str:
        """The same without an approval."""
        mode = f" --mode {self.mode.value}" if self.mode is not Mode.INCIDENT else ""
        return f"defib fleet {self.procedure} --sites {shlex.quote(self.sites)}{mode}{' --force' if self.forced else ''}"


def fleet(asked: Asked) -> int:
    """Plan all sites and show one digest over all plans; with that digest, switch those that were planned."""
    clock = SystemClock()
    at = desk(clock, asked.redact)
    if asked.procedure == "failback":
        raise InputError("a failback takes back an earlier run", expected="the run's id", then="defib failback RUN")
    must_match(at, asked.procedure)
    paths = _site_files(at, asked.sites)
    since = parse_time("--since", asked.since, clock.now())
    if not asked.approve:
        return _plan(at, asked, paths, since)
    with signals_interrupt(clock, lambda: aside("stopping: what is under way comes to an end, and nothing more begins")):
        return _switch(at, asked, paths, since)


def _plan(at: Desk, asked: Asked, paths: list[Path], since: datetime | None) -> int:
    aside(f"looking at {words.count(len(paths), 'site')} …")
    orders = [_order(at, asked, path, Nobody(""), since) for path in paths]
    planned = plan_fleet(at, orders, procedures.procedure(asked.procedure).play)
    if planned.plans:
        keep_plan(at.home, asked.procedure, planned)
    if asked.as_json:
        say_json(_plain_plan(asked, planned))
    else:
        say(table(("site", "digest", "record sets", "at"), [_plan_row(part) for part in planned.parts]))
        whys = [fold(f"{_name(each.site)}: ", asked.redact(str(each.refusal))) for each in planned.parts if each.refusal]
        say("\n" + "\n".join([*whys, _what_now(asked, planned)]))
    return _exit_code([part.refusal.exit_code if part.refusal else 0 for part in planned.parts])


def _what_now(asked: Asked, planned: FleetPlan) -> str:
    if not planned.plans:
        return "No site can be switched."
    left_out = len(planned.parts) - len(planned.plans)
    without = f" ({words.count(left_out, 'site')} left out)" if left_out else ""
    do = f"{asked.command} --approve {planned.digest()[:SHORT]}"
    return f"To do it on {words.count(len(planned.plans), 'site')}{without}:\n{do}"


def _switch(at: Desk, asked: Asked, paths: list[Path], since: datetime | None) -> int:
    kept = kept_plan(at.home, asked.procedure, asked.approve)
    here = {str(path): path for path in paths}
    if missing := sorted(set(kept.digests) - set(here)):
        raise InputError(
            f"{words.count(len(missing), 'site')} of the approved plan not among --sites",
            expected="the sites that were planned",
            seen=", ".join(missing[:3]),
            then=asked.command,
        )
    approvers = {site: ByDigest(digest, operator(), asked.command) for site, digest in kept.digests.items()}
    orders = [_order(at, asked, here[site], approver, since) for site, approver in approvers.items()]
    result = switch_fleet(at, orders, to_its_end, tell=lambda part: aside(_line(part, asked.redact)))
    codes = [_code(at, part) for part in result.parts]
    if asked.as_json:
        rows = [_plain(at, part, code, asked.redact) for part, code in zip(result.parts, codes, strict=True)]
        say_json({"procedure": asked.procedure, "digest": asked.approve, "sites": rows, "exit_code": _exit_code(codes)})
    else:
        say(table(("site", "status", "outage", "run"), [_row(at, part) for part in result.parts]))
    return _exit_code(codes)


def to_its_end(at: Desk, run: Run) -> Outcome:
    """Without Prefect: hundreds of flows at once would be the slowest part of the recovery."""
    switch = kill_switch(at.home.path, run.site.site)
    if switch is not None:
        run.journal.append(entries.Noted("", f"{switch}; started by hand all the same", warning=True))
    return carry_out(at, run, by_flow(prefect=False))


def _order(at: Desk, asked: Asked, path: Path, approver: Approver, since: datetime | None) -> Order:
    order = Order(asked.procedure, str(path), asked.mode, approver, since, forced=asked.forced)
    try:
        return with_known_outage(at, order)
    except DefibError:
        return order  # a site file that is wrong is told with the site, when its turn comes


def _site_files(at: Desk, pattern: str) -> list[Path]:
    """The site files of a folder, of a glob of paths, or whose names in the usual folders fit the pattern."""
    found = sorted(Path(pattern).glob("*.yaml")) if Path(pattern).is_dir() else _fitting(at, pattern)
    if not found:
        raise UnknownSite(
            f"no site file fits {pattern!r}",
            expected="a folder of YAML files, a glob of their paths, or a pattern of their names",
            then="defib fleet PROCEDURE --sites 'FOLDER/*.yaml'",
        )
    return list(dict.fromkeys(path.resolve() for path in found))  # a link to a file that is there too is the same site


def _fitting(at: Desk, pattern: str) -> list[Path]:
    if Path(pattern).suffix in {".yaml", ".yml"}:
        path = Path(pattern)
        return sorted(path.parent.glob(path.name))
    folders = (at.runbooks / "sites", at.home.path / "lab" / "sites")
    by_name = {file.stem: file for folder in folders for file in folder.glob("*.yaml")}
    return [file for name, file in sorted(by_name.items()) if fnmatch(name, pattern)]


def _plan_row(part: Planned) -> tuple[str, ...]:
    if part.plan is None:
        return _name(part.site), "no plan", "", ""
    zones = ", ".join(f"{change.vendor}/{change.zone}" for change in part.plan.changes)
    number = sum(len(change.records) for change in part.plan.changes)
    return _name(part.site), part.plan.short_digest, str(number) if number else "already there", zones


def _line(part: Switched, redact: Redactor) -> str:
    why = part.outcome.reason if part.outcome else redact(str(part.refusal))
    return f"{_name(part.site)}: {_status(part)}{f': {why}' if why else ''}"


def _row(at: Desk, part: Switched) -> tuple[str, ...]:
    if part.outcome is None:
        return _name(part.site), _status(part), words.UNKNOWN, ""
    told = timeline(read_journal(at.home.run(part.outcome.run_id) / JOURNAL)[0])
    return _name(part.site), _status(part), words.duration(told.rto.actual), part.outcome.run_id


def _status(part: Switched) -> str:
    return part.outcome.status.value if part.outcome else "did not come to an end"


def _code(at: Desk, part: Switched) -> int:
    """What ``defib run`` would have exited with for this site."""
    if part.outcome is None:
        return part.refusal.exit_code if part.refusal else _MIXED
    told = timeline(read_journal(at.home.run(part.outcome.run_id) / JOURNAL)[0])
    code = run_exit_code(told)
    return _MIXED if code is None else code


def _exit_code(codes: list[int]) -> int:
    """0 where every site ended well, the one code of those that did not, or 1 where they differ."""
    bad = {code for code in codes if code}
    return bad.pop() if len(bad) == 1 else _MIXED if bad else 0


def _plain_plan(asked: Asked, planned: FleetPlan) -> dict[str, Json]:
    def row(part: Planned) -> dict[str, Json]:
        if part.plan is None:
            return {"site": _name(part.site), "digest": None, "changes": [], "why": asked.redact(str(part.refusal))}
        changes = [change.target for change in part.plan.changes]
        return {"site": _name(part.site), "digest": part.plan.digest(), "changes": changes, "why": None}

    return {
        "procedure": asked.procedure,
        "digest": planned.digest() if planned.plans else None,
        "sites": [row(part) for part in planned.parts],
    }


def _plain(at: Desk, part: Switched, code: int, redact: Redactor) -> dict[str, Json]:
    why = part.outcome.reason if part.outcome else redact(str(part.refusal))
    status, run_id = (part.outcome.status.value, part.outcome.run_id) if part.outcome else (None, None)
    report = str(at.home.path / "runs" / run_id / "report.html") if run_id else None
    return {
        "site": _name(part.site),
        "run_id": run_id,
        "status": status,
        "reason": why,
        "exit_code": code,
        "report": report,
    }


def _name(site: str) -> str:
    return Path(site).stem
