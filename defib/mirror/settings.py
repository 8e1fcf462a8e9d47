"""What a repository has besides its refs: the settings that Git does not carry, in words that hold for every vendor.

Terminology:

*part*
    One kind of setting, such as the deploy keys. A token may be allowed to read some parts and not others, so each part is
    either known or :class:`Unknown`. What is unknown is never taken for equal, and never for absent.
*pattern*
    The branches that a protection is for: a name, or a name with ``*`` in it as the vendor reads it (GitHub's takes in no
    slash, GitLab's does). ``*`` alone stands for every branch at both.
*scope*
    The environments that a CI variable is for; ``*`` are all.

No value here is a secret: names and fingerprints stand for what they belong to.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol, TypeVar

from defib.clock import Deadline

T = TypeVar("T")

EVERYTHING = "everything"
"""The event of a webhook that is called for all of them."""


@dataclass(frozen=True)
class Unknown:
    """A part that could not be read, and why, in words for people."""

    reason: str


class Visibility(StrEnum):
    """Who may read the repository. `internal` is everybody who has an account there."""

    PUBLIC = "public"
    INTERNAL = "internal"
    PRIVATE = "private"


@dataclass(frozen=True)
class Protection:
    """What is forbidden on the branches of `pattern`, those of `except_for` left out.

    `reviews` is whether a change needs somebody's approval, None where the vendor does not tell it with the branch.
    `pushers` says who may push, in the vendor's own words.
    """

    pattern: str
    force_push: bool
    deletion: bool
    reviews: bool | None
    pushers: tuple[str, ...]
    except_for: tuple[str, ...] = ()


@dataclass(frozen=True, order=True)
class DeployKey:
    """A key that lets in machines; `fingerprint` is ``SHA256:…`` of its public half, "" where that is unreadable."""

    title: str
    fingerprint: str
    writes: bool


@dataclass(frozen=True, order=True)
class CiName:
    """The name of a variable or secret that CI is given, never its value."""

    name: str
    scope: str = "*"


@dataclass(frozen=True, order=True)
class Webhook:
    """Who is told of `events`; `url` is without user, password, query, fragment, and without what looks like a token.

    Events are in common words (``push``, ``tag``, ``pull request``); what only one vendor has is ``github:star``.
    """

    url: str
    events: tuple[str, ...]
    active: bool
    verifies_tls: bool


@dataclass(frozen=True)
class RepositorySettings:
    """The settings of one repository as its vendor told them at `asked`.

    `project` is what it was asked for by. `moved_to` is the name that it has now, "" where that is the same. `secrets` are
    hidden from whoever reads the logs of CI, `variables` are not.
    """

    vendor: str
    project: str
    asked: datetime
    default_branch: str | Unknown
    visibility: Visibility | Unknown
    archived: bool | Unknown
    protections: tuple[Protection, ...] | Unknown
    deploy_keys: tuple[DeployKey, ...] | Unknown
    secrets: tuple[CiName, ...] | Unknown
    variables: tuple[CiName, ...] | Unknown
    webhooks: tuple[Webhook, ...] | Unknown
    moved_to: str = ""

    def __str__(self) -> str:
        return f"{self.vendor} {self.moved_to or self.project}"


class HostedRepository(Protocol):
    """One repository at a vendor that hosts Git, asked for its settings alone."""

    @property
    def vendor(self) -> str:
        """The vendor's name as in site files, such as ``github``."""
        ...

    @property
    def project(self) -> str:
        """The repository's name, or id, at the vendor."""
        ...

    def settings(self, *, within: Deadline) -> RepositorySettings:
        """All parts as they are now; those that the token may not read are :class:`Unknown`. Idempotent, changes nothing.

        `within` is for all requests together. A vendor who asks to wait is waited for where that fits into it, and is
        :class:`Unavailable` at once where it does not. A repository that was renamed is followed within the vendor, and
        `moved_to` says so. :class:`Denied` where the token is not taken, :class:`NotFound` where there is no such
        repository or the token may not see it, :class:`Unavailable` for whatever may pass, and for answers that are not as
        the vendor describes them.
        """
        ...
