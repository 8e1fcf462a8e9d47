"""The whole check in a world in memory: all is well there, until one thing is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from defib.clock import Deadline
from defib.ports import EdgeStatus, Health, RecordChange
from defib.providers.cdn.memory import MemoryCdn
from defib.ready.access import Grant
from defib.ready.check import State
from defib.users.lastbuild import last_build, remember
from defib.users.trust import CaaPolicy, CaaRecord, SeenCertificate
from tests.ready.ready_scene import WWW, Taken, bad, only, ready
from tests.stage import BUILD, REFUSED, UNSEEN, Stage, older, seconds


def test_all_is_well(stage: Stage) -> None:
    """A healthy site is ready, every kind of check was made, and nothing outside was written."""
    found = ready(stage)
    assert bad(found) == {}
    assert found.exit_code == 0
    assert {check.name for check in found.checks} == {
        *("kill-switch", "lease", "unfinished-run", "disk", "alerts", "proved", "shared-fate", "users", "build", "origin"),
        *("credentials", "steering", "ttl", "name-servers", "resolvers", "observers", "certificate", "caa", "alias"),
        *({"quota", "attachment", "forgotten"} if stage.site.hosts else ()),
        *({"apis"} if stage.site.page.apis else ()),
    }
    assert stage.writes == []


def test_what_users_have_is_remembered(stage: Stage) -> None:
    """The build that users are seen to have is kept for the hour in which nobody can ask it any more."""
    ready(stage)
    kept = last_build(stage.desk.home.site("lab"))
    assert kept is not None
    assert kept[0] == BUILD


def test_users_who_are_not_served_are_a_failure_and_change_no_memory(stage: Stage) -> None:
    """What was remembered stays, and the standbys are compared with it."""
    remember(stage.desk.home.site("lab"), BUILD, stage.clock.now())
    stage.edges["cloudfront"] = REFUSED
    found = ready(stage)
    assert only(found, "users").state is State.FAIL
    kept = last_build(stage.desk.home.site("lab"))
    assert kept is not None
    assert kept[0] == BUILD
    standby = next(check for check in found.checks if (check.name, check.about) == ("build", "cloudflare"))
    assert (standby.state, "users had at" in standby.text) == (State.OK, True)


@pytest.mark.parametrize(
    ("grant", "state"),
    [
        (Grant(may_edit=False, why="it lacks #dns_records:edit"), State.FAIL),
        (Grant(may_edit=None, why="nobody tells"), State.UNKNOWN),
    ],
)
def test_credentials_that_may_only_read(stage: Stage, grant: Grant, state: State) -> None:
    """D11: found here, and not in the incident; what is not told is no success."""
    found = ready(stage, grant=grant)
    assert bad(found) == {("credentials", "route53 Z0PULSETRADING"): state}
    assert found.exit_code == {State.FAIL: 1, State.UNKNOWN: 6}[state]


@pytest.mark.parametrize(("ttl", "state"), [(300, None), (301, State.FAIL), (86400, State.FAIL)])
def test_a_ttl_that_keeps_users_from_their_recovery(stage: Stage, ttl: int, state: State | None) -> None:
    """D12: more than 300 s on what steers users is a failure."""
    change = RecordChange(stage.record, replace(stage.record, ttl=seconds(ttl)))
    stage.memory.replace([change], within=Deadline.after(stage.clock, seconds(1)))
    assert bad(ready(stage)) == ({("ttl", f"{WWW} CNAME"): state} if state else {})


def test_a_caa_record_that_leaves_the_backups_authority_out(stage: Stage) -> None:
    """D13: the backup could not renew its certificate."""
    if not stage.site.hosts:
        pytest.skip("the site has no backup host")
    stage.trust.policies[WWW] = CaaPolicy(WWW, "pulse-trading.test.", (CaaRecord(0, "issue", "amazon.com"),))
    check = only(ready(stage), "caa", "at netlify")
    assert check.state is State.FAIL
    assert "letsencrypt.org may not issue" in check.text
    assert check.then == 'add CAA 0 issue "letsencrypt.org" there'


def test_caa_records_that_nobody_can_read(stage: Stage) -> None:
    """Who cannot tell who may issue does not say that somebody may."""
    stage.trust.policies[WWW] = CaaPolicy(WWW, problem="SERVFAIL")
    assert {state for (name, _), state in bad(ready(stage)).items() if name == "caa"} == {State.UNKNOWN}


@pytest.mark.parametrize("holders", [("distribution *******PULSEOT of account ******789012",), ()])
def test_a_standby_that_does_not_list_the_name(stage: Stage, holders: tuple[str, ...]) -> None:
    """C14: found before the incident, with who holds the name where the vendor tells."""
    stage.cdns["cloudflare"] = MemoryCdn("cloudflare", EdgeStatus(True, True, ("other.test.",), "origin", "1"))
    check = only(ready(stage, claims={"cloudflare": Taken(holders)}), "alias")
    assert (check.state, check.about) == (State.FAIL, f"{WWW} at cloudflare")
    assert ("CNAMEAlreadyExists" in check.text, all(holder in check.text for holder in holders)) == (bool(holders), True)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (EdgeStatus(True, True, ("*.pulse-trading.test.",), "o", "1"), None),
        (EdgeStatus(True, True, ("*.test.",), "o", "1"), State.FAIL),
        (EdgeStatus(False, True, (WWW,), "o", "1"), State.FAIL),
        (EdgeStatus(True, False, (WWW,), "o", "1"), State.WARN),
        (EdgeStatus(True, True, (WWW,), "o", "1", ("POST",)), State.WARN),
    ],
)
def test_what_a_cdn_says_of_itself(stage: Stage, status: EdgeStatus, state: State | None) -> None:
    """A wildcard stands for one label; what is disabled would not serve."""
    stage.cdns["cloudflare"] = MemoryCdn("cloudflare", status)
    assert bad(ready(stage)) == ({("alias", f"{WWW} at cloudflare"): state} if state else {})


def test_a_record_that_somebody_else_changed(stage: Stage) -> None:
    """D1: a run would refuse, so readiness says so before."""
    stage.change_by_hand("elsewhere.example.net.")
    check = only(ready(stage), "steering")
    assert check.state is State.FAIL
    assert "elsewhere.example.net." in check.text


def test_users_at_the_standby_are_a_warning(stage: Stage) -> None:
    """After a recovery the site is served, and not where it should be."""
    stage.recovered()
    assert only(ready(stage), "steering").state is State.WARN


@pytest.mark.parametrize(("days", "state"), [(29, State.WARN), (6, State.FAIL), (-1, State.FAIL), (30, None)])
def test_certificates_that_end_soon(stage: Stage, days: int, state: State | None) -> None:
    """Every place that users may be sent to is looked at under every public name."""
    until = stage.clock.now() + timedelta(days=days, minutes=1)
    host = stage.standby.hostname
    stage.trust.shown[host] = SeenCertificate("192.0.2.1", Health.GOOD, (WWW,), "an authority", until)
    assert bad(ready(stage)) == ({("certificate", f"{WWW} at cloudflare"): state} if state else {})


@pytest.mark.parametrize(("health", "state"), [(Health.BAD, State.FAIL), (Health.UNKNOWN, State.UNKNOWN)])
def test_certificates_that_are_turned_down(stage: Stage, health: Health, state: State) -> None:
    """One that browsers would turn down fails; one that nobody saw is unknown."""
    shown = SeenCertificate("192.0.2.1", health, problem="TLS: wrong name")
    stage.trust.shown[stage.standby.hostname] = shown
    check = only(ready(stage), "certificate")
    assert (check.state, "TLS: wrong name" in check.text) == (state, True)


@pytest.mark.parametrize(("age", "state"), [(timedelta(minutes=30), State.WARN), (timedelta(hours=2), State.FAIL)])
def test_a_standby_with_an_older_build(stage: Stage, age: timedelta, state: State) -> None:
    """Older than what users have is a warning within the RPO, and a failure beyond it."""
    stage.edges["cloudflare"] = older(age)
    assert bad(ready(stage)) == {("build", "cloudflare"): state}


def test_a_standby_that_does_not_serve(stage: Stage) -> None:
    """What would be refused in the incident fails now; what nobody can see is unknown."""
    stage.edges["cloudflare"] = REFUSED
    assert bad(ready(stage)) == {("build", "cloudflare"): State.FAIL}
    stage.edges["cloudflare"] = UNSEEN
    assert bad(ready(stage)) == {("build", "cloudflare"): State.UNKNOWN}


def test_an_origin_that_does_not_serve(stage: Stage) -> None:
    """A failover to another CDN would be refused."""
    stage.origin = REFUSED
    assert bad(ready(stage)) == {("origin", stage.site.origin.url): State.FAIL}


def test_name_servers_that_do_not_answer(stage: Stage) -> None:
    """D6: a run waits for every one of them, so a single one is a failure."""
    stage.servers[0].problem = "no answer"
    check = only(ready(stage), "name-servers")
    assert (check.state, stage.servers[0].name in check.text) == (State.FAIL, True)


@pytest.mark.parametrize(("silent", "state"), [(1, State.WARN), (3, State.FAIL)])
def test_resolvers_that_do_not_answer(stage: Stage, silent: int, state: State) -> None:
    """One is a warning; fewer than a run needs are a failure."""
    for server in stage.resolvers[-silent:]:
        server.problem = "SERVFAIL"
    assert only(ready(stage), "resolvers").state is state


def test_observers_that_are_offline(stage: Stage) -> None:
    """Fewer than the quorum see nothing that counts."""
    stage.reaches = lambda name: name != "south"
    assert only(ready(stage), "observers").state is State.WARN
    stage.reaches = lambda name: name == "north"
    assert only(ready(stage), "observers").state is State.FAIL
