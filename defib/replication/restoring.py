"""Steps that make a bucket, or what is below a prefix of it, what it was at a moment, as a plan that was approved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from defib import entries
from defib.copyentries import ObjectsRestored
from defib.errors import InputError, Refused, StepFailed
from defib.plan import OBJECT_VENDOR, Change, Plan
from defib.replication.checking import replicas_of
from defib.replication.objectplans import keys_of, parts
from defib.replication.pastwanted import REPLICA, SOURCE, command, prefixes_of, stamp
from defib.replication.restorable import (
    Restoration,
    if_it_answers,
    insist_on_a_moment_before,
    insist_on_a_past,
    looked_at,
    tell_what_is_left,
    too_many,
)
from defib.replication.rewinding import Apart, Rewinder, Rewound
from defib.report import words
from defib.run import Run, Step
from defib.users.steering import approve

_SHOWN = 3


@dataclass(frozen=True)
class Planned:
    """The digest of the plan, which stands in the journal, and what of the past it was made from."""

    digest: str
    held: int
    size: int
    returned: int
    replaced: int
    deleted: int
    left: int
    first: datetime | None
    last: datetime | None


def restoration_of(run: Run) -> Restoration:
    """What somebody asked for, with the buckets that it is about."""
    wanted = run.past
    if wanted is None:
        raise InputError("nobody said of what moment", expected="defib assets restore --at …")
    pair = next((pair for pair in replicas_of(run).pairs if pair.name == wanted.pair), None)
    if pair is None:
        raise InputError(f"there is no pair {wanted.pair!r}", where="--pair")
    past, beside = (pair.replica, pair.source) if wanted.side == REPLICA else (pair.source, pair.replica)
    target = next(each for each in (past, beside, *pair.others) if each.name == wanted.into)
    return Restoration(wanted, pair, past, target, beside)


def read_the_past(step: Step, asked: Restoration) -> None:
    """What the bucket held then, and what of it is not so now; refused where it cannot be brought back as it was."""
    insist_on_a_moment_before(step, asked.wanted.at)
    asked.beside = if_it_answers(step, asked)
    asked.rules = looked_at(step, asked)
    if step.run.since is None and not asked.elsewhere:
        step.note("nobody said since when users get wrong objects (--since): RTO and RPO are judged by the versions' times")
    try:
        asked.found = _rewound(step, asked)
    except Refused as error:
        raise too_many(step, asked, error) from error
    insist_on_a_past(step, asked)
    tell_what_is_left(step, asked)
    step.note(_counted(asked))


def _rewound(step: Step, asked: Restoration) -> Rewound:
    rewinder = Rewinder(
        zone=asked.pair.zone(asked.target, asked.past),
        past=asked.past,
        target=asked.target,
        beside=asked.beside,
        beside_is_replica=asked.wanted.side == SOURCE,
        at=asked.wanted.at,
        now=step.clock.now(),
        rules=asked.rules,
        ignored=asked.pair.config.canary,
    )
    try:
        found = rewinder.read(prefixes_of(asked.pair.config, asked.wanted.prefix), step.within)
    finally:
        asked.pair.proofs.close()
    if rewinder.beside_failed is not None:
        text = f"the other side stopped answering, so not all that is gone is known: {rewinder.beside_failed}"
        step.note(text, warning=True)
    return found


def _counted(asked: Restoration) -> str:
    found = asked.found
    at = stamp(asked.wanted.at)
    changed = f"{words.count(len(found.apart), 'object')} of {asked.target.where} to change"
    return f"{asked.past.where} held {words.count(found.held, 'object')} {asked.below} at {at}; {changed}"


def approve_the_restore(step: Step, asked: Restoration) -> Planned:
    """Every object that would change, before and after, approved by the plan's digest."""
    apart = sorted(asked.found.apart, key=lambda each: each.key)
    zone = asked.pair.zone(asked.target, asked.past)
    purpose = f"as it was at {stamp(asked.wanted.at)}"
    changes = [Change(OBJECT_VENDOR, zone.zone, tuple(each.change for each in some), purpose) for some in parts(apart)]
    plan = Plan(step.run.runbook.procedure, step.site.site, tuple(changes))
    named = keys_of(changes)
    step.note(_kinds(apart))
    approve(step, plan, also=named, removable=named)
    planned = _planned(plan.digest(), asked.found, apart)
    asked.found = Rewound()  # what it named stands in the journal, and may be much
    return planned


def _planned(digest: str, found: Rewound, apart: Sequence[Apart]) -> Planned:
    return Planned(
        digest=digest,
        held=found.held,
        size=found.size,
        returned=sum(each.now is None for each in apart),
        replaced=sum(each.now is not None and each.then is not None for each in apart),
        deleted=sum(each.then is None for each in apart),
        left=found.lost.total(),
        first=min((each.first for each in apart if each.first is not None), default=None),
        last=max((each.last for each in apart if each.last is not None), default=None),
    )


def _kinds(apart: Sequence[Apart]) -> str:
    deleted = sum(each.then is None for each in apart)
    returned = sum(each.now is None for each in apart)
    counts = (
        (returned, "comes back", "come back"),
        (len(apart) - returned - deleted, "is replaced", "are replaced"),
        (deleted, "is deleted", "are deleted"),
    )
    told = ", ".join(f"{number} {one if number == 1 else many}" for number, one, many in counts if number)
    return f"{told}: each by a new version or a marker, so that nothing is written over" if told else "nothing changes"


def restore_the_objects(step: Step, asked: Restoration, planned: Planned) -> None:
    """Make what the plan names, a few objects at a time; it is the one that the journal holds, of this digest."""
    written = next(entry for entry in step.run.journal.of(entries.Planned) if entry.digest == planned.digest)
    try:
        step.apply(Plan(step.run.runbook.procedure, step.site.site, written.changes))
    finally:
        asked.pair.proofs.close()


def prove_the_restore(step: Step, asked: Restoration, planned: Planned) -> None:
    """Read the past once more, and compare: no object may be other than it was, and none may be left over."""
    found = _rewound(step, asked)
    step.record(_restored(asked, planned, found))
    if found.apart:
        shown = "; ".join(f"{each.key}, written at {stamp(each.last or asked.wanted.at)}" for each in found.apart[:_SHOWN])
        raise StepFailed(
            f"{words.count(len(found.apart), 'object')} not as before: written meanwhile by somebody else",
            where=asked.target.where,
            seen=shown,
            then=f"stop who writes, then defib {command(step.site.site, asked.wanted)}: it changes only these",
        )


def _restored(asked: Restoration, planned: Planned, found: Rewound) -> ObjectsRestored:
    wanted = asked.wanted
    return ObjectsRestored(
        pair=asked.pair.name,
        side=wanted.side,
        past=asked.past.where,
        target=asked.target.where,
        prefix=wanted.prefix,
        at=wanted.at,
        held=planned.held,
        size=planned.size,
        returned=planned.returned,
        replaced=planned.replaced,
        deleted=planned.deleted,
        left=max(planned.left, found.lost.total()),
        apart=len(found.apart),
        elsewhere=asked.elsewhere,
        first=planned.first,
        last=planned.last,
    )


def better_left(run: Run) -> str:
    """Why what was restored is not put back, where somebody wrote other objects meanwhile; "" where it is."""
    told = list(run.journal.of(ObjectsRestored))
    if not told or not told[-1].apart:
        return ""
    return "everything that the plan named was made as it was; what is not so was written after that"
