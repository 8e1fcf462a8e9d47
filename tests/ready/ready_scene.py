"""The world of the tests of readiness: a site, what is told of it, and what of the findings is bad."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from defib.clock import Deadline
from defib.ready.access import Access, Claims, Grant
from defib.ready.check import Check, Readiness, State
from defib.ready.inspect import Instruments, inspect
from tests.stage import Stage

SECRETS = ("alert-chat", "alert-webhook", "alert-mail", "alert-sms", "statuspage-token")
WWW = "www.pulse-trading.test."


@dataclass(frozen=True)
class Told:
    """Credentials that say what they are told to."""

    grant: Grant
    about: str = "route53 Z0PULSETRADING"

    def granted(self, *, within: Deadline) -> Grant:
        """What was told."""
        del within
        return self.grant


@dataclass(frozen=True)
class Taken:
    """A CDN at which others hold every name."""

    by: tuple[str, ...]

    def holders(self, name: str, *, within: Deadline) -> tuple[str, ...]:
        """Those others."""
        del name, within
        return self.by


HEALTH_CHECK = "abcdef11-2222-3333-4444-666666fedcba"


def ready(
    stage: Stage,
    *,
    grant: Grant = Grant(may_edit=True),  # noqa: B008 - a frozen value
    claims: Mapping[str, Claims] | None = None,
    free: int = 10**12,
) -> Readiness:
    """The check of the site in that world."""
    accesses: tuple[Access, ...] = (Told(grant),)
    none = Instruments(at_once=1, audits=lambda *_: {}, replicas=lambda *_: {})
    tools = replace(none, accesses=lambda *_: accesses, claims=lambda *_: claims or {}, free=lambda _: free)
    return inspect(stage.desk, str(stage.site_path), tools)


def bad(found: Readiness, besides: Iterable[str] = ("proved", "shared-fate")) -> dict[tuple[str, str], State]:
    """What is not well, but for what no world in memory can have."""
    skipped = set(besides)
    return {
        (check.name, check.about): check.state
        for check in found.checks
        if check.state is not State.OK and check.name not in skipped
    }


def only(found: Readiness, name: str, about: str = "") -> Check:
    """The one finding of that name."""
    (check,) = [check for check in found.checks if check.name == name and about in check.about and check.state != "ok"]
    return check
