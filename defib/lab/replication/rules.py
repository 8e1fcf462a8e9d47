"""The rules of a bucket's replication: which versions each of them is about, and which one decides.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-add-config.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from defib.lab.strict.xml import text

_BUCKET = "arn:aws:s3:::"


@dataclass(frozen=True)
class Subject:
    """What a rule looks at in a version."""

    key: str
    tags: Mapping[str, str]
    marker: bool = False
    by_kms: bool = False
    """Whether it is encrypted with a key of KMS, which a rule must ask for."""


@dataclass(frozen=True)
class Rule:
    """One rule as it was put."""

    id: str
    enabled: bool
    priority: int
    prefix: str
    tags: tuple[tuple[str, str], ...]
    destination: str
    replicates_markers: bool
    replicates_kms: bool
    replica_modifications: bool
    replica_key: str
    storage_class: str
    metrics: bool

    def covers(self, subject: Subject) -> bool:
        """Whether the rule is about such a version, enabled or not. A delete marker has no tags."""
        by_name = subject.key.startswith(self.prefix)
        return by_name and all(subject.tags.get(name) == value for name, value in self.tags)

    def replicates(self, subject: Subject) -> bool:
        """Whether a version that the rule covers is copied.

        What KMS encrypts is passed over, and has no status, where the rule does not opt in.
        https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-config-for-kms-objects.html
        """
        if subject.marker:
            return self.replicates_markers
        return self.replicates_kms or not subject.by_kms


@dataclass(frozen=True)
class Configuration:
    """The replication of one bucket: its role, its rules, and the text that it was put as."""

    role: str
    rules: tuple[Rule, ...]
    body: bytes

    def for_version(self, subject: Subject) -> tuple[Rule, ...]:
        """The rules by which such a version is copied: of each destination the one of highest priority, if it copies it."""
        chosen: dict[str, Rule] = {}
        for rule in sorted(self.rules, key=lambda each: each.priority, reverse=True):
            if rule.enabled and rule.covers(subject):
                chosen.setdefault(rule.destination, rule)
        return tuple(rule for rule in chosen.values() if rule.replicates(subject))


def configuration_of(root: Element, body: bytes) -> Configuration:
    """The configuration in the XML of PutBucketReplication, which must be valid."""
    rules = tuple(_rule(each, number) for number, each in enumerate(root.iterfind("Rule"), 1))
    return Configuration(text(root, "Role"), rules, body)


def _rule(told: Element, number: int) -> Rule:
    of_today = told.find("Filter") is not None
    destination = text(told, "Destination/Bucket").removeprefix(_BUCKET)
    criteria = "SourceSelectionCriteria"
    return Rule(
        id=text(told, "ID") or f"rule-{number}",
        enabled=text(told, "Status") == "Enabled",
        priority=int(text(told, "Priority") or 0),
        prefix=_prefix(told),
        tags=tuple((text(each, "Key"), text(each, "Value")) for each in told.iterfind("Filter//Tag")),
        destination=destination,
        # Rules of the first schema, which have no Filter, replicate the markers that users make:
        # https://docs.aws.amazon.com/AmazonS3/latest/userguide/delete-marker-replication.html
        replicates_markers=_on(told, "DeleteMarkerReplication") or not of_today,
        replicates_kms=_on(told, f"{criteria}/SseKmsEncryptedObjects"),
        replica_modifications=_on(told, f"{criteria}/ReplicaModifications"),
        replica_key=text(told, "Destination/EncryptionConfiguration/ReplicaKmsKeyID"),
        storage_class=text(told, "Destination/StorageClass"),
        metrics=_on(told, "Destination/Metrics") or _on(told, "Destination/ReplicationTime"),
    )


def _prefix(told: Element) -> str:
    """The prefix where each schema has it; not stripped, for a key may begin with a space."""
    return next((held for path in ("Filter/And/Prefix", "Filter/Prefix", "Prefix") if (held := told.findtext(path))), "")


def _on(told: Element, path: str) -> bool:
    return text(told, f"{path}/Status") == "Enabled"
