"""Both sides are looked at, and what one of them does not tell costs the other nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from defib.clock import Deadline, SimulatedClock
from defib.errors import Denied, NotFound, ProviderError, Unavailable
from defib.ready.check import State
from defib.replication.authority import Key, Need, Role
from defib.replication.evidence import Sides, Unseen, gather
from defib.replication.rules import BucketSettings
from tests.replication.audit_stage import KEY_HERE, KEY_THERE, OBJECTIVES, PAIR, ROLE, RULE, WELL_REPLICA, WELL_SOURCE, trust

ENCRYPTED = replace(WELL_SOURCE, kms_key=KEY_HERE, rules=(replace(RULE, kms=True, kms_key=KEY_THERE),))


@dataclass
class Bucket:
    """A bucket that tells what it was given, or hangs, or refuses."""

    given: BucketSettings | ProviderError
    clock: SimulatedClock
    hangs: bool = False

    def settings(self, *, within: Deadline) -> BucketSettings:
        """Tell it."""
        if self.hangs:
            self.clock.sleep(within.remaining())
        if isinstance(self.given, ProviderError):
            raise self.given
        return self.given


@dataclass
class Iam:
    """IAM and KMS that know one role and all keys, and keep what they were asked."""

    refusal: ProviderError | None = None
    asked: list[str] = field(default_factory=list)
    needs: Sequence[Need] = ()
    left: timedelta = timedelta(0)

    def role(self, arn: str, needs: Sequence[Need], *, within: Deadline) -> Role:
        """Tell it."""
        self.needs, self.left = needs, within.remaining()
        if self.refusal:
            raise self.refusal
        return Role(arn, there=True, trust=trust("s3.amazonaws.com"))

    def key(self, key: str, *, within: Deadline) -> Key:
        """Tell it."""
        self.asked.append(key)
        assert not within.expired()
        if self.refusal:
            raise self.refusal
        return Key(key, True, "Enabled", key)


@dataclass
class Stage:
    """Both sides, and ten seconds."""

    clock: SimulatedClock = field(default_factory=SimulatedClock)
    here: Iam = field(default_factory=Iam)
    there: Iam = field(default_factory=Iam)

    def __post_init__(self) -> None:
        self.source = Bucket(ENCRYPTED, self.clock)
        self.replica = Bucket(WELL_REPLICA, self.clock)
        self.within = Deadline.after(self.clock, timedelta(seconds=10))

    @property
    def sides(self) -> Sides:
        """As an audit gets them."""
        return Sides(self.source, self.replica, self.here, self.there)


@pytest.fixture
def stage() -> Stage:
    """A stage where all is well."""
    return Stage()


def test_all_that_is_seen(stage: Stage) -> None:
    """Settings of both, the role, and each key asked at its own side."""
    seen = gather(PAIR, OBJECTIVES, stage.sides, stage.within)
    assert (seen.source, seen.replica) == (ENCRYPTED, WELL_REPLICA)
    assert seen.role is not None
    assert seen.role.there
    assert (stage.here.asked, stage.there.asked) == ([KEY_HERE], [KEY_THERE])
    assert {action for need in stage.here.needs for action in need.actions} >= {"kms:Decrypt", "kms:Encrypt"}


def test_a_replica_that_hangs_leaves_time_for_the_rest(stage: Stage) -> None:
    """S15: it is unreachable, and role and keys of the source are asked with time to spare."""
    stage.replica = Bucket(Unavailable("get bucket versioning: no answer", seen="timed out"), stage.clock, hangs=True)
    stage.there.refusal = Unavailable("describe key: no answer")
    seen = gather(PAIR, OBJECTIVES, stage.sides, stage.within)
    assert seen.replica == Unseen(State.UNKNOWN, "unreachable", "get bucket versioning: no answer; timed out")
    assert seen.source == ENCRYPTED
    assert stage.here.left >= timedelta(seconds=4)
    assert seen.keys[KEY_THERE] == Key(KEY_THERE, None, "unreachable: describe key: no answer")
    assert seen.keys[KEY_HERE].usable


def test_a_source_that_hangs_leaves_time_for_the_replica(stage: Stage) -> None:
    """The replica is seen; of the role nobody knows the name."""
    stage.source = Bucket(Unavailable("no answer"), stage.clock, hangs=True)
    seen = gather(PAIR, OBJECTIVES, stage.sides, stage.within)
    assert isinstance(seen.source, Unseen)
    assert (seen.replica, seen.role) == (WELL_REPLICA, None)


@pytest.mark.parametrize(
    ("error", "short"),
    [(NotFound("no bucket", then="check it"), "not there"), (Denied("refused"), "closed to these credentials")],
)
def test_a_bucket_that_will_not_come_by_waiting(stage: Stage, error: ProviderError, short: str) -> None:
    """What is not there, or closed, is a failure and not unknown."""
    stage.replica = Bucket(error, stage.clock)
    seen = gather(PAIR, OBJECTIVES, stage.sides, stage.within)
    assert seen.replica == Unseen(State.FAIL, short, error.what, error.then)


@pytest.mark.parametrize(
    ("error", "why"),
    [(Unavailable("no answer"), "unreachable: no answer"), (Denied("no", seen="AccessDenied"), "no; AccessDenied")],
)
def test_an_iam_that_does_not_tell(stage: Stage, error: ProviderError, why: str) -> None:
    """Whether there is a role is then not known, and why."""
    stage.here.refusal = error
    seen = gather(PAIR, OBJECTIVES, stage.sides, stage.within)
    assert seen.role == Role(ROLE, None, why=why)
    assert seen.keys[KEY_HERE] == Key(KEY_HERE, None, why)


def test_a_source_without_a_role(stage: Stage) -> None:
    """Where no replication is configured there is no role to ask for."""
    stage.source = Bucket(replace(WELL_SOURCE, role="", rules=()), stage.clock)
    assert gather(PAIR, OBJECTIVES, stage.sides, stage.within).role is None
