"""The three accounts as they stand in the lab, all of them about its first public name."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from defib.clock import Clock
from defib.lab.certificates import LabAuthority
from defib.lab.dns.resolver import Resolver
from defib.lab.furniture import APIS, CDN_NAMES
from defib.lab.monitoring import pingdom, sentry, uptimerobot
from defib.lab.monitoring.api import MonitoringApi
from defib.lab.monitoring.looking import Elsewhere, Schedule
from defib.lab.plan import API_PORT, WEB_PORT, AddressPlan

INTERVAL = timedelta(seconds=1)
_VISITS = timedelta(milliseconds=200)
_WATCHED = f"https://{CDN_NAMES[0]}:{WEB_PORT}/"


@dataclass(frozen=True)
class MonitoringTokens:
    """What clients must know."""

    uptimerobot: str
    pingdom: str
    sentry: str

    @classmethod
    def random(cls) -> MonitoringTokens:
        """Fresh ones, in the shapes of the real ones."""
        return cls(f"ur1-{secrets.token_hex(12)}", secrets.token_urlsafe(54), f"sntryu_{secrets.token_hex(32)}")


def monitoring(
    plan: AddressPlan, tokens: MonitoringTokens, resolver: Resolver, authority: LabAuthority, clock: Clock
) -> Mapping[str, MonitoringApi]:
    """The APIs by the names under which they can be broken."""
    elsewhere = Elsewhere(resolver, authority.client_context)
    page = CDN_NAMES[0]
    crowd = sentry.Crowd(elsewhere, page, tuple(APIS.values()))

    def looks() -> Schedule:
        return Schedule(lambda: elsewhere.page(page), INTERVAL, clock)

    robot = uptimerobot.UptimeRobotDialect(_WATCHED, looks(), clock)
    check = pingdom.PingdomDialect(_WATCHED, looks())
    project = sentry.SentryDialect(Schedule(crowd.visit, _VISITS, clock), clock)
    return {
        "uptimerobot-api": MonitoringApi(plan.at("1.14"), API_PORT, uptimerobot.BASE, tokens.uptimerobot, robot, clock),
        "pingdom-api": MonitoringApi(plan.at("1.15"), API_PORT, pingdom.BASE, tokens.pingdom, check, clock),
        "sentry-api": MonitoringApi(plan.at("1.16"), API_PORT, sentry.BASE, tokens.sentry, project, clock),
    }
