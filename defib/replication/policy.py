"""What a policy that hangs on a resource says: a role's, of who may take it on, or a bucket's.

IAM simulates neither for roles (https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html), so
they are read here. How statements decide:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html. Whatever is not known here is not
guessed: a condition on something that was not given may hold or not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from defib.replication.authority import account_of, partition_of


class Verdict(Enum):
    """What comes of all statements together: one that denies outweighs all others."""

    ALLOWED = "allowed"
    DENIED = "denied"
    UNMENTIONED = "unmentioned"
    UNSURE = "unsure"


@dataclass(frozen=True)
class Request:
    """Who would do what. `who` are all names that a policy may call them by, in AWS's two kinds: ``AWS`` and ``Service``."""

    kind: str
    who: tuple[str, ...]
    action: str
    resource: str = "*"
    context: tuple[tuple[str, str], ...] = ()


def judge(policy: str, request: Request) -> Verdict:
    """What `policy`, in JSON, says to `request`; "" says nothing."""
    statements = _listed(json.loads(policy).get("Statement", ())) if policy else []
    told = {effect: [_applies(each, request) for each in statements if each.get("Effect") == effect] for effect in _EFFECTS}
    if True in told["Deny"]:
        return Verdict.DENIED
    if None in told["Deny"]:
        return Verdict.UNSURE
    if True in told["Allow"]:
        return Verdict.ALLOWED
    return Verdict.UNSURE if None in told["Allow"] else Verdict.UNMENTIONED


def names_of_role(arn: str) -> tuple[str, ...]:
    """The names by which a policy may call the role with this ARN: itself, its account, and everybody."""
    account = account_of(arn)
    return arn, account, f"arn:{partition_of(arn)}:iam::{account}:root"


_EFFECTS = ("Allow", "Deny")


def _applies(statement: Mapping[str, Any], request: Request) -> bool | None:
    """Whether a statement is about `request`; None where that cannot be told."""
    parts = (
        _is_for(statement, request),
        _names(statement, "Action", request.action, ignore_case=True),
        _names(statement, "Resource", request.resource, ignore_case=False),
    )
    if False in parts:
        return False
    return _all((*parts, *_conditions(statement, dict(request.context))))


def _is_for(statement: Mapping[str, Any], request: Request) -> bool | None:
    if "NotPrincipal" in statement:
        return None
    named = statement.get("Principal", {})
    if isinstance(named, str):
        return named == "*"
    listed = _listed(named.get(request.kind, ()))
    return "*" in listed or any(name in listed for name in request.who)


def _names(statement: Mapping[str, Any], part: str, value: str, *, ignore_case: bool) -> bool:
    """A trust policy names no resource: it is the role's own."""
    if f"Not{part}" in statement:
        return not _one_is_like(_listed(statement[f"Not{part}"]), value, ignore_case=ignore_case)
    return part not in statement or _one_is_like(_listed(statement[part]), value, ignore_case=ignore_case)


def _conditions(statement: Mapping[str, Any], context: Mapping[str, str]) -> Iterable[bool | None]:
    known = {name.lower(): value for name, value in context.items()}
    for operator, keys in statement.get("Condition", {}).items():
        for key, values in keys.items():
            yield _holds(operator.removesuffix("IfExists"), known.get(key.lower()), _listed(values))


def _holds(operator: str, value: str | None, wanted: Sequence[Any]) -> bool | None:
    compare = _COMPARE.get(operator.replace("Not", ""))
    if compare is None or value is None:
        return None
    return compare([str(each) for each in wanted], value) != ("Not" in operator)


def _equal(wanted: Sequence[str], value: str) -> bool:
    return value in wanted


def _equal_in_any_case(wanted: Sequence[str], value: str) -> bool:
    return value.lower() in [each.lower() for each in wanted]


def _one_is_like(patterns: Iterable[str], value: str, *, ignore_case: bool = False) -> bool:
    flags = re.DOTALL | (re.IGNORECASE if ignore_case else 0)
    return any(re.fullmatch(_expression(pattern), value, flags) for pattern in patterns)


def _expression(pattern: str) -> str:
    return re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")


_COMPARE: Mapping[str, Callable[[Sequence[str], str], bool]] = {
    "StringEquals": _equal,
    "StringEqualsIgnoreCase": _equal_in_any_case,
    "StringLike": _one_is_like,
    "ArnEquals": _one_is_like,  # which means the same as ArnLike
    "ArnLike": _one_is_like,
    "Bool": _equal_in_any_case,
}


def _all(parts: Iterable[bool | None]) -> bool | None:
    told = list(parts)
    return False if False in told else None if None in told else True


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]
