"""What a hosting platform holds of one project: its deployments, the live one, and the names it answers for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from defib.lab.content import SiteBuild

CERTIFIED_FOR = timedelta(days=90)
"""Let's Encrypt's lifetime, which both vendors use (https://letsencrypt.org/docs/faq/)."""


@dataclass(frozen=True)
class Deployed:
    """One deployment; the commit that it was built from is its build's id."""

    id: str
    build: SiteBuild
    created: datetime


@dataclass(frozen=True)
class HeldName:
    """A public name that is attached; `certificate_until` is None where none was issued.

    With a `branch` it leads to that branch's deployments, of which the lab has none, and not to the live one.
    """

    name: str
    created: datetime
    verified: bool = True
    certificate_until: datetime | None = None
    branch: str = ""


@dataclass(frozen=True)
class Promotion:
    """A request to make a deployment the live one in place of `before`, in force from `due` on the monotonic clock."""

    before: str
    deployment: str
    due: timedelta
    requested: datetime
    done: bool = False


@dataclass(frozen=True)
class HostedProject:
    """One project. `own_name` is the vendor's name for it, `foreign` the names that other people's projects hold."""

    id: str
    name: str
    own_name: str
    created: datetime
    deployments: tuple[Deployed, ...]
    live: str
    names: tuple[HeldName, ...] = ()
    foreign: frozenset[str] = frozenset()
    paused: bool = False
    blocked: str = ""
    """Why the account is blocked, in the vendor's word for it; "" while it is not."""
    promotion: Promotion | None = None
    reads_only: bool = False
    """Whether the token that asks may change nothing."""

    def deployment(self, deployment: str) -> Deployed | None:
        """The deployment of that id."""
        return next((each for each in self.deployments if each.id == deployment), None)

    def held(self, name: str) -> HeldName | None:
        """The attached name, None where it is not attached."""
        return next((each for each in self.names if each.name == name), None)

    def holding(self, held: HeldName) -> HostedProject:
        """The project with `held` in place of what stands under its name, or beside the others."""
        if self.held(held.name) is None:
            return replace(self, names=(*self.names, held))
        return replace(self, names=tuple(held if each.name == held.name else each for each in self.names))

    def as_of(self, now: timedelta) -> HostedProject:
        """The project once a promotion that is due has been carried out."""
        asked = self.promotion
        if asked is None or asked.done or asked.due > now:
            return self
        return replace(self, live=asked.deployment, promotion=replace(asked, done=True))

    def serving(self, host: str) -> Deployed | None:
        """The deployment that is served under `host`, None where the project does not answer for it."""
        held = self.held(host)
        if host == self.own_name or (held is not None and held.verified and not held.branch):
            return self.deployment(self.live)
        return None
