"""How far the replication of a version has come, kept with the version itself.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-status.html
"""

from __future__ import annotations

from typing import Any

PENDING, COMPLETED, FAILED, REPLICA = "PENDING", "COMPLETED", "FAILED", "REPLICA"


def status(version: Any) -> str:
    """What S3 says of it, "" of what no rule covers: completed once every destination has it, failed if one never will."""
    held: dict[str, str] = getattr(version, "standing", {})
    told = set(held.values())
    if not told:
        return REPLICA if getattr(version, "is_replica", False) else ""
    return next(each for each in (FAILED, PENDING, COMPLETED, REPLICA) if each in told)


def set_status(version: Any, destination: str, told: str) -> None:
    """Say how far it has come to one destination."""
    version.standing = {**getattr(version, "standing", {}), destination: told}


def make_replica(version: Any) -> None:
    """Say that the version is the work of replication."""
    version.is_replica = True
