"""What a call of AWS must be allowed. Each adapter says it of its own calls; readiness asks for it, and it is exported.

There is no second list: what an adapter declares is what :mod:`defib.ready` simulates and what ``defib export iam`` prints.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

ACCOUNT = "ACCOUNT"
"""Stands in a resource for the account of who asks, which a site file does not name."""


@dataclass(frozen=True)
class Condition:
    """A condition of a statement, in IAM's words."""

    operator: str
    key: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Permission:
    """Actions on resources. What only `acts` needs is not for plans and readiness.

    `why` is for what no call of Defib's own asks for by its name: AWS asks for it besides, or a rare way leads there.
    """

    actions: tuple[str, ...]
    resources: tuple[str, ...] = ("*",)
    acts: bool = False
    conditions: tuple[Condition, ...] = ()
    why: str = ""
    optional: bool = False
    """Whether a recovery works without it: then readiness does not insist on it."""

    def of(self, account: str) -> Permission:
        """The same in this account."""
        return replace(self, resources=tuple(resource.replace(ACCOUNT, account) for resource in self.resources))
