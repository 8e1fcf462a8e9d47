"""Which way the site's names send users: the ways that there are, the plan that changes it, and its approval."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from defib import entries
from defib.approval import Approval
from defib.changes import foreign
from defib.clock import Deadline
from defib.errors import ForeignChange, ProviderError, Refused
from defib.forecast import foresee
from defib.objectives import Mode
from defib.plan import Change, Decides, LeftOut, Plan
from defib.ports import Build, DnsZone, RecordChange, RecordKey, RecordSet
from defib.run import PlanReady, Run, Step
from defib.sites.site import Site
from defib.sites.vendors import DnsZoneConfig, FailoverSwitch
from defib.users.forgotten import is_address, left_behind, routed
from defib.users.looking import insist, look_through
from defib.users.ways import Lead, Way, is_proxied, leads_at, way_named, way_of, ways

_ASK_WITHIN = timedelta(seconds=15)
"""For one question to a DNS vendor: a person's budget is not the vendor's."""


def steering_plan(step: Step, way: Way, known: Sequence[Way]) -> Plan:
    """The plan that sends users on `way`, one change a zone; empty if they go there already.

    A record set that is missing, or stands as none of the `known` ways has it, is somebody else's change:
    :class:`ForeignChange`. A provider that cannot be asked is left out where another holds the zone, and the run is forced.
    """
    changes: list[Change] = []
    asked: set[str] = set()
    silent: list[tuple[DnsZoneConfig, ProviderError]] = []
    run = step.run
    for config, zone in zip(run.site.dns, run.outside.zones, strict=True):
        leads = _deciding(config, way)
        if not leads:
            continue
        ours = [other for each in known for other in _deciding(config, each)]
        try:
            present = zone.read([lead.key for lead in leads], within=step.within.sooner(_ASK_WITHIN))
        except ProviderError as error:
            silent.append((config, error))
            continue
        asked |= set() if isinstance(config, FailoverSwitch) else {config.zone}
        records = _moves(zone, leads, present, ours)
        if records:
            changes.append(Change(zone.vendor, zone.zone, records, f"send users to {way.name}"))
    for config, trouble in silent:
        if isinstance(config, FailoverSwitch) or config.zone not in asked:
            raise trouble  # nobody else holds it, or nobody else can be asked: that is no plan without changes
        text = f"{config.provider} cannot be asked ({trouble}): only the other providers of {config.zone} would be switched"
        insist(step, f"{text}, and users get one or the other by chance", then="change it by hand there, then --force")
        step.record(LeftOut(config.provider, config.zone, tuple(lead.key for lead in _deciding(config, way))))
    return Plan(run.runbook.procedure, run.site.site, tuple(changes))


def _deciding(config: DnsZoneConfig, way: Way) -> tuple[Lead, ...]:
    """What decides about `way` in one zone at one provider: not the sets that a switch decides about."""
    return tuple(lead for lead in leads_at(config, way) if not lead.armed)


def _moves(
    zone: DnsZone, leads: Sequence[Lead], present: Sequence[RecordSet | None], known: Sequence[Lead]
) -> tuple[RecordChange, ...]:
    moves = []
    for lead, record in zip(leads, present, strict=True):
        ours = [other for other in known if other.key == lead.key]
        if not any(other.holds(record) for other in ours):
            raise ForeignChange(
                f"{lead.key} is not as any run of Defib leaves it",
                where=f"{zone.vendor}/{zone.zone}",
                expected="one of " + ", ".join(sorted({str(other) for other in ours})),
                seen=str(record or "no such record set"),
                then="find out who changed it, and why",
            )
        if not lead.holds(record):
            moves.append(RecordChange(record, lead.put_into(record)))
    return tuple(moves)


def proxies(plan: Plan) -> bool:
    """Whether a name of the plan reaches users through Cloudflare's proxy."""
    return any(is_proxied(record.before) for change in plan.changes for record in change.records)


def refuse_forgotten(step: Step, way: Way) -> None:
    """Refuse where a name has addresses, or an alias, of which the site file does not say where they lead.

    Users who got those would stay behind, those of an HTTPS record too: there a person may know better.
    """
    for config, zone in zip(step.site.dns, step.run.outside.zones, strict=True):
        if isinstance(config, FailoverSwitch):
            continue
        leads = way.at(config.provider, config.zone)
        try:
            found = left_behind(leads, zone, step.within.sooner(_ASK_WITHIN))
        except ProviderError as error:
            step.note(f"{zone.vendor} could not be asked for forgotten record sets: {error}", warning=True)
            continue
        where = f"{zone.vendor}/{zone.zone}"
        for record in found:
            if not is_address(record):
                text = f"{record.key} at {where} would lead browsers elsewhere, or hold a key of the failed place: {record}"
                insist(step, text, then="take its target and ech out by hand, then plan again; or --force")
        addresses = {record.key: str(record) for record in found if is_address(record)}
        addresses = addresses or routed(config, leads, step.run.outside.answers, step.within)
        for key, text in addresses.items():
            raise Refused(
                f"{key} would stay as it is, and its users behind",
                where=where,
                expected="every A, AAAA and CNAME of the site's names in the site file",
                seen=text,
                then=f"add it to the records of each host in {step.site.site}.yaml",
            )


def way_back(run: Run) -> Way:
    """The way users go back to when the changes of the run that this one follows are taken back."""
    if not run.follows:
        raise Refused("that run changed nothing; there is nothing to take back", then="defib runs")
    steered = [change for change in run.follows if change.decides is Decides.WAY]
    before = [(change.vendor, record.key, record.before) for change in steered for record in change.records]
    way = way_of(run.site, before)
    if way is None:
        seen = "; ".join(str(record or key) for _, key, record in before)
        raise Refused("nobody knows where that leads", seen=seen, then="defib runs")
    return way


def refuse_half_way_back(step: Step) -> None:
    """Refuse where a record set that the earlier run did not change would keep its users from the way back.

    Somebody moved it by hand, or a run that ended in a split state did: only those know how to take it back.
    """
    way = way_back(step.run)
    taken = {(change.vendor, change.zone, key) for change in step.run.follows for key in change.keys}
    for config, zone in zip(step.site.dns, step.run.outside.zones, strict=True):
        leads = [lead for lead in _deciding(config, way) if (zone.vendor, zone.zone, lead.key) not in taken]
        try:
            present = zone.read([lead.key for lead in leads], within=step.within.sooner(_ASK_WITHIN)) if leads else ()
        except ProviderError as error:
            step.note(f"{zone.vendor} could not be asked for what would be left behind: {error}", warning=True)
            continue
        for lead, record in zip(leads, present, strict=True):
            if not lead.holds(record):
                raise Refused(
                    f"{lead.key} would stay as it is, and its users behind: that run did not change it",
                    where=f"{zone.vendor}/{zone.zone}",
                    expected=str(lead),
                    seen=str(record or "no such record set"),
                    then="change it by hand, or defib rollback the run that did (defib runs); then failback again",
                )


def way_back_plan(run: Run, within: Deadline) -> Plan:
    """The plan that takes back the changes of the run that this one follows, newest first; empty if that is done.

    What a last resort is made of stays, for the next time.
    """
    zones = {(zone.vendor, zone.zone): zone for zone in run.outside.changeable}
    changes = []
    for change in reversed([each for each in run.follows if each.decides is not Decides.GROUND]):
        present = zones[change.vendor, change.zone].read(change.keys, within=within.sooner(_ASK_WITHIN))
        if present == change.before:
            continue
        if present != change.after:
            raise foreign(change.reversed(), present)
        changes.append(change.reversed())
    return Plan(run.runbook.procedure, run.site.site, tuple(changes))


def approve(step: Step, plan: Plan, also: Sequence[RecordKey] = (), removable: Sequence[RecordKey] = ()) -> Plan:
    """Write the plan down and get it approved; in plan mode the flow ends here.

    It may change `also` beside record sets, and remove what is `removable` beside those that a way has not.
    """
    run = step.run
    known = [lead for way in ways(run.site) for lead in way.leads if not lead.armed]
    taken_back = {key for change in run.follows for key in change.keys}
    plan.brake(
        {*also, *taken_back, *(lead.key for lead in known)},
        removable={*removable, *(lead.key for lead in known if lead.absent)},
    )
    step.record(entries.Planned(plan.digest(), plan.changes))
    foresee(step, plan)
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


def through(site: Site, name: str) -> Way:
    """The way through the CDN of that name, for the steering record alone: what a CDN's failure may change."""
    return way_named(site, name).only([site.steered.key])


def cdns_to_try(step: Step) -> tuple[Way, ...]:
    """Through which CDNs users may be sent, in the order of preference: the standbys, and the primary if they are not there.

    Refused where they are sent through none: then another host has them, and the CDNs fetch from one that had failed.
    """
    site = step.site
    primary, standbys = through(site, site.primary.name), tuple(through(site, cdn.name) for cdn in site.standbys)
    try:
        present = _steering_record(step)
    except ProviderError as error:
        step.note(f"the zone could not be asked where users are sent now: {error}", warning=True)
        return standbys
    at = present.values if present else ()
    by_cdn = {(cdn.hostname,) for cdn in site.cdns}
    for way in ways(site):
        if at not in by_cdn and any(lead.key == site.steered.key and lead.values == at for lead in way.leads):
            raise Refused(f"users are at {way.name}, past every CDN", seen=str(present), then="defib failback RUN")
    return standbys if at == (site.primary.hostname,) else (*standbys, primary)


def _steering_record(step: Step) -> RecordSet | None:
    steered = step.site.steered.key
    for config, zone in zip(step.site.dns, step.run.outside.zones, strict=True):
        if step.site.zone_of(steered.name) == config.zone and not isinstance(config, FailoverSwitch):
            return zone.read([steered], within=step.within.sooner(_ASK_WITHIN))[0]
    return None


def steer(step: Step, plan: Plan, way: Way, proved: Build | None) -> None:
    """Make the changes of an approved plan, right after one more look at where they lead."""
    seen = look_through(step, way)
    if plan.changes and not seen.is_served():
        raise Refused(f"{way.name} has stopped serving the site", where=way.connect_to, seen=str(seen))
    if plan.changes and seen.is_older_than(proved):
        raise Refused(f"{way.name} serves an older build than the one that was proved", where=way.connect_to)
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
