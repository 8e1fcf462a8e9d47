"""``plan``: read only, what is wrong, what would change, and the digest to approve."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import datetime

from defib import entries
from defib.approval import Nobody
from defib.cli import procedures
from defib.cli.briefing import briefing, last_forecast
from defib.cli.desk import desk
from defib.cli.live import is_terminal
from defib.cli.lookup import find_run, must_match
from defib.cli.say import Json, aside, explain, fold, say, say_json
from defib.cli.seen import Seen, as_plain, seen
from defib.clock import SystemClock
from defib.copyentries import PastWanted
from defib.errors import DefibError
from defib.history import SITE
from defib.mirror import sources
from defib.objectives import Mode
from defib.observe.outage import known_outage
from defib.plan import Plan
from defib.planes import needs_of_all
from defib.ports import RecordSet
from defib.redact import Redactor
from defib.replication import pastwanted
from defib.report import words
from defib.report.outlook import forecast_figures
from defib.run import PlanReady, Run
from defib.sites.site import load_site
from defib.start import Order, plan_run
from defib.users.looking import USERS


@dataclass(frozen=True)
class _Found:
    """What a plan found: the places that were looked at, since when users are out, and the plan if it came to one."""

    run: Run
    since: datetime | None
    plan: Plan | None

    @property
    def places(self) -> tuple[Seen, ...]:
        return seen(self.run.journal.records, self.run.site)

    @property
    def users_are_served(self) -> bool:
        return any(place.aim == USERS and place.state == "well" for place in self.places)

    def briefing(self) -> str:
        return briefing(self.run, self.plan, self.since, by_watch=True)


def plan(
    redact: Redactor,
    procedure: str,
    site: str,
    follows: str = "",
    *,
    as_json: bool = False,
    forced: bool = False,
    commit: str = "",
    promoted: str = "",
    past: PastWanted | None = None,
) -> int:
    """Say what is wrong and what would change; a refusal comes after what was seen."""
    clock = SystemClock()
    at = desk(clock, redact)
    must_match(at, procedure)
    if follows:
        folder = find_run(at.home, follows, "failback")
        site, follows = str(folder / SITE), folder.name
    outage = known_outage(at.home.path, load_site(at.site_path(site)).site, clock.now())
    since = outage.first_bad if outage else None
    order = Order(procedure, site, Mode.PLAN, Nobody(""), since=since, forced=forced, follows=follows, commit=commit)
    order = replace(order, promoted=promoted, past=past)
    run = plan_run(at, order)
    if is_terminal() and not as_json:
        aside(f"looking at {run.site.title} …")
    try:
        procedures.procedure(procedure).play(run)
    except PlanReady as ready:
        _tell(_Found(run, since, ready.plan), _command(order), as_json=as_json)
        return 0
    except DefibError as error:
        return _refused(_Found(run, since, None), error, redact, as_json=as_json)
    raise AssertionError("a flow in plan mode ends with its plan")


def _tell(found: _Found, command: str, *, as_json: bool) -> None:
    if as_json:
        say_json(_plain(found))
        return
    assert found.plan is not None
    say("\n\n".join([found.briefing(), *_steps(found, found.plan), _what_now(found, found.plan, command)]))


def _steps(found: _Found, plan: Plan) -> list[str]:
    """Every step with its budget, and whose control plane it needs, if any; nothing where there is nothing to do."""
    if not plan.changes:
        return []
    rows = list(needs_of_all(found.run.site, found.run.runbook, plan))
    widest = max(len(step.name) for step, _ in rows)
    lines = [fold(f"  {step.name:<{widest}}  {words.duration(step.budget):>6}  ", needed) for step, needed in rows]
    return ["\n".join(["Steps, with their budgets and what each needs", *lines])]


def _what_now(found: _Found, plan: Plan, command: str) -> str:
    if not plan.changes:
        return "Nothing to do."
    do = f"defib {command} --approve {plan.short_digest}"
    if found.users_are_served and not found.run.follows:
        return f"Nothing to recover from now. To do it all the same:\n{do} --force"
    return f"To do it: {do}"


def _refused(found: _Found, error: DefibError, redact: Redactor, *, as_json: bool) -> int:
    if not as_json and (told := found.briefing()):
        say(f"{told}\n")
    explain(error, redact, as_json=as_json, besides={"seen": as_plain(found.places)})
    return error.exit_code


def _command(order: Order) -> str:
    commit = f" --commit {order.commit}" if order.commit else ""
    if order.past:
        return f"{pastwanted.command(order.site, order.past)}{' --force' if order.forced else ''}"
    if order.promoted:
        return sources.command(order.site, order.promoted)
    return f"failback {order.follows}" if order.follows else f"run {order.procedure} --site {order.site}{commit}"


def _plain(found: _Found) -> dict[str, Json]:
    run, plan = found.run, found.plan
    assert plan is not None
    return {
        "procedure": plan.procedure,
        "site": plan.site,
        "seen": as_plain(found.places),
        "since": found.since.isoformat() if found.since else None,
        "digest": plan.digest(),
        "changes": [
            {
                "target": change.target,
                "purpose": change.purpose,
                "records": [{"before": _text(r.before), "after": _text(r.after)} for r in change.records],
            }
            for change in plan.changes
        ],
        "notes": [note.text for note in run.journal.of(entries.Noted)],
        "steps": [
            {"step": s.name, "phase": s.phase, "plane": s.plane, "budget_s": s.budget.total_seconds(), "needs": needed}
            for s, needed in needs_of_all(run.site, run.runbook, plan)
        ],
        "forecast": asdict(forecast_figures(foretold)) if (foretold := last_forecast(run)) else None,
    }


def _text(record: RecordSet | None) -> str | None:
    return str(record) if record else None
