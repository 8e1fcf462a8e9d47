"""Rules of replication and of lifecycles, as S3 writes them, in our own words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from defib.replication.rules import ARCHIVES, Archiving, Expiry, Rule


def rules_of(rules: Sequence[Mapping[str, Any]]) -> tuple[Rule, ...]:
    """Those of a replication configuration, enabled or not."""
    return tuple(_rule(rule) for rule in rules)


def _rule(rule: Mapping[str, Any]) -> Rule:
    to = rule["Destination"]
    kms = rule.get("SourceSelectionCriteria", {}).get("SseKmsEncryptedObjects")
    return Rule(
        id=str(rule.get("ID", "")),
        enabled=_on(rule),
        destination=str(to["Bucket"]).rpartition(":")[2],
        prefix=_prefix(rule),
        tags=_tags(rule),
        priority=int(rule.get("Priority") or 0),
        markers=_markers(rule),
        kms=_on(kms),
        kms_key=str(to.get("EncryptionConfiguration", {}).get("ReplicaKmsKeyID", "")),
        rtc=_promised(to.get("ReplicationTime")),
        metrics=_on(to.get("Metrics")),
        owner_changes=to.get("AccessControlTranslation", {}).get("Owner") == "Destination",
        storage_class=str(to.get("StorageClass", "")),
        account=str(to.get("Account", "")),
    )


def _markers(rule: Mapping[str, Any]) -> bool:
    """A rule without a filter is of the first version of configurations, which replicates what people delete.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-what-is-isnot-replicated.html#replication-delete-op
    """
    return _on(rule.get("DeleteMarkerReplication")) if "Filter" in rule else True


def _promised(time: Mapping[str, Any] | None) -> timedelta | None:
    return timedelta(minutes=int(time["Time"]["Minutes"])) if time is not None and _on(time) else None


def _on(part: Mapping[str, Any] | None) -> bool:
    return part is not None and part.get("Status") == "Enabled"


def expiries_of(rules: Sequence[Mapping[str, Any]]) -> tuple[Expiry, ...]:
    """Those that are enabled and remove something: what aborts uploads or moves objects is none."""
    return tuple(_expiry(rule) for rule in _enabled(rules) if "Expiration" in rule or "NoncurrentVersionExpiration" in rule)


def _expiry(rule: Mapping[str, Any]) -> Expiry:
    about, ends = _about(rule), rule.get("Expiration", {})
    older = rule.get("NoncurrentVersionExpiration", {})
    return Expiry(
        id=str(rule.get("ID", "")),
        prefix=_prefix(rule),
        tags=_tags(rule),
        current=_days(ends.get("Days")),
        date=ends.get("Date"),
        superseded=_days(older.get("NoncurrentDays")),
        kept=int(older.get("NewerNoncurrentVersions") or 0),
        lone_markers=bool(ends.get("ExpiredObjectDeleteMarker")),
        above=about.get("ObjectSizeGreaterThan"),
        below=about.get("ObjectSizeLessThan"),
    )


def archivings_of(rules: Sequence[Mapping[str, Any]]) -> tuple[Archiving, ...]:
    """Those that are enabled and put what keys hold out of reach."""
    return tuple(
        Archiving(str(rule.get("ID", "")), str(move["StorageClass"]), _prefix(rule), _days(move.get("Days")))
        for rule in _enabled(rules)
        for move in rule.get("Transitions", ())
        if move["StorageClass"] in ARCHIVES
    )


def _enabled(rules: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [rule for rule in rules if _on(rule)]


def _about(rule: Mapping[str, Any]) -> Mapping[str, Any]:
    """The parts of its filter; several stand inside of ``And``."""
    told: Mapping[str, Any] = rule.get("Filter", {})
    return {**told, **told.get("And", {})}


def _prefix(rule: Mapping[str, Any]) -> str:
    return str(_about(rule).get("Prefix", rule.get("Prefix", "")))  # the first version names it outside of a filter


def _tags(rule: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    about = _about(rule)
    told = [*about.get("Tags", ()), *([about["Tag"]] if "Tag" in about else ())]
    return tuple((str(tag["Key"]), str(tag["Value"])) for tag in told)


def _days(days: int | None) -> timedelta | None:
    return None if days is None else timedelta(days=days)
