"""What must be so for a bucket to be made what it was, and what of it cannot be: refused or told before all else."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from shlex import join

from defib.copyentries import ObjectLeft, PastWanted
from defib.errors import ProviderError, Refused
from defib.replication.moment import expiring
from defib.replication.pair import Pair
from defib.replication.pastwanted import REPLICA, SOURCE, stamp
from defib.replication.port import Cursor, WritableBucket
from defib.replication.rewinding import MOST, Left, Loss, Rewound
from defib.replication.rules import BucketSettings, Expiry
from defib.run import Step
from defib.users.looking import insist

_SHOWN = 3
_TOLD = 100
"""So many objects that cannot be restored stand in the journal one by one."""

_KEPT = "Enabled"

_ASIDE = timedelta(seconds=10)
"""For the first question to the other side, which a restore can do without."""


@dataclass
class Restoration:
    """What is to be as it was: the pair, the side whose versions tell of it, and the bucket that it is put into."""

    wanted: PastWanted
    pair: Pair
    past: WritableBucket
    target: WritableBucket
    beside: WritableBucket | None
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


def insist_on_a_moment_before(step: Step, at: datetime) -> None:
    """:class:`Refused` for a moment at which objects were wrong by what the operator says."""
    since = step.run.since
    if since is not None and since < at:
        raise Refused(
            "at that moment objects were wrong already, by your own word",
            where="--at, --since",
            expected=f"--at no later than {stamp(since)}",
            seen=stamp(at),
        )


def if_it_answers(step: Step, asked: Restoration) -> WritableBucket | None:
    """The other side, which may tell of what is gone; None, and a warning, where nobody may ask it now."""
    if asked.beside is None:
        return None
    try:
        asked.beside.page(Cursor(asked.wanted.prefix), within=step.within.sooner(_ASIDE))
    except ProviderError as error:
        text = f"{asked.beside.where} cannot be listed, so it cannot tell of what is gone: {error}"
        step.note(text, warning=True)
        return None
    return asked.beside


def looked_at(step: Step, asked: Restoration) -> tuple[Expiry, ...]:
    """The rules of the past's lifecycle that reach back to the moment, after a look at how all buckets are configured."""
    held = asked.target.settings(within=step.within)
    insist_on_versions(held, asked.target)
    if held.retention is not None:
        text = f"{asked.target.where} locks what is written for {held.retention.days} days: till then nothing of this run"
        step.note(f"{text} can be taken back", warning=True)
    settings = asked.past.settings(within=step.within)
    if asked.past.name != asked.target.name and settings.versioning != _KEPT:
        _insist_on_a_history(settings, asked.past)
    age = step.clock.now() - asked.wanted.at
    rule = _expiring(settings, asked, age)
    if not rule:
        return ()
    if not _beside_reaches_back(step, asked, age):
        text = f"{asked.past.where} {rule}: what was deleted or replaced since {stamp(asked.wanted.at)} may be gone for good"
        insist(step, text, then=f"{_other_side(asked)}, if it keeps them for longer; --force restores what is left")
        return settings.expiries
    step.note(f"{asked.past.where} {rule}; what is gone, the other side tells", warning=True)
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
    if asked.beside is None:
        return False
    try:
        settings = asked.beside.settings(within=step.within.sooner(_ASIDE))
    except ProviderError:
        return False
    return settings.versioning == _KEPT and not _expiring(settings, asked, age)


def insist_on_a_past(step: Step, asked: Restoration) -> None:
    """:class:`Refused` where there never was anything, or not yet: to delete everything is not what a restore is for."""
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


def too_many(step: Step, asked: Restoration, error: Refused) -> Refused:
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


def tell_what_is_left(step: Step, asked: Restoration) -> None:
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
    return f"restore it with {_other_side(asked)}" if left.loss is Loss.GONE and left.version else ""


def _other_side(asked: Restoration) -> str:
    """How to bring the same into the same bucket by the other side's versions."""
    other = SOURCE if asked.wanted.side == REPLICA else REPLICA
    return f"--from {other} --into {asked.target.name}"


def thawing(bucket: str, left: Left) -> str:
    """The command that brings a version out of its archive, for some days.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/restoring-objects.html
    """
    tiered = "_ACCESS" in left.why  # Intelligent-Tiering brings it back for good, and takes no number of days
    request = "GlacierJobParameters={Tier=Standard}" if tiered else "Days=7,GlacierJobParameters={Tier=Standard}"
    words = ["--bucket", bucket, "--key", left.key, "--version-id", left.version, "--restore-request", request]
    return f"aws s3api restore-object {join(words)}, and the same again some hours later"
