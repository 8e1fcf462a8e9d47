"""Which CDN the site's one steering record sends users to: planning the change, and watching the answers move."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from defib import entries
from defib.approval import Approval
from defib.clock import Deadline
from defib.errors import BudgetSpent, ForeignChange, Refused, StepFailed
from defib.objectives import Mode
from defib.plan import Change, Plan
from defib.ports import Answer, RecordChange, RecordSet
from defib.proofs import insist, users
from defib.run import PlanReady, Run, Step, foreign


@dataclass(frozen=True)
class Moved:
    """Which servers give the wanted answer, and which do not, with what they say instead."""

    right: tuple[str, ...]
    wrong: tuple[str, ...]


def steering_plan(run: Run, present: RecordSet | None, hostname: str, purpose: str) -> Plan:
    """The plan that steers users to `hostname`: empty if they go there already.

    A record that is missing, or that points at none of the site's CDNs, is somebody else's change: :class:`ForeignChange`.
    """
    key = run.site.steering.key
    ours = {cdn.hostname for cdn in run.site.cdns}
    if present is None or len(present.values) != 1 or present.values[0] not in ours:
        raise ForeignChange(
            f"{key} is not as any run of Defib leaves it",
            where=f"{run.outside.zone.vendor}/{run.outside.zone.zone}",
            expected="one of " + ", ".join(sorted(ours)),
            seen=str(present or "no such record set"),
            then="find out who changed it, and why",
        )
    if present.values == (hostname,):
        return Plan(run.runbook.procedure, run.site.site, ())
    after = RecordSet(key, present.ttl, (hostname,), present.attributes)
    change = Change(run.outside.zone.vendor, run.outside.zone.zone, RecordChange(present, after), purpose)
    return Plan(run.runbook.procedure, run.site.site, (change,))


def way_back(run: Run) -> str:
    """The host name that users go back to when the changes of the run that this one follows are taken back."""
    hosts = [change.record.before.values[0] for change in run.follows if change.record.before]
    if not hosts:
        raise Refused("that run changed nothing; there is nothing to take back", then="defib runs")
    return hosts[0]


def way_back_plan(run: Run, within: Deadline) -> Plan:
    """The plan that takes back the changes of the run that this one follows, newest first; empty if that is done."""
    changes = []
    for change in reversed(run.follows):
        present = run.outside.zone.read([change.record.key], within=within)[0]
        if present == change.record.before:
            continue
        if present != change.record.after:
            raise foreign(change.reversed(), present)
        changes.append(change.reversed())
    return Plan(run.runbook.procedure, run.site.site, tuple(changes))


def approve(step: Step, plan: Plan) -> Plan:
    """Write the plan down and get it approved; in plan mode the flow ends here."""
    run = step.run
    plan.brake({run.site.steering.key})
    step.record(entries.Planned(plan.digest(), plan.changes))
    if run.mode is Mode.PLAN:
        raise PlanReady(plan)
    if not plan.changes:
        step.note("already there: nothing needs to change")
        approval = Approval("nothing to change", "automatic")
    else:
        _insist_on_plain(step, plan)
        approval = run.approver.approve(plan, within=step.within)
    step.record(entries.Approved(plan.digest(), approval.by, approval.how))
    return plan


def _insist_on_plain(step: Step, plan: Plan) -> None:
    """What looks like a secret is cut out of the journal, and an undo could not put it back from there."""
    for change in plan.changes:
        if step.run.journal.redact(str(change.record)) != str(change.record):
            insist(
                step,
                f"what stands at {change.target} looks like a secret, so the journal could not put it back",
                then="take it out of the record set's comment, or --force",
            )


def watch_answers(step: Step, hostname: str, *, old_is_dead: bool) -> entries.AnswersMoved:
    """Wait until every authoritative server and enough resolvers send users to `hostname`.

    Users are looked at meanwhile, so that the moment when they are served is seen. With `old_is_dead` that begins when the
    observers' own resolvers have moved: a look at a place that hangs would only make the next one late. For the same
    reason those are waited for, too, until the old answer's TTL is over; whoever keeps it longer is named, not waited for.
    """
    rules = step.site.verification
    limit = timedelta(seconds=2)
    own = {observer.resolver for observer in step.site.observers}
    waiting = ""
    expires = Deadline.after(step.clock, step.site.steering.ttl + rules.interval)
    while True:
        authoritative = _moved(
            step.run.outside.answers.authoritative(step.site.steering.key, within=step.within.sooner(limit)), hostname
        )
        resolvers = _moved(
            step.run.outside.answers.resolvers(step.site.steering.key, within=step.within.sooner(limit)), hostname
        )
        at = step.clock.now()
        seen_by_all = own <= set(resolvers.right)
        if not old_is_dead or seen_by_all:
            step.look("users", users(step.site))
        enough = len(resolvers.right) >= rules.resolvers_moved and (seen_by_all or expires.expired())
        if not authoritative.wrong and enough:
            return entries.AnswersMoved(
                at, len(authoritative.right), len(resolvers.right), len(step.site.resolvers), resolvers.wrong
            )
        waiting = _tell(step, authoritative, resolvers, waiting)
        _wait_or_name(step, rules.interval, authoritative, resolvers)


def _wait_or_name(step: Step, interval: timedelta, authoritative: Moved, resolvers: Moved) -> None:
    if step.within.remaining() > interval * 2:
        step.wait(interval)
        return
    late = ", ".join((*authoritative.wrong, *resolvers.wrong))
    raise BudgetSpent(f"these servers keep the old answer: {late}")


def _tell(step: Step, authoritative: Moved, resolvers: Moved, before: str) -> str:
    """Say what is being waited for, once for each change of it."""
    names = ", ".join(text.partition(" ")[0] for text in (*authoritative.wrong, *resolvers.wrong))
    asked = len(resolvers.right) + len(resolvers.wrong)
    text = f"{len(resolvers.right)} of {asked} resolvers moved; waiting for {names}"
    if text != before:
        step.note(text)
    return text


def _moved(answers: Sequence[Answer], hostname: str) -> Moved:
    right = tuple(answer.server for answer in answers if answer.values == (hostname,))
    wrong = tuple(
        f"{answer.server} ({answer.problem or ', '.join(answer.values or ())})"
        for answer in answers
        if answer.values != (hostname,)
    )
    if not answers:
        raise StepFailed("there is no server to ask")
    return Moved(right, wrong)
