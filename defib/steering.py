"""Which way the site's names send users: the ways that there are, the plan that changes it, and its approval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from defib import entries
from defib.approval import Approval
from defib.changes import foreign
from defib.clock import Deadline
from defib.errors import ForeignChange, ProviderError, Refused
from defib.looking import insist, look_through
from defib.objectives import Mode
from defib.plan import Change, Plan
from defib.ports import Build, DnsZone, RecordChange, RecordKey, RecordSet
from defib.run import PlanReady, Run, Step
from defib.site import CdnOfSite, Site

_ASK_WITHIN = timedelta(seconds=15)
"""For one question to a DNS vendor: a person's budget is not the vendor's."""


@dataclass(frozen=True)
class Way:
    """One way users can be sent: through a CDN, or to a host. `records` are the record sets' values that lead there."""

    name: str
    records: Mapping[RecordKey, tuple[str, ...]]

    @property
    def keys(self) -> tuple[RecordKey, ...]:
        """The record sets that lead there, in order."""
        return tuple(self.records)


def by_cdn(site: Site, cdn: CdnOfSite) -> Way:
    """The way through one of the site's CDNs: the steering record alone decides."""
    return Way(cdn.name, {site.steering.key: (cdn.hostname,)})


def ways(site: Site) -> tuple[Way, ...]:
    """Every way that a run of Defib may leave the site's names in."""
    return tuple(by_cdn(site, cdn) for cdn in site.cdns)


def steering_plan(run: Run, way: Way, within: Deadline) -> Plan:
    """The plan that sends users on `way`, one change a zone; empty if they go there already.

    A record set that is missing, or stands as no way of the site has it, is somebody else's change: :class:`ForeignChange`.
    """
    changes = []
    for zone in run.outside.zones:
        present = zone.read(way.keys, within=within.sooner(_ASK_WITHIN))
        records = _moves(zone, way, present, ways(run.site))
        if records:
            changes.append(Change(zone.vendor, zone.zone, records, f"send users to {way.name}"))
    return Plan(run.runbook.procedure, run.site.site, tuple(changes))


def _moves(zone: DnsZone, way: Way, present: Sequence[RecordSet | None], known: Sequence[Way]) -> tuple[RecordChange, ...]:
    moves = []
    for key, record in zip(way.keys, present, strict=True):
        ours = [other.records[key] for other in known if key in other.records]
        if record is None or record.values not in ours:
            raise ForeignChange(
                f"{key} is not as any run of Defib leaves it",
                where=f"{zone.vendor}/{zone.zone}",
                expected="one of " + ", ".join(sorted(", ".join(values) for values in ours)),
                seen=str(record or "no such record set"),
                then="find out who changed it, and why",
            )
        if record.values != way.records[key]:
            moves.append(RecordChange(record, RecordSet(key, record.ttl, way.records[key], record.attributes)))
    return tuple(moves)


def way_back(run: Run) -> Way:
    """The way users go back to when the changes of the run that this one follows are taken back."""
    before = {record.key: record.before.values for change in run.follows for record in change.records if record.before}
    for way in ways(run.site):
        if before and all(way.records.get(key) == values for key, values in before.items()):
            return way
    raise Refused(
        "that run changed nothing; there is nothing to take back" if not before else "nobody knows where that leads",
        seen="; ".join(f"{key} {', '.join(values)}" for key, values in before.items()),
        then="defib runs",
    )


def way_back_plan(run: Run, within: Deadline) -> Plan:
    """The plan that takes back the changes of the run that this one follows, newest first; empty if that is done."""
    zones = {(zone.vendor, zone.zone): zone for zone in run.outside.zones}
    changes = []
    for change in reversed(run.follows):
        present = zones[change.vendor, change.zone].read(change.keys, within=within.sooner(_ASK_WITHIN))
        if present == change.before:
            continue
        if present != change.after:
            raise foreign(change.reversed(), present)
        changes.append(change.reversed())
    return Plan(run.runbook.procedure, run.site.site, tuple(changes))


def approve(step: Step, plan: Plan) -> Plan:
    """Write the plan down and get it approved; in plan mode the flow ends here."""
    run = step.run
    plan.brake({key for way in ways(run.site) for key in way.keys})
    step.record(entries.Planned(plan.digest(), plan.changes))
    if run.mode is Mode.PLAN:
        raise PlanReady(plan)
    if not plan.changes:
        step.note("already there: nothing needs to change")
        approval = Approval("nothing to change", "automatic")
    else:
        _insist_on_plain(step, plan)
        approval = _given_already(step, plan) or run.approver.approve(plan, within=step.within)
    step.record(entries.Approved(plan.digest(), approval.by, approval.how))
    return plan


def _given_already(step: Step, plan: Plan) -> Approval | None:
    """The approval that this very plan got before the run was taken up again."""
    for entry in step.run.journal.of(entries.Approved):
        if entry.digest == plan.digest():
            return Approval(entry.by, entry.how)
    return None


def candidates(step: Step) -> tuple[CdnOfSite, ...]:
    """Where users may be sent, in the order of preference: the standbys, and the primary if they are not there now."""
    site = step.site
    try:
        present = step.run.outside.zones[0].read([site.steering.key], within=step.within.sooner(_ASK_WITHIN))[0]
    except ProviderError as error:
        step.note(f"the zone could not be asked where users are sent now: {error}", warning=True)
        return site.standbys
    at_primary = present is not None and present.values == (site.primary.hostname,)
    return site.standbys if at_primary else (*site.standbys, site.primary)


def steer(step: Step, plan: Plan, cdn: CdnOfSite, proved: Build | None) -> None:
    """Make the changes of an approved plan, right after one more look at where they lead."""
    seen = look_through(step, cdn)
    if plan.changes and not seen.is_served():
        raise Refused(f"{cdn.name} has stopped serving the site", where=cdn.hostname, seen=str(seen))
    if plan.changes and seen.is_older_than(proved):
        raise Refused(f"{cdn.name} serves an older build than the one that was proved", where=cdn.hostname)
    step.apply(plan)


def _insist_on_plain(step: Step, plan: Plan) -> None:
    """What looks like a secret is cut out of the journal, and an undo could not put it back from there."""
    for change in plan.changes:
        if step.run.journal.redact(str(change.records)) != str(change.records):
            insist(
                step,
                f"what stands at {change.target} looks like a secret, so the journal could not put it back",
                then="take it out of the record set's comment, or --force",
            )
