"""Steps that make a mirror the source, after the loss of the one that was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from defib.errors import InputError, Refused
from defib.mirror.copies import Copy
from defib.mirror.mirroring import ask_everybody, mirrors_of
from defib.mirror.port import LOCAL
from defib.mirror.sources import command, source_key, taken_from
from defib.plan import Change, Plan
from defib.ports import RecordChange
from defib.run import Run, Step
from defib.users.looking import insist
from defib.users.steering import approve

_SHOWN = 3


@dataclass(frozen=True)
class Promotion:
    """The repository, the remote that it was taken from, and the mirror that it is taken from afterwards."""

    repository: str
    before: str
    after: str


def promotion_of(run: Run, copies: Sequence[Copy]) -> tuple[Promotion, Copy]:
    """What somebody asked for; :class:`InputError` for a repository or a mirror that the site file does not name."""
    name, _, to = run.promoted.partition("@")
    for copy in copies:
        if copy.of.name == name and to in (copy.of.source, *copy.of.mirrors):
            return Promotion(name, copy.of.source, to), copy
    known = ", ".join(f"{copy.of.name}@{place}" for copy in copies for place in copy.of.mirrors)
    raise InputError("there is no such mirror", where="--to", expected=known, seen=run.promoted)


def confirm_the_loss(step: Step, copies: Sequence[Copy]) -> Promotion:
    """The source is gone, or has nothing that the mirror lacks; refused otherwise, because that would be lost sight of."""
    wanted, copy = promotion_of(step.run, copies)
    ask_everybody(step, (copy,))
    if copy.stopped:
        step.note(f"{wanted.repository}: {copy.stopped}")
        if copy.listings[wanted.before].denied:
            text = f"{wanted.before} answers, and does not let us in: that is no loss"
            insist(step, text, then="renew its token or key; --force where it cannot be had any more")
        return wanted
    source, there = copy.listings[wanted.before].refs, copy.listings[wanted.after].refs
    lacking = [ref for ref, commit in source.items() if there.get(ref) != commit]
    if lacking:
        text = f"{wanted.before} answers, and {wanted.after} is not as it is: {', '.join(lacking[:_SHOWN])}"
        insist(step, text, then=f"defib mirror --site {step.site.site}; --force to leave {wanted.before} all the same")
    return wanted


def prove_the_mirror(step: Step, copies: Sequence[Copy], wanted: Promotion) -> None:
    """The mirror answers, and lacks nothing that was ever mirrored; whoever differs from it is told."""
    _, copy = promotion_of(step.run, copies)
    mirror = copy.listings[wanted.after]
    if mirror.problem:
        raise Refused(f"{wanted.after} cannot be read, so it can be no source", seen=mirror.problem, then="another mirror")
    here = copy.listings[LOCAL].refs
    other = {ref: mirror.refs.get(ref, "") for ref, commit in here.items() if mirror.refs.get(ref) != commit}
    own = [ref for ref, there in other.items() if there and not copy.of.held(there, within=step.within)]
    lacking = [ref for ref in other if ref not in own]
    if own:
        text = f"{wanted.after} has commits in {len(own)} refs that never were at {wanted.before}"
        step.note(f"{text}, and nobody compared them: {', '.join(own[:_SHOWN])}", warning=True)
    if lacking:
        text = f"{wanted.after} lacks {len(lacking)} refs that the local copy has: {', '.join(lacking[:_SHOWN])}"
        insist(step, text, then="push them there from the bundle, or promote another mirror; --force to lose sight of them")
    for place in copy.of.mirrors:
        beside = copy.listings[place]
        apart = [ref for ref, commit in mirror.refs.items() if beside.refs.get(ref) != commit]
        if place != wanted.after and not beside.problem and apart:
            step.note(f"{place} differs from {wanted.after} in {len(apart)} refs: {', '.join(apart[:_SHOWN])}", warning=True)


def approve_the_source(step: Step, wanted: Promotion) -> Plan:
    """The source, before and after, approved by its digest."""
    changes: tuple[Change, ...] = ()
    if wanted.before != wanted.after:
        zone = mirrors_of(step.run).sources
        record = RecordChange(taken_from(wanted.repository, wanted.before), taken_from(wanted.repository, wanted.after))
        changes = (Change(zone.vendor, zone.zone, (record,), f"take {wanted.repository} from {wanted.after}"),)
    plan = Plan(step.run.runbook.procedure, step.site.site, changes)
    return approve(step, plan, also=[source_key(wanted.repository)])


def take_from_there(step: Step, plan: Plan, wanted: Promotion) -> None:
    """The change, and what a person does next."""
    step.apply(plan)
    step.note(f"next: defib mirror --site {step.site.site} brings the others to what {wanted.after} has")
    way_back = command(step.site.site, f"{wanted.repository}@{wanted.before}")
    step.note(f"write into the site file: source: {wanted.after}; the way back: defib {way_back}")
