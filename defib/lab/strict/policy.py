"""What a bucket's policy says to the public, and to one distribution of CloudFront.

moto asks for actions and resources, and neither for who acts nor for conditions: it turns everybody away from a bucket that
refuses what comes without TLS, and lets everybody read what is for a distribution.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-policies.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from fnmatch import fnmatchcase
from typing import Any

_SERVICE = "cloudfront.amazonaws.com"


class Verdict(Enum):
    """What comes of all statements together: one that denies outweighs all others."""

    ALLOWED = "allowed"
    DENIED = "denied"
    UNMENTIONED = "unmentioned"


def judge(policy: Mapping[str, Any], action: str, resource: str, source: str = "") -> Verdict:
    """What the policy says to the distribution whose ARN is `source`; without one, to anybody.

    Every request counts as one over TLS, for which the lab's plain addresses stand. A condition that is not known here
    allows nothing, and denies.
    """
    told = [each for each in policy.get("Statement", ()) if _is_about(each, action, resource, source)]
    effects = [(each.get("Effect"), _holds(each.get("Condition", {}), source)) for each in told]
    if any(effect == "Deny" and holds is not False for effect, holds in effects):
        return Verdict.DENIED
    return Verdict.ALLOWED if ("Allow", True) in effects else Verdict.UNMENTIONED


def _is_about(statement: Mapping[str, Any], action: str, resource: str, source: str) -> bool:
    return (
        _is_for(statement.get("Principal"), source)
        and any(fnmatchcase(action, each) for each in _listed(statement.get("Action", ())))
        and any(fnmatchcase(resource, each) for each in _listed(statement.get("Resource", ())))
    )


def _is_for(principal: Any, source: str) -> bool:
    if principal in ("*", {"AWS": "*"}):
        return True
    return bool(source) and isinstance(principal, Mapping) and _SERVICE in _listed(principal.get("Service", ()))


def _holds(condition: Mapping[str, Mapping[str, Any]], source: str) -> bool | None:
    """Whether every part of it does; None where that cannot be told."""
    known = {("StringEquals", "aws:sourcearn"): source, ("Bool", "aws:securetransport"): "true"}
    parts = list(_parts(condition))
    if any((operator, key) in known and known[operator, key] not in values for operator, key, values in parts):
        return False
    return True if all((operator, key) in known for operator, key, _ in parts) else None


def _parts(condition: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str, Sequence[str]]]:
    for operator, keys in condition.items():
        for key, values in keys.items():
            yield operator, key.lower(), _listed(values)


def _listed(value: Any) -> Sequence[str]:
    return [value] if isinstance(value, str) else list(value)
