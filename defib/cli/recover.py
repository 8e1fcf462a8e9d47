"""``run``, ``resume``, ``rollback`` and ``failback``."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import dropwhile
from pathlib import Path
from textwrap import indent

from defib import entries
from defib.about import About, about
from defib.alerts.herald import heralded, outlets_for
from defib.approval import Nobody
from defib.cli import procedures
from defib.cli.desk import approver, desk, insist_on_somebody, parse_time, signals_interrupt
from defib.cli.live import is_terminal
from defib.cli.lookup import find_run, must_match
from defib.cli.say import aside, fold_parts, say
from defib.cli.screen import Screen, somebody_is_there
from defib.clock import Deadline, SystemClock
from defib.conduct import Outcome, roll_back
from defib.copyentries import PastWanted
from defib.errors import BudgetSpent, DefibError, InputError, Interrupted, Refused
from defib.history import JOURNAL, SITE, opening_of, recovered_changes, status_of
from defib.journal import read_journal
from defib.mirror import sources
from defib.objectives import Mode, Phase, Status
from defib.observe.killswitch import kill_switch
from defib.observe.outage import known_outage, note_outage
from defib.redact import Redactor
from defib.replication import pastwanted
from defib.report.as_json import as_json
from defib.report.figures import run_exit_code, run_figures
from defib.report.summary import next_commands, summary
from defib.report.write import write_run
from defib.run import Run
from defib.runbook import load_runbook
from defib.sites.git import repositories
from defib.sites.site import load_site
from defib.start import Desk, Order, new_run, take_up
from defib.timeline import Timeline, timeline
from defib.users.served import worse_off

FAILBACK = "failback"

Opening = Callable[[Desk, Screen], Run]
Doing = Callable[[Run, Screen], Outcome]

_TO_ANSWER = timedelta(minutes=15)
"""For the question whether a rollback that harms is meant; after that it is not."""


@dataclass(frozen=True)
class Asked:
    """The options that the recovering commands share."""

    redact: Redactor
    as_json: bool = False
    prefect: bool = True
    approve: str = ""
    elsewhere: bool = False
    """Whether the approval is waited for that somebody gives elsewhere."""
    trigger: str = ""
    """What asked for it, where that is not a person at a terminal."""


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
    live: bool = False,
    commit: str = "",
    promoted: str = "",
    past: PastWanted | None = None,
) -> int:
    """Carry out a procedure; a `live` one is a drill that moves the users of a site in earnest."""
    if procedure == FAILBACK:
        raise InputError("a failback takes back an earlier run", expected="the run's id", then="defib failback RUN")

    def open_run(at: Desk, screen: Screen) -> Run:
        must_match(at, procedure)
        now = at.clock.now()
        cause = trigger or asked.trigger
        by_itself = automatic and load_runbook(procedure, at.runbooks).automatic
        reason = f"{cause} (the runbook is automatic)" if by_itself else ""
        what = f"{procedure} --site {site}{f' --commit {commit}' if commit else ''}"
        do = f"defib drill {what} --live" if live else f"defib run {what}"
        do = f"defib {sources.command(site, promoted)}" if promoted else do
        do = f"defib {pastwanted.command(site, past)}" if past else do
        who = approver(mode, asked.approve, do, screen, reason, elsewhere=asked.elsewhere)
        began, down = parse_time("--since", since, now), parse_time("--down-at", down_at, now)
        order = Order(
            procedure, site, mode, who, began, down, cause, by_itself, forced, live=live, commit=commit, promoted=promoted
        )
        order = replace(order, past=past)
        order = order if live or about(procedure) is not About.USERS else with_known_outage(at, order)
        insist_on_somebody(who, f"{do} --plan" if promoted or past else f"defib plan {what}", do)
        opened = new_run(at, order)
        switch = kill_switch(at.home.path, opened.site.site)
        if switch is not None:
            opened.journal.append(entries.Noted("", f"{switch}; started by hand all the same", warning=True))
        return opened

    return _carry_out(asked, open_run)


def own_repository(redact: Redactor, site: str) -> str:
    """The name of the repository that a site is built from."""
    at = desk(SystemClock(), redact)
    known = load_site(at.site_path(site))
    named = repositories(known.site, known.git)
    if not named:
        raise InputError(f"the site {known.site} has no sources", where=f"{known.site}.yaml", expected="git: in its file")
    return named[0].name


def failback(asked: Asked, run_id: str, mode: Mode, *, forced: bool = False) -> int:
    """Take back what a recovered run changed."""

    def open_run(at: Desk, screen: Screen) -> Run:
        must_match(at, FAILBACK)
        folder = find_run(at.home, run_id, FAILBACK)
        recovered_changes(at.home, folder.name)
        do = f"defib failback {folder.name}"
        who = approver(mode, asked.approve, do, screen, elsewhere=asked.elsewhere)
        insist_on_somebody(who, f"{do} --plan", do)
        order = Order(FAILBACK, str(folder / SITE), mode, who, trigger=asked.trigger, forced=forced, follows=folder.name)
        return new_run(at, order)

    return _carry_out(asked, open_run)


def resume(asked: Asked, run_id: str) -> int:
    """Bring an unfinished run to its end; a run that has ended well is left alone."""
    ended = _ended(asked, run_id)
    if ended is not None:
        return ended

    def open_run(at: Desk, screen: Screen) -> Run:
        folder = find_run(at.home, run_id, "resume")
        opened = opening_of(read_journal(folder / JOURNAL)[0], folder)
        by_itself = f"{opened.trigger}, resumed" if opened.automatic else ""
        do = f"defib resume {folder.name}"
        who = approver(opened.mode, asked.approve, do, screen, by_itself, elsewhere=asked.elsewhere)
        return take_up(at, run_id, who, "resume")

    return _carry_out(asked, open_run)


def rollback(asked: Asked, run_id: str) -> int:
    """Put back what a run changed, whether it has ended or not; where that takes the site from users, say so before."""

    def open_run(at: Desk, _: Screen) -> Run:
        return take_up(at, find_run(at.home, run_id, "rollback").name, Nobody(""), "rollback")

    return _carry_out(asked, open_run, _roll_back_knowingly, board=False)


def _roll_back_knowingly(run: Run, screen: Screen) -> Outcome:
    """Roll back; where users would be worse off, warn before, and on a terminal ask. Without one it always goes on."""
    worse = _worse_off(run)
    if worse:
        run.journal.append(entries.Noted("", f"rolling back takes the site from users: {worse}", warning=True))
        if somebody_is_there() and not _is_meant(run, screen):
            _close_as_before(run)
            raise Refused("not rolled back: nobody said yes", seen=worse, then=f"defib rollback {run.id}")
    return roll_back(run)


def _worse_off(run: Run) -> str:
    try:
        return worse_off(run)
    except Interrupted:
        return ""  # rolling back ends for the same reason, and its end is written down
    except DefibError as error:
        return f"nobody can tell whether that would harm: {error}"


def _is_meant(run: Run, screen: Screen) -> bool:
    try:
        return screen.yes("Put it back all the same?", Deadline.after(run.clock, _TO_ANSWER))
    except (Interrupted, BudgetSpent):
        return False


def _close_as_before(run: Run) -> None:
    """Give a run that was taken up and left alone the end that it had: a recovered one can still be failed back."""
    records = run.journal.records
    taken_up = max(n for n, record in enumerate(records) if isinstance(record.entry, entries.Reopened))
    ended = [record.entry for record in records[:taken_up] if isinstance(record.entry, entries.Closed)]
    if ended and status_of(records[:taken_up]) is not None:
        run.journal.append(ended[-1])
    else:
        run.journal.append(entries.Closed(Status.INTERRUPTED, "left as it was: resume or roll back"))


def by_flow(*, prefect: bool) -> Callable[[Run], Outcome]:
    """Carries out a run by its procedure's flow, with Prefect where it is there and wanted."""
    engine = procedures.engine()
    return lambda run: engine.perform(procedures.procedure(run.runbook.procedure), run, engine.choose(prefect))


def carry_out(at: Desk, opened: Run, do: Callable[[Run], Outcome]) -> Outcome:
    """A run to its end, its people told, its report written, its lease given back.

    What ends it without an end in its journal, such as a full disk, says how to go on where changes may stand.
    """
    try:
        with telling(at, opened):
            return do(opened)
    except Exception as error:
        if opened.changes.standing() and status_of(opened.journal.records) is None:
            go_on = f"defib resume {opened.id}, or defib rollback {opened.id}"
            if not isinstance(error, DefibError):
                aside(f"changes may stand; next: {go_on}")
            else:
                error.then = f"{error.then}; then {go_on}" if error.then else go_on
        raise
    finally:
        finish(at, opened)


def telling(at: Desk, opened: Run) -> AbstractContextManager[None]:
    """Tell the people of the site file, and Prefect, what happens in a run, for as long as it lasts."""
    outlets = outlets_for(opened, at.home, at.redact)
    return heralded(opened, outlets.also(procedures.events().outlets(opened)))


def finish(at: Desk, opened: Run) -> None:
    """Give the lease of a run back, write its report as it is now; what cannot be done is told, and no error of the run."""
    if opened.changes.lease is not None:
        _try("the lease could not be given back", opened.changes.lease.release)
    told = timeline(opened.journal.records)
    if told.status is Status.RECOVERED and about(told.opened.procedure) is About.USERS:
        _try("detection's note could not be dropped", lambda: note_outage(at.home.path, opened.site.site, None))
    _try("the report could not be written", lambda: write_run(at.home.path / "runs" / opened.id, told))


def _try(trouble: str, work: Callable[[], object]) -> None:
    try:
        work()
    except (DefibError, OSError) as error:
        aside(f"warning:  {trouble}: {error}")


def _carry_out(asked: Asked, open_run: Opening, do: Doing | None = None, *, board: bool = True) -> int:
    procedures.engine().prepare(asked.prefect and do is None)
    clock = SystemClock()
    screen = Screen(clock, board=board and is_terminal() and not asked.as_json)
    at = desk(clock, asked.redact, screen)
    with signals_interrupt(clock, screen.stopping):
        opened = open_run(at, screen)
        with screen.showing(opened, at.home.path / "runs" / opened.id):
            work = do or (lambda run, _: by_flow(prefect=asked.prefect)(run))
            carry_out(at, opened, lambda run: work(run, screen))
    return _tell(at, opened, asked)


def _tell(at: Desk, opened: Run, asked: Asked) -> int:
    told = timeline(opened.journal.records)
    report = at.home.path / "runs" / opened.id / "report.html"
    if asked.as_json:
        say(as_json(run_figures(told, report)))
    else:
        parts = (
            fold_parts(summary(told)),
            *_by_hand(opened, told),
            *next_commands(told),
            "\n".join(_evidence(told, report)),
        )
        say("\n" + "\n\n".join(parts))
    return _exit_code(told)


def _by_hand(run: Run, told: Timeline) -> tuple[str, ...]:
    """What a person does instead of the step that failed, and on to the change itself, in the runbook's words."""
    last = told.steps[-1] if told.steps else None
    if told.status is not Status.FAILED or last is None or last.outcome != "failed":
        return ()
    steps = list(dropwhile(lambda step: step.name != last.name, run.runbook.steps))
    act = next((number for number, step in enumerate(steps) if step.phase is Phase.ACT), 0)
    told_by_hand = (f"{step.name}\n\n{indent(step.by_hand, '  ')}" for step in steps[: act + 1])
    return (f"By hand ({run.runbook.path.name}):", *told_by_hand)


def _evidence(told: Timeline, report: Path) -> list[str]:
    written = report if report.is_file() else f"not written; defib report {told.opened.run_id} makes it"
    return [f"Report: {written}", f"Sealed: {told.head}"]


def _ended(asked: Asked, run_id: str) -> int | None:
    at = desk(SystemClock(), asked.redact)
    folder = find_run(at.home, run_id, "resume")
    records, _ = read_journal(folder / JOURNAL)
    if status_of(records) not in {Status.RECOVERED, Status.ROLLED_BACK}:
        return None
    told = timeline(records)
    if asked.as_json:
        say(as_json(run_figures(told, folder / "report.html")))
    else:
        say("\n\n".join(["This run has ended; nothing is left to resume.", fold_parts(summary(told)), *next_commands(told)]))
    _try("the report could not be written", lambda: write_run(folder, told))
    return _exit_code(told)


def _exit_code(told: Timeline) -> int:
    code = run_exit_code(told)
    return Status.INTERRUPTED.exit_code if code is None else code


def with_known_outage(at: Desk, order: Order) -> Order:
    """The order with what a running ``defib watch`` knows of the outage, where the operator did not say otherwise."""
    site = load_site(at.site_path(order.site))
    outage = known_outage(at.home.path, site.site, at.clock.now())
    if outage is None or order.since not in {None, outage.first_bad}:
        return order
    return replace(order, since=outage.first_bad, down_at=order.down_at or outage.down_at, looks=outage.looks)
