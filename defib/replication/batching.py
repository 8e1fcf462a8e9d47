"""What a job of S3 Batch Replication mends of a replica: planned beside the copies, waited for, and told how far it is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from defib.errors import StepFailed
from defib.plan import JOB_VENDOR, Change, Plan
from defib.ports import RecordKey
from defib.ready.check import State
from defib.replication.authority import BATCH
from defib.replication.checking import Look
from defib.replication.findings import Finding, Kind
from defib.replication.jobplans import JOB, JobsZone, order_of
from defib.replication.jobs import Job, Order
from defib.replication.rules import BucketSettings, rule_of
from defib.run import Run, Step

BY_JOB = frozenset({Kind.FAILED, Kind.NOT_COVERED})
"""What a job brings under its own id, whether it is what its key holds now or older."""

ASKED_LATER = frozenset({*BY_JOB, Kind.NOT_ASKED})
"""What is not copied where a job is asked for: what nobody has asked for its status is most probably the job's."""

_SECOND = timedelta(seconds=1)
_FIRST, _LONGEST = timedelta(milliseconds=500), timedelta(seconds=15)
"""Between two looks at a job, at first and at last."""


def jobs_for(step: Step, look: Look) -> tuple[Change, ...]:
    """The jobs that the findings of a pair ask for, one for each of its prefixes; none where there can be none."""
    zone, tally = look.pair.batch, look.tally
    if zone is None or tally is None or not tally.number(BY_JOB) or look.pair.config.unversioned:
        return ()
    newest, role = tally.newest_of(ASKED_LATER), _role(step, look)
    if not role or newest is None or not _rules(look):
        return ()
    config = look.pair.config
    purpose = f"let S3 replicate {tally.number(BY_JOB)} versions that no rule covered, or that failed"
    orders = [
        Order(look.pair.source.name, newest + _SECOND, role, prefix, report=config.batch_report)
        for prefix in config.prefixes or ("",)
    ]
    return tuple(zone.change_to(order, purpose, step.within) for order in orders)


def _rules(look: Look) -> Sequence[object]:
    return look.settings.rules if look.settings is not None else ()


def _role(step: Step, look: Look) -> str:
    """As whom the job acts: the role that the site file names, or that of the rules, where S3 may take it on for jobs."""
    config = look.pair.config
    if config.batch_role:
        return config.batch_role
    told = next((check for check in look.checks if check.name == "role-trust" and check.about.endswith(BATCH)), None)
    if told is not None and told.state not in {State.OK, State.UNKNOWN}:
        text = f"no job of S3 Batch Replication: {told.about} {told.text}; name a batch_role in the site file"
        step.note(f"{look.pair.name}: {text}", warning=True)
        return ""
    return look.settings.role if look.settings is not None else ""


def may_be_brought(look: Look, finding: Finding) -> bool:
    """Whether a job would bring it: a rule covers it now."""
    settings: BucketSettings | None = look.settings
    return settings is not None and rule_of(settings.rules, look.pair.replica.name, finding.key) is not None


def ask_for_jobs(step: Step, looks: Sequence[Look], plan: Plan) -> None:
    """Ask for the jobs of the plan, and wait until all are over, as long as the step lasts."""
    step.apply(plan, only=lambda change: change.vendor == JOB_VENDOR)
    zones = {zone.zone: zone for look in looks if (zone := look.pair.batch) is not None}
    for change in plan.changes:
        if change.vendor == JOB_VENDOR:
            for key in change.keys:
                _wait(step, zones[change.zone], key)


def _wait(step: Step, zone: JobsZone, key: RecordKey) -> None:
    told, pause = "", _FIRST
    while True:
        job = zone.job(key, step.within)
        if job is None:
            raise StepFailed("a job that was asked for is not there", where=change_name(key))
        if str(job) != told:
            told = str(job)
            step.note(told)
        if job.is_over:
            _must_have_worked(step, job, key)
            return
        step.wait(pause)
        pause = min(pause * 1.5, _LONGEST)


def _must_have_worked(step: Step, job: Job, key: RecordKey) -> None:
    order = order_of(key)
    if job.status != "Complete":
        raise StepFailed(
            f"the job of S3 Batch Replication came to nothing: {job.status}",
            where=change_name(key),
            seen="; ".join(job.reasons) or str(job),
            then=f"mend what it names, then run this again; aws s3control describe-job --job-id {job.id} --account-id …",
        )
    if job.failed:
        where = f"s3://{order.report}/defib/job-{job.id}" if order.report else "batch_report in the site file tells why"
        step.note(f"{job.failed} of {job.total} versions could not be replicated ({where})", warning=True)


def change_name(key: RecordKey) -> str:
    """A job as people find it again."""
    return order_of(key).name


def better_left(run: Run) -> str:
    """Why nothing is put back by itself once a job was asked for; "" where none was."""
    stands = [change for _, change in run.changes.standing() if change.vendor == JOB_VENDOR]
    if not stands:
        return ""
    return "S3 replicates what the source has, which harms nothing: defib rollback cancels the job if it is at work"


def is_job(change: Change) -> bool:
    """Whether a change asks for a job."""
    return all(key.type == JOB for key in change.keys)
