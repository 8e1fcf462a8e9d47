"""What a vendor that hosts Git holds of one repository besides its refs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Guard:
    """What is forbidden on the branches of `pattern`; `pushers` are the only people who may push, everybody where empty."""

    pattern: str
    force_push: bool = False
    deletion: bool = False
    approvals: int = 0
    pushers: tuple[str, ...] = ()


@dataclass(frozen=True)
class HeldKey:
    """A deploy key: its title, its public half in OpenSSH's form, and whether it may write."""

    title: str
    public: str
    writes: bool = False


@dataclass(frozen=True)
class HeldVariable:
    """A variable or secret of CI, with its value, which GitLab tells and GitHub does not tell of secrets."""

    name: str
    value: str
    secret: bool = False
    scope: str = "*"


@dataclass(frozen=True)
class Hook:
    """A webhook; `events` are in the vendor's own words."""

    url: str
    events: tuple[str, ...]
    secret: str = ""
    active: bool = True
    verifies_tls: bool = True


@dataclass(frozen=True)
class ForgeRepository:
    """One repository. `former` are names that it had and that lead to it; `unseen` are parts that the token may not see.

    Parts are called by the last word of their path at the vendor, such as ``keys`` or ``deploy_keys``.
    """

    id: int
    path: str
    created: datetime
    default_branch: str = "main"
    visibility: str = "private"
    archived: bool = False
    guards: tuple[Guard, ...] = ()
    keys: tuple[HeldKey, ...] = ()
    variables: tuple[HeldVariable, ...] = ()
    hooks: tuple[Hook, ...] = ()
    former: frozenset[str] = frozenset()
    unseen: frozenset[str] = frozenset()
