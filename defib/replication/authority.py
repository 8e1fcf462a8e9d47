"""By whose leave objects are replicated: the role that S3 takes on, and the keys that they are encrypted with.

Adapters raise :class:`Unavailable`, and :class:`Denied` for credentials that are not taken at all. What they may not ask
is told as unknown, with the reason. They neither retry nor wait, and change nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from defib.clock import Deadline

REPLICATION = "s3.amazonaws.com"
BATCH = "batchoperations.s3.amazonaws.com"
"""The services that take on the role: to replicate what is written, and what was written before there was a rule.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/setting-repl-config-perm-overview.html
"""


@dataclass(frozen=True)
class Need:
    """Actions that the role must be allowed on one resource.

    `context` is what conditions of its policies may ask for. `without` says what is lost where they are not allowed; nothing
    is replicated where it is "".
    """

    actions: tuple[str, ...]
    resource: str
    context: tuple[tuple[str, str], ...] = ()
    without: str = ""


@dataclass(frozen=True)
class Lack:
    """One action that the role is not allowed, or of which that cannot be told."""

    action: str
    need: Need

    def __str__(self) -> str:
        return f"{self.action} on {self.need.resource}"


@dataclass(frozen=True)
class Role:
    """What IAM tells of a role. `there` is None where it does not tell, and `why` what kept it from telling.

    `trust` is the policy that says who may take it on, in JSON. By the role's own policies `denied` is not allowed, and of
    `unsure` that cannot be told; the policies of buckets and keys have a say of their own.
    """

    arn: str
    there: bool | None
    trust: str = ""
    denied: tuple[Lack, ...] = ()
    unsure: tuple[Lack, ...] = ()
    why: str = ""


@dataclass(frozen=True)
class Key:
    """What KMS tells of a key. `usable` is None where it does not tell; `state` is KMS's own word, or why there is none.

    `id` is what the key is called where it is used: its ARN, its id or an alias of it.
    """

    id: str
    usable: bool | None
    state: str
    arn: str = ""


def account_of(arn: str) -> str:
    """The account that an ARN is of; "" where it is no ARN, as S3 of others has it."""
    parts = arn.split(":")
    return parts[_ACCOUNT] if arn.startswith("arn:") and len(parts) > _ACCOUNT else ""


def partition_of(arn: str) -> str:
    """The partition that an ARN is of; AWS's own where it is no ARN."""
    return arn.split(":")[1] if arn.startswith("arn:") else "aws"


_ACCOUNT = 4


class Authority(Protocol):
    """IAM and KMS, as one side's credentials may ask them, in that side's region."""

    def role(self, arn: str, needs: Sequence[Need], *, within: Deadline) -> Role:
        """The role with this ARN, and which of `needs` its policies grant. Idempotent."""
        ...

    def key(self, key: str, *, within: Deadline) -> Key:
        """The key with this ARN, id or alias. Idempotent."""
        ...
