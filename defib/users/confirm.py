"""Whether users have lost service, and whether that is our own network: what every recovery confirms before it begins."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from defib import entries
from defib.objectives import Mode
from defib.ports import Build, Health
from defib.run import Step
from defib.users import looking
from defib.users.looking import Judged
from defib.users.ways import to_host

OTHERS_WITHIN = timedelta(seconds=2)
"""For the word of a monitor, where it can make up a quorum."""


@dataclass(frozen=True)
class Outage:
    """What is wrong, and the build that users had."""

    users: str
    expected: Build | None


def users_must_be_down(at: Step) -> Judged:
    """Look at the site as users do; refused where they are served, and where nobody here can tell.

    Monitors and signals add their voices where some of the observers see it bad and are too few, as in detection.
    """
    users = looking.look_at_users(at)
    if 0 < users.bad < at.site.detection.quorum:
        users = _with_others(at, users)
    if users.bad < at.site.detection.quorum:
        _nothing_to_recover(at, users)
    return users


def fails_in_the_dns(users: Judged) -> bool:
    """Whether users did not even find out where to go."""
    return any(reason.startswith("DNS") for reason in users.reasons)


def look_at_the_host(at: Step) -> Judged:
    """Look at what the primary host serves, past every CDN."""
    return looking.look_at_origin(at) if at.site.cdns else looking.look_through(at, to_host(at.site, at.site.primary_host))


def what_users_had(at: Step) -> Build | None:
    """The newest build that users were seen to have, by the looks of this run or by what was remembered at its start."""
    seen = [look.observation for look in at.run.journal.of(entries.Observed) if look.aim == looking.USERS]
    builds = [each.build for each in seen if each.build and each.health is Health.GOOD]
    builds += [had.build for had in at.run.journal.of(entries.UsersHad)]
    return max(builds, key=lambda build: build.built, default=None)


def insist_on_an_outage(at: Step, text: str, then: str) -> None:
    """Refuse because nothing has failed, as `text` says; a live drill goes on, because that is why it is one."""
    if at.run.live:
        at.note(f"a live drill: {text}")
    else:
        looking.insist(at, text, then=then)


def _with_others(at: Step, users: Judged) -> Judged:
    """The same with those that others add who see it bad, each written down."""
    monitors, told = at.run.outside.monitors, []
    for name in monitors.pauses:
        word = monitors.ask(name, within=at.within.sooner(OTHERS_WITHIN))
        at.note(f"{name}: {word.reason}")
        if word.counts and word.at(at.clock.now()) is Health.BAD:
            told.append(f"{name}: {word.reason}")
    return replace(users, bad=users.bad + len(told), reasons=(*users.reasons, *told))


def _nothing_to_recover(at: Step, users: Judged) -> None:
    """Refuse: users are served, or nobody here can tell."""
    online = at.run.outside.observers.online(within=at.within.sooner(looking.ONLINE_WITHIN))
    if not any(online):
        text = "no observer reaches even the sites of other people: it is our own network that is down"
        looking.insist(at, text, then="see to the network of this machine; --force to go on all the same")
        return
    if users.is_served():
        text = "users are served; there is nothing to recover from"
    else:
        text = f"too few observers see the site down to be sure: {users}"
    if at.run.mode is Mode.PLAN:
        at.note(text)
        return
    insist_on_an_outage(at, text, then=f"defib plan {at.run.runbook.procedure}; --force to go on all the same")
