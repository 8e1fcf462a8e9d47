"""Steps that look at what the last resort is made of, before anything is brought there."""

from __future__ import annotations

from datetime import timedelta

from defib.errors import ProviderError, Refused, StepFailed
from defib.plan import Change
from defib.redeploy.groundwork import DISTRIBUTION, provisioning
from defib.redeploy.place import host_of
from defib.run import Step

_ASK_WITHIN = timedelta(seconds=15)


def ground_changes(step: Step) -> tuple[Change, ...]:
    """What the host lacks, or has otherwise than the site file says; none where all is well."""
    audit = step.run.outside.the_last_resort.audit
    return provisioning(audit, host_of(step.site).bucket, step.within.sooner(_ASK_WITHIN))


def ground_for_a_release(step: Step) -> tuple[Change, ...]:
    """The same in an incident: what cannot be looked at is told and taken to stand, as what is served there decides.

    A distribution that is not there is refused: it would get an id that no site file names yet.
    """
    host = host_of(step.site)
    try:
        changes = ground_changes(step)
    except ProviderError as error:
        step.note(f"what {host.name} is made of could not be looked at: {error}", warning=True)
        return ()
    if any(record.before is None and record.key.type == DISTRIBUTION for change in changes for record in change.records):
        raise Refused(
            f"the distribution {host.distribution} is not there",
            where=f"{step.site.site}.yaml",
            then=f"defib run standby-prepare --site {step.site.site}, and put its id into the site file",
        )
    return changes


def ground_must_stand(step: Step) -> None:
    """Fail where the host still lacks something; tell where the site file names another distribution than was made."""
    left = ground_changes(step)
    if left:
        raise StepFailed("not all is as it must be", seen=", ".join(change.names for change in left), then="defib ready")
    elsewhere = step.run.outside.the_last_resort.audit.misplaced(within=step.within.sooner(_ASK_WITHIN))
    if elsewhere:
        step.note(f"the distribution that was made is {elsewhere}: put it into the site file", warning=True)
