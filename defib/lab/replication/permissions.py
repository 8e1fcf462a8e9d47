"""What keeps S3 from copying a version, in the words of its failure reasons.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-failure-codes.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/setting-repl-config-perm-overview.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from moto.backends import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID

from defib.lab.replication.rules import Rule
from defib.lab.strict import versions
from defib.lab.strict.policy import Verdict, judge

_SERVICE = "s3.amazonaws.com"
_KMS = ("aws:kms", "aws:kms:dsse")


@dataclass(frozen=True)
class Role:
    """A role of IAM by its ARN, and what its policies say."""

    arn: str

    def policies(self) -> Iterator[Mapping[str, Any]]:
        """Those in it and those attached to it; none where there is no such role."""
        held = self._held()
        if held is not None:
            documents = [*held.policies.values(), *(each.document for each in held.managed_policies.values())]
            yield from (json.loads(unquote(each)) for each in documents)

    def for_replication(self) -> bool:
        """Whether S3 may take the role."""
        held = self._held()
        document = json.loads(unquote(held.assume_role_policy_document)) if held is not None else {}
        return any(_trusts(each) for each in _statements(document))

    def may(self, action: str, resource: str) -> bool:
        """Whether the policies together allow it."""
        told = [{**each, "Principal": "*"} for policy in self.policies() for each in _statements(policy)]
        return judge({"Statement": told}, action, resource) is Verdict.ALLOWED

    def _held(self) -> Any | None:
        roles = get_backend("iam")[DEFAULT_ACCOUNT_ID]["aws"].get_roles()
        return next((each for each in roles if each.arn == self.arn), None)


def _statements(policy: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    told = policy.get("Statement", [])
    return [told] if isinstance(told, Mapping) else list(told)


def _trusts(statement: Mapping[str, Any]) -> bool:
    principal = statement.get("Principal")
    named = principal.get("Service", ()) if isinstance(principal, Mapping) else ()
    action = statement.get("Action", ())
    return statement.get("Effect") == "Allow" and _SERVICE in _listed(named) and "sts:AssumeRole" in _listed(action)


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def failure(version: Any, source: Any, rule: Rule, role: Role) -> str:
    """Why the version cannot be copied by the rule, "" where it can."""
    if not role.for_replication():
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
