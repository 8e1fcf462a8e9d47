"""What IAM says that somebody may do, by the policies that it knows, without anything being done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from defib.clock import Deadline
from defib.privilege.permission import Permission
from defib.providers.aws import Clients
from defib.providers.aws_errors import asked


@dataclass(frozen=True)
class Wanted:
    """Actions on one resource; `context` is what conditions may ask for, by the names that policies have for it."""

    actions: tuple[str, ...]
    resource: str
    context: tuple[tuple[str, str | tuple[str, ...]], ...] = ()


def wanted_by(permission: Permission) -> tuple[Wanted, ...]:
    """What IAM is to be asked: each resource by itself, and what a request would say of its conditions."""
    context = tuple(
        (each.key, each.values if each.operator.startswith("ForAllValues:") else each.values[0])
        for each in permission.conditions
        if each.operator != "Null"
    )
    return tuple(Wanted(permission.actions, resource, context) for resource in permission.resources)


@dataclass(frozen=True)
class Decided:
    """The actions that are denied, and those about which conditions decide that IAM was not told."""

    denied: tuple[str, ...]
    unsure: tuple[str, ...]


class Simulation:
    """``iam:SimulatePrincipalPolicy``, which needs a permission of its own.

    IAM simulates identity policies, permission boundaries and the organisation's; resource policies (of a bucket, of a key)
    it takes into account only where it is given them, and never for roles
    (https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html).
    """

    def __init__(self, iam: Clients[Any], where: str) -> None:
        self._iam = iam
        self._where = where

    def decide(self, principal: str, wanted: Wanted, *, within: Deadline) -> Decided:
        """What IAM says of each action; raises as every port does."""
        context = [
            {"ContextKeyName": name, "ContextKeyValues": [value], "ContextKeyType": "string"}
            if isinstance(value, str)
            else {"ContextKeyName": name, "ContextKeyValues": list(value), "ContextKeyType": "stringList"}
            for name, value in wanted.context
        ]
        answer = asked(
            lambda: self._iam.within(within).simulate_principal_policy(
                PolicySourceArn=principal,
                ActionNames=list(wanted.actions),
                ResourceArns=[wanted.resource],
                ContextEntries=context,
            ),
            within,
            "SimulatePrincipalPolicy",
            self._where,
        )
        told = {each["EvalActionName"]: each for each in answer["EvaluationResults"]}
        open_ = [action for action in wanted.actions if told.get(action, {}).get("EvalDecision") != "allowed"]
        unsure = tuple(action for action in open_ if _depends(told.get(action, {})))
        return Decided(tuple(action for action in open_ if action not in unsure), unsure)


def _depends(told: dict[str, Any]) -> bool:
    return not told or bool(told.get("EvalDecision") == "implicitDeny" and told.get("MissingContextValues"))
