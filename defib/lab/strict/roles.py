"""Roles of IAM, which moto keeps, and what their policies come to, which moto cannot say."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from moto.backends import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID

from defib.lab.strict.policy import Verdict, judge


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

    def trusts(self, service: str) -> bool:
        """Whether a service of AWS may take the role."""
        held = self._held()
        document = json.loads(unquote(held.assume_role_policy_document)) if held is not None else {}
        return any(_trusts(each, service) for each in _statements(document))

    def exists(self) -> bool:
        """Whether there is such a role."""
        return self._held() is not None

    def may(self, action: str, resource: str) -> bool:
        """Whether the policies together allow it."""
        return self.verdict(action, resource) is Verdict.ALLOWED

    def verdict(self, action: str, resource: str) -> Verdict:
        """What the policies together say to it; a policy of a role is about that role, whatever the principal."""
        told = [{**each, "Principal": "*"} for policy in self.policies() for each in _statements(policy)]
        return judge({"Statement": told}, action, resource)

    def _held(self) -> Any | None:
        roles = get_backend("iam")[DEFAULT_ACCOUNT_ID]["aws"].get_roles()
        return next((each for each in roles if each.arn == self.arn), None)


def _statements(policy: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    told = policy.get("Statement", [])
    return [told] if isinstance(told, Mapping) else list(told)


def _trusts(statement: Mapping[str, Any], service: str) -> bool:
    principal = statement.get("Principal")
    named = principal.get("Service", ()) if isinstance(principal, Mapping) else ()
    action = statement.get("Action", ())
    return statement.get("Effect") == "Allow" and service in _listed(named) and "sts:AssumeRole" in _listed(action)


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
