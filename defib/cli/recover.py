"""``plan``, ``run``, ``resume``, ``rollback`` and ``failback``."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace

from defib import entries
from defib.approval import Nobody
from defib.cli import procedures
from defib.cli.desk import approver, describe, desk, parse_time, signals_interrupt
from defib.cli.live import Board, Lines, is_terminal
from defib.cli.say import aside, say, say_json
from defib.clock import SystemClock
from defib.conduct import Outcome, roll_back
from defib.errors import InputError
from defib.herald import heralded, outlets_of
from defib.history import JOURNAL, SITE, opening_of, status_of
from defib.journal import read_journal
from defib.objectives import Mode, Status
from defib.observe.killswitch import kill_switch
from defib.observe.outage import known_outage
from defib.redact import Redactor
from defib.report import words
from defib.report.as_json import as_json
from defib.report.figures import run_exit_code, run_figures
from defib.report.write import write_run
from defib.run import PlanReady, Run
from defib.runbook import load_runbook
from defib.site import load_site
from defib.start import Desk, Order, new_run, plan_run, take_up
from defib.timeline import Timeline, timeline

FAILBACK = "failback"


@dataclass(frozen=True)
class Asked:
    """The options that the recovering commands share."""

    redact: Redactor
    as_json: bool = False
    prefect: bool = True
    approve: str = ""


def plan(asked: Asked, procedure: str, site: str, follows: str = "", *, forced: bool = False) -> int:
    """Read only: what is wrong, what would change, and the digest to approve."""
    clock = SystemClock()
    at = desk(clock, asked.redact)
    must_match(at, procedure)
    if follows:
        site = str(at.home.run(follows) / SITE)
    run = plan_run(at, Order(procedure, site, Mode.PLAN, Nobody(""), forced=forced, follows=follows))
    try:
        procedures.procedure(procedure).play(run)
    except PlanReady as ready:
        notes = [note.text for note in run.journal.of(entries.Noted)]
        if asked.as_json:
            say_json(_plan_json(run, ready, notes))
        else:
            say("\n".join([*(f"! {note}" for note in notes), describe(ready.plan)]))
            say(f"\nTo do it: defib {_command(procedure, site, follows)} --approve {ready.plan.short_digest}")
        return 0
    raise AssertionError("a flow in plan mode ends with its plan")


def run(
    asked: Asked,
    procedure: str,
    site: str,
    mode: Mode,
    since: str,
    trigger: str = "",
    down_at: str = "",
    *,
    forced: bool = False,
    automatic: bool = False,
) -> int:
    """Carry out a procedure."""
    if procedure == FAILBACK:
        raise InputError("a failback takes back an earlier run", expected="the run's id", then="defib failback RUN")

    def open_run(at: Desk) -> Run:
        must_match(at, procedure)
        now = at.clock.now()
        by_itself = automatic and load_runbook(procedure, at.runbooks).automatic
        reason = f"{trigger} (the runbook is automatic)" if by_itself else ""
        who = approver(mode, asked.approve, f"defib run {procedure} --site {site}", reason)
        began, down = parse_time("--since", since, now), parse_time("--down-at", down_at, now)
        order = Order(procedure, site, mode, who, began, down, trigger, by_itself, forced)
        opened = new_run(at, _with_known_outage(at, order))
        switch = kill_switch(at.home.path, opened.site.site)
        if switch is not None:
            opened.journal.append(entries.Noted("", f"{switch}; started by hand all the same", warning=True))
        return opened

    return _carry_out(asked, open_run)


def failback(asked: Asked, run_id: str, mode: Mode, *, forced: bool = False) -> int:
    """Take back what a recovered run changed."""

    def open_run(at: Desk) -> Run:
        must_match(at, FAILBACK)
        folder = at.home.run(run_id)
        who = approver(mode, asked.approve, f"defib failback {folder.name}")
        return new_run(at, Order(FAILBACK, str(folder / SITE), mode, who, forced=forced, follows=folder.name))

    return _carry_out(asked, open_run)


def resume(asked: Asked, run_id: str) -> int:
    """Bring an unfinished run to its end; a run that has ended well is left alone."""
    ended = _ended(asked, run_id)
    if ended is not None:
        return ended

    def open_run(at: Desk) -> Run:
        folder = at.home.run(run_id)
        opened = opening_of(read_journal(folder / JOURNAL)[0], folder)
        by_itself = f"{opened.trigger}, resumed" if opened.automatic else ""
        who = approver(opened.mode, asked.approve, f"defib resume {folder.name}", by_itself)
        return take_up(at, run_id, who, "resume")

    return _carry_out(asked, open_run)


def rollback(asked: Asked, run_id: str) -> int:
    """Put back what a run changed, whether it has ended or not."""
    return _carry_out(asked, lambda at: take_up(at, run_id, Nobody(""), "rollback"), roll_back)


def must_match(at: Desk, procedure: str) -> None:
    """Refuse a procedure whose runbook and flow are not the same steps, before anything begins."""
    load_runbook(procedure, at.runbooks).must_match(procedures.procedure(procedure).steps)


def by_flow(*, prefect: bool) -> Callable[[Run], Outcome]:
    """Carries out a run by its procedure's flow, with Prefect where it is there and wanted."""
    engine = procedures.engine()
    return lambda run: engine.perform(procedures.procedure(run.runbook.procedure), run, engine.choose(prefect))


def carry_out(at: Desk, opened: Run, do: Callable[[Run], Outcome]) -> Outcome:
    """A run to its end, its people told, its report written, its lease given back."""
    try:
        with telling(at, opened):
            return do(opened)
    finally:
        finish(at, opened)


def telling(at: Desk, opened: Run) -> AbstractContextManager[None]:
    """Tell the people of the site file what happens in a run, for as long as it lasts."""
    return heralded(opened, outlets_of(opened.site, at.home, at.redact))


def finish(at: Desk, opened: Run) -> Timeline:
    """Write the report of a run as it is now, and give its lease back."""
    told = timeline(opened.journal.records)
    write_run(at.home.path / "runs" / opened.id, told)
    if opened.changes.lease is not None:
        opened.changes.lease.release()
    return told


def verdict_line(told: Timeline) -> str:
    """Status, RTO and RPO in one or two lines for people."""
    lines = [f"{words.status(told.status)}: {told.reason}" if told.reason else words.status(told.status)]
    lines += [words.objective(told.rto, "RTO"), words.objective(told.rpo, "RPO")]
    return "\n".join(lines)


def _carry_out(asked: Asked, open_run: Callable[[Desk], Run], do: Callable[[Run], Outcome] | None = None) -> int:
    clock = SystemClock()
    board = Board(clock) if is_terminal() and not asked.as_json else None
    at = desk(clock, asked.redact, board or Lines(aside))
    with ExitStack() as stack:
        stack.enter_context(signals_interrupt(clock))
        opened = open_run(at)
        if board is not None:
            board.show(opened.runbook.steps, f"{opened.runbook.title}\nrun {opened.id}, {opened.mode.value}")
            if opened.mode is not Mode.INCIDENT or asked.approve or do:
                stack.enter_context(board)
        carry_out(at, opened, do or by_flow(prefect=asked.prefect))
    return _tell(at, opened, asked)


def _tell(at: Desk, opened: Run, asked: Asked) -> int:
    told = timeline(opened.journal.records)
    report = at.home.path / "runs" / opened.id / "report.html"
    if asked.as_json:
        say(as_json(run_figures(told, report)))
    else:
        say(f"\n{verdict_line(told)}\n\nReport: {report}\nSealed: {told.head}")
        made = any(not entry.already for entry in opened.journal.of(entries.ChangeMade))
        if told.status is Status.RECOVERED and made and not told.opened.follows:
            say(f"When the primary is well again: defib failback {opened.id}")
        elif told.status is Status.INTERRUPTED:
            say(f"Next: defib resume {opened.id}, or defib rollback {opened.id}")
    return _exit_code(told)


def _ended(asked: Asked, run_id: str) -> int | None:
    at = desk(SystemClock(), asked.redact)
    folder = at.home.run(run_id)
    records, _ = read_journal(folder / JOURNAL)
    if status_of(records) not in {Status.RECOVERED, Status.ROLLED_BACK}:
        return None
    told = timeline(records)
    if asked.as_json:
        say(as_json(run_figures(told, folder / "report.html")))
    else:
        say(f"This run has ended; nothing is left to do.\n\n{verdict_line(told)}")
    write_run(folder, told)
    return _exit_code(told)


def _exit_code(told: Timeline) -> int:
    code = run_exit_code(told)
    return Status.INTERRUPTED.exit_code if code is None else code


def _with_known_outage(at: Desk, order: Order) -> Order:
    """The order with what a running ``defib watch`` knows of the outage, where the operator did not say."""
    site = load_site(at.site_path(order.site))
    if order.since is None and (outage := known_outage(at.home.path, site.site, at.clock.now())):
        return replace(order, since=outage.first_bad, down_at=order.down_at or outage.down_at, looks=outage.looks)
    return order


def _command(procedure: str, site: str, follows: str) -> str:
    return f"failback {follows}" if follows else f"run {procedure} --site {site}"


def _plan_json(run: Run, ready: PlanReady, notes: list[str]) -> dict[str, object]:
    return {
        "procedure": ready.plan.procedure,
        "site": ready.plan.site,
        "digest": ready.plan.digest(),
        "changes": [
            {
                "target": change.target,
                "purpose": change.purpose,
                "records": [
                    {
                        "before": str(record.before) if record.before else None,
                        "after": str(record.after) if record.after else None,
                    }
                    for record in change.records
                ],
            }
            for change in ready.plan.changes
        ],
        "notes": notes,
        "steps": [
            {"step": s.name, "phase": s.phase, "plane": s.plane, "budget_s": s.budget.total_seconds()}
            for s in run.runbook.steps
        ],
    }
