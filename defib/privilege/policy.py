"""Permissions as a policy that IAM takes.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from defib.privilege.permission import Condition, Permission

VERSION = "2012-10-17"

MOST_CHARACTERS = 6144
"""Of a managed policy, without white space: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""

Statement = dict[str, object]
Policy = dict[str, object]


def policy(permissions: Iterable[Permission], account: str = "*") -> Policy:
    """All of them, those on the same resources under the same conditions in one statement; the same are the same text."""
    together: dict[tuple[tuple[str, ...], tuple[Condition, ...]], set[str]] = {}
    for permission in permissions:
        of = permission.of(account)
        together.setdefault((of.resources, of.conditions), set()).update(of.actions)
    merged: dict[tuple[tuple[str, ...], tuple[Condition, ...]], set[str]] = {}
    for (resources, conditions), actions in together.items():
        merged.setdefault((tuple(sorted(actions)), conditions), set()).update(resources)
    statements = [
        _statement(actions, tuple(sorted(resources)), conditions) for (actions, conditions), resources in merged.items()
    ]
    return {"Version": VERSION, "Statement": sorted(statements, key=lambda each: json.dumps(each, sort_keys=True))}


def characters(document: Policy) -> int:
    """What IAM counts of it."""
    return len(re.sub(r"\s", "", json.dumps(document)))


def _statement(actions: tuple[str, ...], resources: tuple[str, ...], conditions: tuple[Condition, ...]) -> Statement:
    statement: Statement = {"Effect": "Allow", "Action": list(actions), "Resource": list(resources)}
    if conditions:
        told: dict[str, dict[str, list[str]]] = {}
        for condition in conditions:
            told.setdefault(condition.operator, {})[condition.key] = list(condition.values)
        statement["Condition"] = told
    return statement
