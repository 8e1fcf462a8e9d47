"""Steps that make a bucket, or what is below a prefix of it, what it was at a moment, as a plan that was approved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from shlex import join

from defib import entries
from defib.copyentries import ObjectLeft, ObjectsRestored, PastWanted
from defib.errors import InputError, ProviderError, Refused, StepFailed
from defib.looking import insist
from defib.plan import OBJECT_VENDOR, Change, Plan
from defib.replication.checking import replicas_of
from defib.replication.moment import expiring
from defib.replication.objectplans import keys_of, parts
from defib.replication.pair import Pair
from defib.replication.pastwanted import REPLICA, SOURCE, command, prefixes_of, stamp
from defib.replication.port import Cursor, WritableBucket
from defib.replication.rewinding import MOST, Apart, Left, Loss, Rewinder, Rewound
from defib.replication.rules import BucketSettings, Expiry
from defib.report import words
from defib.run import Run, Step
from defib.steering import approve

_SHOWN = 3
_TOLD = 100
"""So many objects that cannot be restored stand in the journal one by one."""

_KEPT = "Enabled"


@dataclass
class Restoration:
    """What is to be as it was: the pair, the side whose versions tell of it, and the bucket that it is put into."""

    wanted: PastWanted
    pair: Pair
    past: WritableBucket
    target: WritableBucket
    beside: WritableBucket
    rules: tuple[Expiry, ...] = ()
    found: Rewound = field(default_factory=Rewound)

    @property
    def elsewhere(self) -> bool:
        """Whether it is put where no user is sent: into neither of the pair's own buckets."""
        return self.target.name not in {self.pair.source.name, self.pair.replica.name}

    @property
    def below(self) -> str:
        """What of the bucket is meant, in words."""
        return f"below {self.wanted.prefix!r}" if self.wanted.prefix else "in the whole bucket"


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
    asked.rules = _looked_at(step, asked)
    if step.run.since is None and not asked.elsewhere:
        step.note("nobody said since when users get wrong objects (--since): RTO and RPO are judged by the versions' times")
    rewinder = _rewinder(step, asked)
    try:
        asked.found = rewinder.read(prefixes_of(asked.pair.config, asked.wanted.prefix), step.within)
    except Refused as error:
        raise _too_many(step, asked, error) from error
    if rewinder.beside_failed is not None:
        text = f"{asked.beside.where} cannot be listed, so it cannot tell of what is gone: {rewinder.beside_failed}"
        step.note(text, warning=True)
    _insist_on_a_past(step, asked)
    _tell_what_is_left(step, asked)
    step.note(_counted(asked))


def _rewinder(step: Step, asked: Restoration) -> Rewinder:
    return Rewinder(
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


def _looked_at(step: Step, asked: Restoration) -> tuple[Expiry, ...]:
    """The rules of the past's lifecycle that reach back to the moment, after a look at how all buckets are configured."""
    insist_on_versions(asked.target.settings(within=step.within), asked.target)
    settings = asked.past.settings(within=step.within)
    if asked.past.name != asked.target.name and settings.versioning != _KEPT:
        _insist_on_a_history(settings, asked.past)
    age = step.clock.now() - asked.wanted.at
    rule = _expiring(settings, asked, age)
    if not rule:
        return ()
    if not _beside_reaches_back(step, asked, age):
        other = SOURCE if asked.wanted.side == REPLICA else REPLICA
        text = f"{asked.past.where} {rule}: what was deleted or replaced since {stamp(asked.wanted.at)} may be gone for good"
        insist(step, text, then=f"--from {other}, if it keeps them for longer; --force restores what is left")
        return settings.expiries
    step.note(f"{asked.past.where} {rule}; what is gone, {asked.beside.where} tells", warning=True)
    return ()


def insist_on_versions(settings: BucketSettings, bucket: WritableBucket) -> None:
    """:class:`Refused` for a bucket in which a write cannot be put back."""
    if settings.versioning != _KEPT:
        raise Refused(
            f"{bucket.where} keeps no versions: what is put there would be written over",
            expected="versioning: Enabled",
            seen=_versioning(settings),
            then=f"aws s3api put-bucket-versioning --bucket {bucket.name} --versioning-configuration Status=Enabled",
        )


def _insist_on_a_history(settings: BucketSettings, bucket: WritableBucket) -> None:
    if not settings.versioning:
        raise Refused(f"{bucket.where} never kept versions, so it has no past", seen=_versioning(settings))


def _versioning(settings: BucketSettings) -> str:
    return settings.versioning or dict(settings.unread).get("versioning") or "never on"


def _expiring(settings: BucketSettings, asked: Restoration, age: timedelta) -> str:
    """What of its lifecycle reaches back to the moment, in words; "" where nothing does."""
    unread = dict(settings.unread).get("expiries")
    if unread is not None:
        return f"may have a lifecycle that removes old versions, which nobody may read ({unread})"
    rule = expiring(settings.expiries, asked.wanted.prefix, age)
    if rule is None or rule.superseded is None:
        return ""
    return f"removes versions {rule.superseded.days} days after they are replaced or deleted (rule {rule.id!r})"


def _beside_reaches_back(step: Step, asked: Restoration, age: timedelta) -> bool:
    """Whether the other side tells of everything that was there, as far as it was replicated."""
    try:
        settings = asked.beside.settings(within=step.within)
        asked.beside.page(Cursor(asked.wanted.prefix), within=step.within)
    except ProviderError:
        return False
    return settings.versioning == _KEPT and not _expiring(settings, asked, age)


def _insist_on_a_past(step: Step, asked: Restoration) -> None:
    found, at = asked.found, stamp(asked.wanted.at)
    if not found.versions and not found.lost:
        folders = asked.past.folders("", within=step.within)
        raise Refused(
            f"{asked.past.where} holds nothing {asked.below}, and never did",
            where="--prefix",
            expected=f"such as {', '.join(folders[:_SHOWN])}" if folders else "objects in the bucket",
            seen=asked.wanted.prefix,
            then="another --prefix, or none for everything",
        )
    if not found.held and not found.lost and found.oldest is not None and found.oldest > asked.wanted.at:
        raise Refused(
            f"{asked.past.where} held nothing {asked.below} at {at}",
            expected=f"a moment no earlier than {stamp(found.oldest)}, when the first version was written",
            seen=at,
        )


def _too_many(step: Step, asked: Restoration, error: Refused) -> Refused:
    """How to go by prefix."""
    folders = asked.past.folders(asked.wanted.prefix, within=step.within)
    shown = ", ".join(f"--prefix {join([each])}" for each in folders[:_SHOWN])
    more = f" and {len(folders) - _SHOWN} more" if len(folders) > _SHOWN else ""
    return Refused(
        error.what,
        where=f"{asked.target.where}, {asked.below}",
        expected=f"at most {MOST:,} in one plan",
        then=f"one after the other: {shown}{more}" if folders else "a longer --prefix",
    )


def _tell_what_is_left(step: Step, asked: Restoration) -> None:
    """Every object that cannot be made what it was; refused for it, unless the run is forced."""
    found = asked.found
    for left in found.left[:_TOLD]:
        then = _remedy(asked, left)
        step.record(ObjectLeft(asked.pair.name, left.loss, left.key, left.version, left.since, left.why, then))
    if not found.lost:
        return
    counted = ", ".join(f"{number} {loss.value}" for loss, number in sorted(found.lost.items()))
    shown = "; ".join(f"{left.key}: {left.why}" for left in found.left[:_SHOWN])
    text = f"of the objects of {stamp(asked.wanted.at)}, {found.lost.total()} cannot be restored ({counted}): {shown}"
    then = next((told for left in found.left if (told := _remedy(asked, left))), "")
    insist(step, text, then="; ".join(filter(None, (then, "--force restores the others, and leaves these as they are"))))


def _remedy(asked: Restoration, left: Left) -> str:
    if left.loss is Loss.ARCHIVED:
        return thawing(asked.past.name, left)
    if left.loss is Loss.GONE and left.version and asked.wanted.side == SOURCE:
        return f"restore it with --from {REPLICA}"
    return f"restore it with --from {SOURCE}" if left.loss is Loss.GONE and left.version else ""


def thawing(bucket: str, left: Left) -> str:
    """The command that brings a version out of its archive, for some days.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/restoring-objects.html
    """
    tiered = "_ACCESS" in left.why  # Intelligent-Tiering brings it back for good, and takes no number of days
    request = "GlacierJobParameters={Tier=Standard}" if tiered else "Days=7,GlacierJobParameters={Tier=Standard}"
    words = ["--bucket", bucket, "--key", left.key, "--version-id", left.version, "--restore-request", request]
    return f"aws s3api restore-object {join(words)}, some hours before"


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
    return _planned(plan.digest(), asked.found, apart)


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
    counts = ((returned, "come back"), (len(apart) - returned - deleted, "are replaced"), (deleted, "are deleted"))
    told = ", ".join(f"{number} {what}" for number, what in counts if number)
    return f"{told or 'nothing changes'}: each by a new version or a marker, so that nothing is written over"


def restore_the_objects(step: Step, planned: Planned) -> None:
    """Make what the plan names, a few objects at a time; it is the one that the journal holds, of this digest."""
    written = next(entry for entry in step.run.journal.of(entries.Planned) if entry.digest == planned.digest)
    step.apply(Plan(step.run.runbook.procedure, step.site.site, written.changes))


def prove_the_restore(step: Step, asked: Restoration, planned: Planned) -> None:
    """Read the past once more, and compare: no object may be other than it was, and none may be left over."""
    rewinder = _rewinder(step, asked)
    found = rewinder.read(prefixes_of(asked.pair.config, asked.wanted.prefix), step.within)
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
        left=planned.left,
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
