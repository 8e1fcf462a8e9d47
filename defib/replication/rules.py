"""How a bucket is configured, as far as replication depends on it, and which rule a version falls under."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

ARCHIVES = frozenset({"GLACIER", "DEEP_ARCHIVE"})
"""Storage classes that nobody can read before a restoration of hours.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/archived-objects.html
"""


@dataclass(frozen=True)
class Rule:
    """One rule of a replication configuration.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_ReplicationRule.html: of several that match a version and lead to the
    same bucket, the one with the highest `priority` counts. `destination` is the name of a bucket, `account` whose it is,
    where the rule says so. `markers` says whether delete markers are replicated, `kms` whether objects that are encrypted
    with a key of KMS are, and `kms_key` with which key they are encrypted at the replica. `rtc` is the time that S3 promises
    (Replication Time Control), None without; without `metrics` CloudWatch holds nothing.
    """

    id: str
    enabled: bool
    destination: str
    prefix: str = ""
    tags: tuple[tuple[str, str], ...] = ()
    priority: int = 0
    markers: bool = False
    kms: bool = False
    kms_key: str = ""
    rtc: timedelta | None = None
    metrics: bool = False
    owner_changes: bool = False
    storage_class: str = ""
    account: str = ""

    def selects(self, key: str, tags: Mapping[str, str] | None) -> bool:
        """Whether it is about `key`; where a rule asks for tags and they are not known (None), it may be."""
        if not self.enabled or not key.startswith(self.prefix):
            return False
        return tags is None or all(tags.get(name) == value for name, value in self.tags)


@dataclass(frozen=True)
class Expiry:
    """One rule of a lifecycle configuration that removes something; None is what it does not do.

    `current` is the age after which what a key holds is deleted (with versions: gets a marker), and `date` the day from
    which it is whatever its age; `superseded` the age, since they were superseded, after which older versions are gone;
    `kept` how many of these stay all the same. `lone_markers` says that a marker is removed once no version is left below
    it. It is about objects of more than `above` and less than `below` bytes only, where these are given.
    """

    id: str
    prefix: str = ""
    tags: tuple[tuple[str, str], ...] = ()
    current: timedelta | None = None
    superseded: timedelta | None = None
    kept: int = 0
    lone_markers: bool = False
    date: datetime | None = None
    above: int | None = None
    below: int | None = None


@dataclass(frozen=True)
class Archiving:
    """One rule of a lifecycle configuration that puts what keys hold where nobody can read it before it is restored.

    `after` is the age, None where it happens on a day of the calendar.
    """

    id: str
    storage_class: str
    prefix: str = ""
    after: timedelta | None = None


@dataclass(frozen=True)
class BucketSettings:
    """How one bucket is configured. What may not be read is named in `unread`, with the reason, and nothing is said of it.

    `versioning` is ``Enabled``, ``Suspended`` or "" where it never was. `rules` and `role` are those of its replication
    configuration, none where it has none. `lock` says whether Object Lock is on, and `retention` for how long it locks what
    is written, None where it does not by itself; `owner` is the setting of object ownership. `kms_key` is what it encrypts
    with by default, "" where that is no key of KMS; `bucket_key` says whether KMS is asked once for many objects. `policy`
    is the bucket's own, in JSON.
    """

    region: str
    versioning: str
    role: str = ""
    rules: tuple[Rule, ...] = ()
    expiries: tuple[Expiry, ...] = ()
    lock: bool = False
    owner: str = ""
    kms_key: str = ""
    bucket_key: bool = False
    retention: timedelta | None = None
    archivings: tuple[Archiving, ...] = ()
    policy: str = ""
    unread: tuple[tuple[str, str], ...] = ()


def rule_of(rules: Sequence[Rule], destination: str, key: str, tags: Mapping[str, str] | None = None) -> Rule | None:
    """The rule that a version of `key` falls under on its way to `destination`; None where none selects it."""
    matching = [rule for rule in rules if rule.destination == destination and rule.selects(key, tags)]
    return max(matching, key=lambda rule: rule.priority, default=None)


def leading(rules: Sequence[Rule], destination: str) -> tuple[Rule, ...]:
    """The enabled rules that lead to the bucket `destination`."""
    return tuple(rule for rule in rules if rule.enabled and rule.destination == destination)
