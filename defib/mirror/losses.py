"""Steps for what the source has lost: each old tip is archived, places follow, and above the threshold a person decides."""

from __future__ import annotations

from collections.abc import Sequence

from defib.approval import Automatic
from defib.errors import DefibError, Interrupted
from defib.mirror.copies import Copy, going
from defib.mirror.mirroring import send_once_more
from defib.mirror.port import LOCAL, VENDOR, leading_to
from defib.mirror.problems import must_be_well, tell
from defib.mirror.weigh import Loss, Weighed, alarm, weigh
from defib.objectives import Mode
from defib.plan import Change, Plan
from defib.ports import RecordChange
from defib.run import Step
from defib.users.steering import approve

_SHOWN = 3


def plan_of_losses(step: Step, copies: Sequence[Copy]) -> Plan:
    """What would be lost at each place; approved, or held back and told why. Each place archives an old tip before it moves.

    Who diverged is told and left alone. Where a person has to decide and none is there, nothing at all is lost. A plan tells
    what is wrong already; one that has nothing else to say ends with that.
    """
    alarms: list[str] = []
    changes: list[Change] = []
    for copy, place in going(copies):
        weighed = _weigh(step, copy, place)
        for each in weighed.diverged:
            copy.trouble(place, f"{each.ref} has diverged: it is at {each.before[:12]}, which never was at {copy.of.source}")
        if weighed.extra and place != LOCAL:
            shown = ", ".join(weighed.extra[:_SHOWN])
            step.note(f"{copy.of.name}: {place} has {len(weighed.extra)} refs of its own, left alone: {shown}")
        if weighed.losses:
            records = tuple(map(_record, weighed.losses))
            zone = f"{copy.of.name}@{place}"
            changes.append(Change(VENDOR, zone, records, f"archive, then follow {copy.of.source}"))
            why = alarm(weighed.losses, len(copy.listings[place].refs), copy.of.branch, copy.of.most_lost)
            alarms += [f"{zone}: {why}"] if why else []
    if step.run.mode is Mode.PLAN:  # it ends here: nobody compares afterwards, and "nothing to do" must be true
        tell(step, copies) if changes else must_be_well(step, copies)
    return _approved(step, copies, Plan(step.run.runbook.procedure, step.site.site, tuple(changes)), alarms)


def _weigh(step: Step, copy: Copy, place: str) -> Weighed:
    source, there = copy.source or {}, copy.listings[place].refs
    return weigh(
        source, there, copy.kept.get(place, ()), copy.given_up, lambda commit: copy.of.held(commit, within=step.within)
    )


def _record(loss: Loss) -> RecordChange:
    return RecordChange(leading_to(loss.ref, loss.before), leading_to(loss.ref, loss.after) if loss.after else None)


def _approved(step: Step, copies: Sequence[Copy], plan: Plan, alarms: Sequence[str]) -> Plan:
    keys = [record.key for change in plan.changes for record in change.records]
    for text in alarms:
        step.note(text, warning=True)
    if alarms and step.run.mode is not Mode.PLAN and isinstance(step.run.approver, Automatic):
        procedure = f"git-mirror --site {step.site.site}"
        then = f"find out why; then: defib plan {procedure}, and defib run {procedure} --approve {plan.short_digest}"
        _hold_back(copies, plan, alarms)
        step.note(f"nothing is deleted or moved back without a person. Next: {then}", warning=True)
        plan = Plan(plan.procedure, plan.site, ())
    return approve(step, plan, also=keys, removable=keys)


def _hold_back(copies: Sequence[Copy], plan: Plan, alarms: Sequence[str]) -> None:
    for copy in copies:
        zones = {f"{copy.of.name}@{place}" for place in copy.places}
        held = [change for change in plan.changes if change.zone in zones]
        copy.held_back = frozenset(record.key.name for change in held for record in change.records)
        for text in alarms:
            zone, _, why = text.partition(": ")
            if zone in zones:
                copy.wait_for_a_person(f"what {copy.of.source} lost waits for a person: {why}")


def follow(step: Step, copies: Sequence[Copy], plan: Plan) -> None:
    """Archive the old tips and follow, place after place; who refuses keeps no other from it."""
    for change in plan.changes:
        name, _, place = change.zone.partition("@")
        copy = next(each for each in copies if each.of.name == name)
        copy.touched.add(place)
        try:
            step.apply(plan, only=lambda each: each is change)  # noqa: B023 - called at once
            send_once_more(step, copy, place)
        except Interrupted:
            raise
        except DefibError as error:
            copy.trouble(place, f"could not follow: {error.what} ({error.seen})")
            step.note(f"{change.zone}: {error}", warning=True)
