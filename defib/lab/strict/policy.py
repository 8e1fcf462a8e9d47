"""What a bucket's policy lets the public do, and one distribution of CloudFront. moto asks for actions, not for who acts.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-policies.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

_SERVICE = "cloudfront.amazonaws.com"


def permits(policy: Mapping[str, Any], action: str, resource: str, source: str = "") -> bool:
    """Whether somebody may do it: the distribution whose ARN is `source`, or, without one, anybody.

    What cannot be judged here permits nothing: conditions other than StringEquals on ``aws:SourceArn``.
    """
    found = [each for each in policy.get("Statement", ()) if _matches(each, action, resource, source)]
    return bool(found) and all(each.get("Effect") == "Allow" for each in found)


def _matches(statement: Mapping[str, Any], action: str, resource: str, source: str) -> bool:
    return (
        _is_for(statement.get("Principal"), source)
        and _holds(statement.get("Condition", {}), source)
        and any(fnmatchcase(action, each) for each in _listed(statement.get("Action", ())))
        and any(fnmatchcase(resource, each) for each in _listed(statement.get("Resource", ())))
    )


def _is_for(principal: Any, source: str) -> bool:
    if principal in ("*", {"AWS": "*"}):
        return True
    return bool(source) and isinstance(principal, Mapping) and _SERVICE in _listed(principal.get("Service", ()))


def _holds(condition: Mapping[str, Mapping[str, Any]], source: str) -> bool:
    keys = {key.lower(): value for key, value in condition.get("StringEquals", {}).items()}
    if condition.keys() - {"StringEquals"} or keys.keys() - {"aws:sourcearn"}:
        return False
    return "aws:sourcearn" not in keys or source in _listed(keys["aws:sourcearn"])


def _listed(value: Any) -> Sequence[str]:
    return [value] if isinstance(value, str) else list(value)
