"""The whole readiness check of one site."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from defib.errors import BudgetSpent, SecretMissing
from defib.outside import read_only
from defib.providers.access import open_accesses, open_audits, open_claims, open_pairs
from defib.providers.secret import resolve
from defib.ready import (
    builds,
    certificates,
    credentials,
    ground,
    local,
    monitors,
    places,
    proved,
    records,
    replication,
    servers,
)
from defib.ready.access import Access, Claims
from defib.ready.board import AT_ONCE, ask_all
from defib.ready.check import Check, Question, Readiness, State
from defib.ready.scene import FreeSpace, Here, Scene, free_space
from defib.redeploy.groundwork import Audit
from defib.replication.evidence import Sides
from defib.sites.site import Site, load_site
from defib.start import Desk

OPENING = timedelta(seconds=3)
"""For resolving secrets, which may be at a vendor's, and loading the vendors' libraries."""

_SEEN_BY_NETWORK = frozenset({"users", "build", "origin", "apis", "name-servers", "resolvers", "certificate", "caa"})
"""Findings of looks and questions over the network without a vendor's word for who answered."""

Secrets = Callable[[str], str]


@dataclass(frozen=True)
class Instruments:
    """What readiness has beside the outside of a run; tests bring their own."""

    accesses: Callable[[Site, Secrets], tuple[Access, ...]] = open_accesses
    claims: Callable[[Site, Secrets], Mapping[str, Claims]] = open_claims
    free: FreeSpace = free_space
    at_once: int = AT_ONCE
    audits: Callable[[Site, Secrets], Mapping[str, Audit]] = open_audits
    replicas: Callable[[Site, Secrets], Mapping[str, Sides]] = open_pairs


def inspect(desk: Desk, name: str, instruments: Instruments | None = None) -> Readiness:
    """Everything that would stop a recovery of the site `name` now. Changes nothing outside.

    It takes at most some 15 s, whatever hangs. The build that users are seen to have is remembered
    (:mod:`defib.users.lastbuild`). Raises for a site file that cannot be used, and where the lab is needed and not up.
    """
    tools = instruments or Instruments()
    path = desk.site_path(name)
    site = load_site(path)

    def secret(reference: str) -> str:
        return desk.redact.learn(resolve(reference, desk.home.path))

    here = Here(site, path, desk.home, desk.runbooks, desk.clock, secret, tools.free)
    opened = _open(desk, here, tools)
    asked = [*local.questions(here), *proved.questions(here), *monitors.questions(here)]
    if isinstance(opened, Scene):
        asked += _outside(opened)
    checks = ask_all(asked, desk.clock, at_once=tools.at_once)
    found = checks if isinstance(opened, Scene) else (*opened, *checks)
    return Readiness(site.site, desk.clock.now(), _not_our_own_fault(found)).redacted(desk.redact)


def _open(desk: Desk, here: Here, tools: Instruments) -> Scene | tuple[Check, ...]:
    """The outside, or what kept it from being opened and what is therefore unknown."""

    def work() -> Scene:
        outside = desk.opener(here.site, desk.home, desk.redact, desk.clock)
        asked = (here.site, here.secret)
        return Scene(
            here,
            read_only(outside),
            tools.accesses(*asked),
            tools.claims(*asked),
            tools.audits(*asked),
            tools.replicas(*asked),
        )

    try:
        return desk.clock.call(work, OPENING)
    except SecretMissing as error:
        missing = Check("credentials", error.where or here.site.site, State.FAIL, error.what, error.then)
        return missing, _nothing_seen(here, "a secret is missing")
    except BudgetSpent:
        return (_nothing_seen(here, f"the secrets were not there within {OPENING.total_seconds():g} s"),)


def _not_our_own_fault(checks: tuple[Check, ...]) -> tuple[Check, ...]:
    """What was not reached, or not as it should be, where our own network is down is unknown and no failure of others."""
    if not any(check.name == servers.NETWORK for check in checks):
        return checks
    return tuple(
        replace(check, state=State.UNKNOWN, text=f"by a machine that is offline: {check.text}", then="")
        if check.name in _SEEN_BY_NETWORK and check.state is not State.UNKNOWN
        else check
        for check in checks
    )


def _nothing_seen(here: Here, why: str) -> Check:
    return Check("outside", here.site.site, State.UNKNOWN, f"neither vendors nor servers were asked: {why}")


def _outside(scene: Scene) -> Iterator[Question]:
    for part in (builds, credentials, records, servers, certificates, places, ground, replication):
        yield from part.questions(scene)
