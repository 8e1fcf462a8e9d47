"""Both hosting platforms of one lab, put together: each with its API and its edge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from defib.clock import Clock
from defib.lab.certificates import LabAuthority
from defib.lab.content import SiteBuild
from defib.lab.faults import FaultSwitch
from defib.lab.furniture import SECURITY_HEADERS
from defib.lab.hosting import furniture
from defib.lab.hosting.api import Dialect, HostingApi
from defib.lab.hosting.bearings import Ask
from defib.lab.hosting.edge import HostingEdge, NetlifyPlatform, Platform, VercelPlatform
from defib.lab.hosting.netlify import NetlifyDialect
from defib.lab.hosting.project import HostedProject
from defib.lab.hosting.vercel import VercelDialect
from defib.lab.plan import API_PORT, WEB_PORT, AddressPlan
from defib.lab.siteserver import SiteServer


@dataclass(frozen=True)
class Tokens:
    """What clients of the APIs must know."""

    vercel: str
    netlify: str


class HostingPlatforms:
    """Vercel and Netlify; `ask` is how they look at the DNS."""

    def __init__(
        self, plan: AddressPlan, tokens: Tokens, build: SiteBuild, authority: LabAuthority, ask: Ask, clock: Clock
    ) -> None:
        self._plan = plan
        self._authority = authority
        self._clock = clock
        vercel = VercelDialect(ask, plan.at(furniture.VERCEL_EDGE), clock)
        netlify = NetlifyDialect(ask, plan.at(furniture.NETLIFY_EDGE), clock)
        now = clock.now()
        self.vercel = self._api(furniture.VERCEL_API, tokens.vercel, vercel, furniture.vercel_project(build, now))
        self.netlify = self._api(furniture.NETLIFY_API, tokens.netlify, netlify, furniture.netlify_project(build, now))

    def _api(self, last: str, token: str, dialect: Dialect, project: HostedProject) -> HostingApi:
        return HostingApi(self._plan.at(last), API_PORT, token, dialect, project, self._clock)

    def edges(self) -> dict[str, SiteServer]:
        """New edges of both platforms, by the name of their target."""
        return {
            "vercel": self._edge(furniture.VERCEL_EDGE, VercelPlatform(), self.vercel),
            "netlify": self._edge(furniture.NETLIFY_EDGE, NetlifyPlatform(), self.netlify),
        }

    def _edge(self, last: str, platform: Platform, api: HostingApi) -> SiteServer:
        edge = HostingEdge(
            self._plan.at(last),
            WEB_PORT,
            platform,
            lambda: api.project,
            headers=SECURITY_HEADERS,
            authority=self._authority,
            clock=self._clock,
        )
        return edge.server

    async def start(self) -> None:
        """Listen with both APIs."""
        await self.vercel.start()
        await self.netlify.start()

    async def stop(self) -> None:
        """Stop listening. Safe to repeat."""
        await self.netlify.stop()
        await self.vercel.stop()

    @property
    def switches(self) -> Mapping[str, FaultSwitch]:
        """The switches of the APIs, by the name of their target."""
        return {"vercel-api": self.vercel.switch, "netlify-api": self.netlify.switch}

    def state(self) -> dict[str, Any]:
        """What a recovery could change, in the shape of JSON."""
        return {"vercel": _state(self.vercel.project), "netlify": _state(self.netlify.project)}


def _state(project: HostedProject) -> dict[str, Any]:
    return {
        "live": project.live,
        "deployments": [each.id for each in project.deployments],
        "names": {
            each.name: {"verified": each.verified, "certified": each.certificate_until is not None} for each in project.names
        },
        "paused": project.paused,
        "blocked": project.blocked,
    }
