"""One version on its way to one destination: why it may not go, what a fault makes of it, what becomes of its status."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from defib.lab.faults import Fault
from defib.lab.replication import standing
from defib.lab.replication.copying import Damage, copy, copy_metadata
from defib.lab.replication.permissions import failure
from defib.lab.replication.rules import Rule
from defib.lab.strict import versions
from defib.lab.strict.roles import Role


@dataclass
class Operation:
    """One version on its way, as metrics count it."""

    source: str
    rule: Rule
    size: int
    queued: datetime
    ended: datetime | None = None
    reason: str = ""

    @property
    def failed(self) -> bool:
        """Whether it ended without a copy, and why that is."""
        return bool(self.reason)


@dataclass(frozen=True)
class Task:
    """What is to be copied by which rule and as whom; `since` is monotonic."""

    key: str
    version_id: str
    role: Role
    operation: Operation
    since: timedelta
    metadata: bool = False

    @property
    def rule(self) -> Rule:
        """The rule by which it is copied."""
        return self.operation.rule

    def version(self) -> Any | None:
        """The version in the source, None where it is no longer there."""
        held = versions.bucket(self.operation.source)
        return versions.find(held, self.key, self.version_id) if held is not None else None


def carry(task: Task, fault: Fault | None) -> str:
    """Copy what the task names, and give the reason where that fails; `fault` spoils it."""
    version, name = task.version(), fault.name if fault is not None else ""
    if version is None:
        return ""  # deleted in the meantime: there is nothing left to copy
    source: Any = versions.bucket(task.operation.source)
    reason = failure(version, source, task.rule, task.role) or ("SrcReplicationNotPermitted" if name == "fail" else "")
    if not reason and name != "drop":
        _copy(version, task, _damage(fault))
    from_replica = task.metadata and getattr(version, "is_replica", False)
    told = standing.FAILED if reason else standing.REPLICA if from_replica else standing.COMPLETED
    standing.set_status(version, task.rule.destination, told)
    return reason


def _damage(fault: Fault | None) -> Damage:
    if fault is None or fault.name != "corrupt":
        return Damage.NONE
    return Damage.HIDDEN if fault.option("silent", 0) else Damage.SHOWN


def _copy(version: Any, task: Task, damage: Damage) -> None:
    """The whole version, or what changed of it where it is there already.

    Without the permission for tags S3 copies objects without them.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/setting-repl-config-perm-overview.html
    """
    there = versions.find(versions.bucket(task.rule.destination), task.key, task.version_id)
    with_tags = task.role.may("s3:ReplicateTags", f"arn:aws:s3:::{task.rule.destination}/{task.key}")
    if task.metadata and versions.is_object(there):
        copy_metadata(version, there, with_tags=with_tags)
    elif not (task.metadata and getattr(version, "is_replica", False)):
        copy(version, task.rule, with_tags=with_tags, damage=damage)
