"""Steps that mend replicas: what they lack or hold wrongly is copied from the source, as a plan that was approved."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from defib.errors import StepFailed
from defib.plan import Change, Plan
from defib.ports import RecordKey
from defib.replication.batching import ASKED_LATER, BY_JOB, is_job, jobs_for, may_be_brought
from defib.replication.checking import Look
from defib.replication.findings import Finding, Kind, Tally
from defib.replication.objectplans import changes_to, keys_of
from defib.replication.objects import OBJECT, object_key
from defib.replication.port import NULL
from defib.replication.restorable import insist_on_versions
from defib.run import Step
from defib.users.steering import approve

COPIED = frozenset({Kind.DIFFERENT, Kind.UNLIKE, Kind.MISSING, Kind.HIDDEN, Kind.FAILED, Kind.NOT_COVERED, Kind.NOT_ASKED})
"""What a copy of the source's object mends, where it is what the key holds now."""


def plan_of_repair(step: Step, looks: Sequence[Look]) -> Plan:
    """Every object that is to be copied again, before and after; approved by its digest."""
    changes: list[Change] = []
    for look in looks:
        if look.tally is None:
            step.note(f"{look.pair.name}: not compared, and so not mended", warning=True)
            continue
        jobs = jobs_for(step, look)
        wanted = _wanted(step, look, _to_copy(look, look.tally.findings, jobs=bool(jobs)))
        _tell_what_is_not_named(step, look.pair.name, look.tally, COPIED - ASKED_LATER if jobs else COPIED)
        changes += jobs
        if wanted:
            insist_on_versions(look.pair.replica.settings(within=step.within), look.pair.replica)
        zone = look.pair.zone(look.pair.replica, look.pair.source)
        changes += changes_to(zone, wanted, "copy what the source has to the replica", step.within)
    plan = Plan(step.run.runbook.procedure, step.site.site, tuple(changes))
    return approve(step, plan, also=keys_of(changes))


def _to_copy(look: Look, findings: Sequence[Finding], *, jobs: bool) -> list[Finding]:
    """What is copied object by object: what no job brings."""
    return [each for each in findings if each.kind in COPIED and not (jobs and _is_for_jobs(look, each))]


def _is_for_jobs(look: Look, finding: Finding) -> bool:
    return finding.kind in ASKED_LATER and may_be_brought(look, finding)


def _wanted(step: Step, look: Look, findings: Sequence[Finding]) -> list[RecordKey]:
    """The objects whose current version the replica does not hold as it is; older ones are told and left alone.

    A comparison without versions tells of what keys hold and names none; in a bucket that never had them it is ``null``.
    """
    keys: dict[str, RecordKey] = {}
    older = 0
    for finding in findings:
        if finding.key in keys:
            continue
        now = look.pair.source.details(finding.key, "", within=step.within)
        if now is not None and (finding.kind is Kind.HIDDEN or finding.version in ("", now.version)):
            keys[finding.key] = object_key(finding.key, now.version or NULL)
        else:
            older += 1
    if older:
        step.note(
            f"{look.pair.name}: {older} versions are not what their keys hold now; copied now, they would be the newest. "
            "S3 Batch Replication alone brings them with their ids",
            warning=True,
        )
    return list(keys.values())


def _tell_what_is_not_named(step: Step, pair: str, tally: Tally, kinds: Collection[Kind]) -> None:
    more = tally.number(kinds) - sum(finding.kind in kinds for finding in tally.findings)
    if more:
        text = f"{pair}: {more} more versions are wrong than are told one by one; this plan has none of them"
        step.note(f"{text}, another defib run {step.run.runbook.procedure} after this one has", warning=True)


def copy_objects(step: Step, plan: Plan) -> None:
    """Copy what the plan names, a few objects at a time."""
    step.apply(plan, only=lambda change: change.records[0].key.type == OBJECT)


def must_be_mended(step: Step, looks: Sequence[Look], plan: Plan) -> None:
    """Compare once more: none of what the plan named may be wrong still."""
    named = {key.name for key in keys_of(plan.changes)}
    by_jobs = {change.zone for change in plan.changes if is_job(change)}
    for look in looks:
        if look.tally is None:
            raise StepFailed("the replica could not be compared again", where=look.pair.name, seen="; ".join(look.problems))
        jobs = look.pair.source.name in by_jobs
        left = [each for each in look.tally.findings if each.key in named and each.kind in COPIED]
        left += [each for each in look.tally.findings if jobs and each.kind in BY_JOB and may_be_brought(look, each)]
        if left:
            first = left[0]
            raise StepFailed(
                f"{len(left)} versions are still not as they must be",
                where=look.pair.replica.where,
                seen=f"{first.key}: {first.kind.value}, {first.why}",
            )
        step.note(f"{look.pair.name}: of what was copied or replicated, nothing is wrong any more")
