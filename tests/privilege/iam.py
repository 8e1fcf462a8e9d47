"""How IAM decides by the policies that we write: actions, resources with wildcards, and the conditions that are used.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tests.privilege.wire import Asked

USER = "defib"
"""Whose requests they are."""

Statement = Mapping[str, Any]


def allowed_by(asked: Asked, statements: Iterable[Statement]) -> list[Statement]:
    """The statements that allow it."""
    return [each for each in statements if allows(each, asked)]


def allows(statement: Statement, asked: Asked) -> bool:
    """Whether this one does; what no policy of ours has is refused, so that nothing passes unjudged."""
    assert set(statement) <= {"Effect", "Action", "Resource", "Condition"}, statement
    assert statement["Effect"] == "Allow"
    return (
        asked.action in statement["Action"]
        and any(covers(pattern, asked.resource) for pattern in statement["Resource"])
        and all(
            _holds(operator, asked.context.get(key), values)
            for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        )
    )


def covers(pattern: str, resource: str) -> bool:
    """Whether a resource of a statement is about this one, by its ``*``, its ``?`` and the user's name."""
    plain = re.escape(pattern.replace("${aws:username}", USER)).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(plain, resource) is not None


def _holds(operator: str, told: Sequence[str] | None, values: Sequence[str]) -> bool:
    if operator == "Null":
        return values == ["false" if told else "true"]
    if operator == "ForAllValues:StringEquals":
        return set(told or ()) <= set(values)
    assert operator == "StringEquals", operator
    return bool(told) and told is not None and all(each in values for each in told)
