"""What keeps S3 from copying a version, in the words of its failure reasons.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-failure-codes.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/setting-repl-config-perm-overview.html
"""

from __future__ import annotations

import json
from typing import Any

from moto.backends import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID

from defib.lab.replication.rules import Rule
from defib.lab.strict import versions
from defib.lab.strict.policy import Verdict, judge
from defib.lab.strict.roles import Role

SERVICE = "s3.amazonaws.com"
_KMS = ("aws:kms", "aws:kms:dsse")


def failure(version: Any, source: Any, rule: Rule, role: Role) -> str:
    """Why the version cannot be copied by the rule, "" where it can."""
    if not role.trusts(SERVICE):
        return "AssumeRoleNotPermitted"
    destination = versions.bucket(rule.destination)
    return (
        _by_destination(destination, source)
        or _by_role(version, rule, role)
        or _by_policy(version, destination)
        or _by_keys(version, rule, role)
    )


def _by_destination(destination: Any | None, source: Any) -> str:
    if destination is None:
        return "DstBucketNotFound"
    if destination.versioning_status != "Enabled":
        return "DstBucketUnversioned"
    if source.object_lock_enabled and not destination.object_lock_enabled:
        return "DstBucketObjectLockConfigMissing"
    return ""


def by_kms(version: Any) -> bool:
    """Whether a key of KMS encrypts it."""
    return versions.is_object(version) and version.encryption in _KMS


def _by_role(version: Any, rule: Rule, role: Role) -> str:
    there = f"arn:aws:s3:::{rule.destination}/{version.name}"
    if versions.is_marker(version):
        return "" if role.may("s3:ReplicateDelete", there) else "DstDelObjNotPermitted"
    here = f"arn:aws:s3:::{version.bucket_name}/{version.name}"
    # The older permission reads everything but what KMS encrypts.
    older = not by_kms(version) and role.may("s3:GetObjectVersion", here)
    if not (older or role.may("s3:GetObjectVersionForReplication", here)):
        return "SrcGetObjectNotPermitted"
    return "" if role.may("s3:ReplicateObject", there) else "DstPutObjectNotPermitted"


def _by_policy(version: Any, destination: Any) -> str:
    action = "s3:ReplicateDelete" if versions.is_marker(version) else "s3:ReplicateObject"
    verdict = judge(json.loads(destination.policy or "{}"), action, f"{destination.arn}/{version.name}")
    return "DstPutObjectNotPermitted" if verdict is Verdict.DENIED else ""


def _by_keys(version: Any, rule: Rule, role: Role) -> str:
    if not by_kms(version):
        return ""
    for where, key, action in (("Src", version.kms_key_id, "kms:Decrypt"), ("Dst", rule.replica_key, "kms:Encrypt")):
        state = key_state(key or "")
        if state != "Enabled":
            return f"{where}KmsKeyInvalidState" if state else f"{where}KmsKeyNotFound"
        if not role.may(action, key):
            return f"{where}KmsKeyNotPermitted"
    return ""


def key_state(arn: str) -> str:
    """The state of a key of KMS, "" where there is none: it is looked for in the region that its ARN names."""
    parts = arn.split(":")
    if len(parts) != 6:  # noqa: PLR2004 - the parts of every ARN
        return ""
    keys = get_backend("kms")[DEFAULT_ACCOUNT_ID][parts[3]].keys
    held = keys.get(parts[5].removeprefix("key/"))
    return str(held.key_state) if held is not None else ""
