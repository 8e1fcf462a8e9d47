"""What an audit of a pair of buckets goes by, gathered from both sides; what could not be had is said, with the reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from defib.clock import Deadline
from defib.errors import DefibError, NotFound, ProviderError, Unavailable
from defib.objectives import Objectives
from defib.ready.check import State
from defib.replication.authority import Authority, Key, Role
from defib.replication.needs import keys_at_replica, keys_at_source, needs
from defib.replication.rules import BucketSettings
from defib.sites.replication import Replicated

T = TypeVar("T")


class Configured(Protocol):
    """A bucket that can be asked how it is configured."""

    def settings(self, *, within: Deadline) -> BucketSettings:
        """How the bucket is configured. Idempotent; raises as :mod:`defib.replication.port` says."""
        ...


@dataclass(frozen=True)
class Sides:
    """Both buckets of a pair, each with IAM and KMS as its own credentials may ask them."""

    source: Configured
    replica: Configured
    at_source: Authority
    at_replica: Authority


@dataclass(frozen=True)
class Unseen:
    """A bucket that could not be looked at: `state` is `unknown` where it may be well all the same."""

    state: State
    short: str
    why: str
    then: str = ""


@dataclass(frozen=True)
class Evidence:
    """All that was seen of a pair. `role` is None where no configuration names one; `keys` are by how they are called."""

    pair: Replicated
    objectives: Objectives
    source: BucketSettings | Unseen
    replica: BucketSettings | Unseen
    role: Role | None = None
    keys: Mapping[str, Key] = field(default_factory=dict)


def gather(pair: Replicated, objectives: Objectives, sides: Sides, within: Deadline) -> Evidence:
    """Look at both sides. One that does not answer takes no more than half of the time that is left to the others."""
    source = _looked_at(sides.source, _half(within))
    replica = _looked_at(sides.replica, _half(within))
    if isinstance(source, Unseen):
        return Evidence(pair, objectives, source, replica)
    keys = {
        name: _key(authority, name, _half(within))
        for authority, names in (
            (sides.at_source, keys_at_source(pair, source)),
            (sides.at_replica, keys_at_replica(pair, source)),
        )
        for name in names
    }
    role = _role(sides.at_source, pair, source, None if isinstance(replica, Unseen) else replica, keys, within)
    return Evidence(pair, objectives, source, replica, role, keys)


def _half(within: Deadline) -> Deadline:
    return within.sooner(within.remaining() / 2)


def _looked_at(bucket: Configured, within: Deadline) -> BucketSettings | Unseen:
    try:
        return bucket.settings(within=within)
    except Unavailable as error:
        return Unseen(State.UNKNOWN, "unreachable", _told(error))
    except NotFound as error:
        return Unseen(State.FAIL, "not there", _told(error), error.then)
    except ProviderError as error:
        return Unseen(State.FAIL, "closed to these credentials", _told(error), error.then)


def _role(
    authority: Authority,
    pair: Replicated,
    source: BucketSettings,
    replica: BucketSettings | None,
    keys: Mapping[str, Key],
    within: Deadline,
) -> Role | None:
    if not source.role:
        return None

    def ask() -> Role:
        return authority.role(source.role, needs(pair, source, replica, keys), within=within)

    return _or_else(ask, lambda why: Role(source.role, None, why=why))


def _key(authority: Authority, name: str, within: Deadline) -> Key:
    return _or_else(lambda: authority.key(name, within=within), lambda why: Key(name, None, why))


def _or_else(ask: Callable[[], T], otherwise: Callable[[str], T]) -> T:
    try:
        return ask()
    except Unavailable as error:
        return otherwise(f"unreachable: {_told(error)}")
    except ProviderError as error:
        return otherwise(_told(error))


def _told(error: DefibError) -> str:
    return "; ".join(text for text in (error.what, error.seen) if text)
