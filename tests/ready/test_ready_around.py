"""What else would stop a recovery: the machine, its people, its secrets, its proofs, and zones that do not agree."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from defib.clock import Deadline
from defib.errors import Denied, Unavailable
from defib.lab.certificates import LabAuthority
from defib.lease import Holder, Lease
from defib.observe.killswitch import set_kill_switch
from defib.observe.memory import MemoryServer
from defib.outside import Outside, open_outside
from defib.ports import Answer, Answers, Attachment, EdgeStatus, Quota, RecordChange, RecordKey, RecordSet
from defib.providers.cdn.memory import MemoryCdn
from defib.providers.dns.memory import MemoryZone
from defib.ready.access import Access, Grant
from defib.ready.check import State
from defib.ready.inspect import Instruments, inspect
from defib.report.artifacts import readiness_rows, readiness_text
from tests.ready.ready_scene import HEALTH_CHECK, WWW, bad, only, ready
from tests.stage import REFUSED, RUNBOOKS, Stage, seconds


def test_our_own_network_is_nobody_elses_failure(stage: Stage) -> None:
    """Where no observer reaches anybody, what was not served is unknown: it is us who are offline."""
    stage.online = False
    stage.view = lambda *_: REFUSED
    stage.servers[0].problem = "connection refused"
    found = ready(stage)
    failed = {name for (name, _), state in bad(found).items() if state is State.FAIL}
    assert failed == {"network", "observers"}
    assert {state for (name, _), state in bad(found).items() if name in {"users", "build", "certificate"}} == {State.UNKNOWN}


def test_a_vendor_that_does_not_answer_is_unknown(stage: Stage) -> None:
    """What could not be asked is not good, and not a failure either; everything else is still found."""
    stage.memory.failures.schedule(Unavailable("500"), calls=99)
    found = ready(stage)
    assert {state for (name, _), state in bad(found).items() if name in {"steering", "ttl"}} == {State.UNKNOWN}
    stage.cdns["cloudflare"].failures.schedule(Denied("403"), calls=99)
    assert only(ready(stage), "alias").state is State.FAIL


def test_hosts(stage: Stage) -> None:
    """A name that is not attached, an account that is suspended, a certificate about to end."""
    if not stage.site.hosts:
        pytest.skip("the site has no hosts")
    host = stage.hosts["netlify"]
    host.put(Attachment(WWW, attached=False, verified=False, certificate_until=None, problem="not attached"))
    host.quota_told = Quota(suspended=True, details="payment overdue")
    found = bad(ready(stage))
    assert found == {("attachment", f"{WWW} at netlify"): State.FAIL, ("quota", "netlify"): State.FAIL}
    host.put(Attachment(WWW, attached=True, verified=True, certificate_until=stage.clock.now() + timedelta(days=8)))
    host.quota_told = Quota(suspended=None, details="unknown: the platform does not tell")
    found = bad(ready(stage))
    assert found == {("attachment", f"{WWW} at netlify"): State.WARN, ("quota", "netlify"): State.UNKNOWN}


def test_the_kill_switch(stage: Stage) -> None:
    """While it is on, nothing automatic would start."""
    set_kill_switch(stage.desk.home.path, who="me", why="maintenance", at=stage.clock.now())
    check = only(ready(stage), "kill-switch")
    assert (check.state, "maintenance" in check.text) == (State.FAIL, True)


def test_a_lease_that_is_held(stage: Stage) -> None:
    """A second run would be refused; the finding names the first."""
    lease = Lease.take(stage.desk.home.site("lab"), stage.clock, Holder.me("the-other-run"))
    check = only(ready(stage), "lease")
    assert (check.state, "the-other-run" in check.text) == (State.FAIL, True)
    lease.release()
    assert bad(ready(stage)) == {}


@pytest.mark.parametrize(
    ("free", "state"), [(99_999_999, State.FAIL), (100_000_000, State.WARN), (999_999_999, State.WARN), (10**9, None)]
)
def test_a_disk_that_is_full(stage: Stage, free: int, state: State | None) -> None:
    """A run that cannot write its journal changes nothing."""
    assert bad(ready(stage, free=free)) == ({("disk", str(stage.desk.home.path)): state} if state else {})


def test_a_channel_without_its_secret(stage: Stage) -> None:
    """Nobody would be told there."""
    (stage.desk.home.path / "lab" / "secrets" / "alert-mail").unlink()
    assert bad(ready(stage)) == {("alerts", "mail"): State.FAIL}


def test_a_channel_that_nothing_can_be_sent_to(stage: Stage) -> None:
    """A secret that is no address is found before there is something to say."""
    (stage.desk.home.path / "lab" / "secrets" / "alert-mail").write_text("nonsense", encoding="utf-8")
    assert bad(ready(stage)) == {("alerts", "mail"): State.FAIL}


def test_a_status_page_without_its_token(stage: Stage) -> None:
    """Users would read of nothing there."""
    (stage.desk.home.path / "lab" / "secrets" / "statuspage-token").unlink()
    assert bad(ready(stage)) == {("alerts", "statuspage"): State.FAIL}


def test_a_vendors_hiccup_is_no_finding(stage: Stage) -> None:
    """Credentials are asked for twice where the first time brought no answer."""

    @dataclass
    class Hiccup:
        about: str = "route53 Z0PULSETRADING"
        left: int = 1

        def granted(self, *, within: Deadline) -> Grant:
            del within
            self.left -= 1
            if self.left >= 0:
                raise Unavailable("500")
            return Grant(may_edit=True)

    for hiccups, state in ((1, State.OK), (2, State.UNKNOWN)):
        accesses: tuple[Access, ...] = (Hiccup(left=hiccups),)
        none = Instruments(
            claims=lambda *_: {}, free=lambda _: 10**12, at_once=1, audits=lambda *_: {}, replicas=lambda *_: {}
        )
        tools = replace(none, accesses=lambda *_, told=accesses: told)
        found = inspect(stage.desk, str(stage.site_path), tools)
        assert [check.state for check in found.checks if check.name == "credentials"] == [state]


def test_who_holds_the_name_cannot_be_told(stage: Stage) -> None:
    """C14: that the standby would not answer for the name is a failure whether or not the vendor tells who does."""

    @dataclass(frozen=True)
    class Silent:
        def holders(self, name: str, *, within: Deadline) -> tuple[str, ...]:
            raise Unavailable("500")

    stage.cdns["cloudflare"] = MemoryCdn("cloudflare", EdgeStatus(True, True, (), "origin", "1"))
    check = only(ready(stage, claims={"cloudflare": Silent()}), "alias")
    assert (check.state, "could not be told" in check.text) == (State.FAIL, True)


def test_the_artifacts_rows_begin_with_the_worst(stage: Stage) -> None:
    """Whoever opens the dashboard reads first what would stop a recovery, without anything that would show as markup."""
    stage.edges["cloudflare"] = replace(REFUSED, reason="\x1b[31m<b>refused</b>")
    found = ready(stage)
    rows = readiness_rows(found)
    assert rows[0]["state"] == "fail"
    assert [row["state"] for row in rows] == sorted(
        (row["state"] for row in rows), key=["fail", "unknown", "warn", "ok"].index
    )
    assert all("\x1b" not in text for row in rows for text in row.values())
    assert readiness_text(found).startswith("**lab: fail** at 2026-01-01 00:00")


def test_a_procedure_that_was_never_proved(stage: Stage) -> None:
    """Never is a warning, with the command that proves it."""
    check = only(ready(stage), "proved", "cdn-failover")
    assert (check.state, check.text) == (State.WARN, "never")
    assert check.then == "defib drill cdn-failover --site lab"


def test_a_procedure_that_was_proved(stage: Stage) -> None:
    """The run that recovered is named, until it is too long ago."""
    run = stage.recovered()
    found = [check for check in ready(stage).checks if (check.name, check.about) == ("proved", "cdn-failover")]
    assert [(check.state, run.id in check.text) for check in found] == [(State.OK, True)]
    stage.clock.set_wall(timedelta(days=36))
    assert only(ready(stage), "proved", "cdn-failover").state is State.WARN


def test_what_changed_since_the_proof(stage: Stage, tmp_path: Path) -> None:
    """What a procedure leans on in the site file, or its runbook, was never proved as it is now; the finding says which."""
    stage.recovered()
    changed, before = tmp_path / "lab.yaml", stage.site_path.read_text(encoding="utf-8")
    changed.write_text(before.replace("title: Pulse", "title: Other") + "\n# changed\n", encoding="utf-8")
    stage.site_path = changed
    found = [check.state for check in ready(stage).checks if (check.name, check.about) == ("proved", "cdn-failover")]
    assert found == [State.OK]
    changed.write_text(before.replace("stable_for: 3s", "stable_for: 4s"), encoding="utf-8")
    check = only(ready(stage), "proved", "cdn-failover")
    assert (check.state, "changed since: verification: in the site file" in check.text) == (State.WARN, True)
    runbooks = tmp_path / "runbooks"
    runbooks.mkdir()
    for path in stage.runbooks.glob("*.md"):
        (runbooks / path.name).write_text(path.read_text(encoding="utf-8") + "\nMore.\n", encoding="utf-8")
    stage.desk = replace(stage.desk, runbooks=runbooks)
    check = only(ready(stage), "proved", "cdn-failover")
    assert "the runbook (cdn-failover.md), verification: in the site file" in check.text


def test_a_run_that_stopped_half_way(stage: Stage) -> None:
    """Its changes stand, and a new run would be refused."""
    run = stage.recovered()
    journal = stage.desk.home.run(run.id) / "journal.jsonl"
    lines = journal.read_text(encoding="utf-8").splitlines(keepends=True)
    closed = [number for number, line in enumerate(lines) if json.loads(line)["kind"] == "Closed"]
    journal.write_text("".join(lines[: closed[-1]]), encoding="utf-8")
    check = only(ready(stage), "unfinished-run")
    assert (check.state, check.then.startswith("defib resume ")) == (State.FAIL, True)


def test_without_its_secrets_the_outside_is_unknown(stage: Stage, tmp_path: Path) -> None:
    """A missing secret is a failure by its reference; what it kept from being asked is unknown, and the rest is found."""
    (stage.desk.home.path / "lab" / "lab.json").write_text("{}", encoding="utf-8")
    (stage.desk.home.path / "lab" / "ca.pem").write_bytes(LabAuthority().pem)
    stage.desk = replace(stage.desk, opener=open_outside)
    found = ready(stage)
    names = {name for name, _ in bad(found)}
    assert names == {"credentials", "outside"}
    assert bad(found)["outside", "lab"] is State.UNKNOWN
    assert "lease" in {check.name for check in found.checks}


def test_servers_that_differ(stage: Stage) -> None:
    """D6: one that keeps an old answer is named."""
    laggard: MemoryServer = stage.servers[0]
    laggard.lag = timedelta(days=1)
    stage.change_by_hand(stage.standby.hostname)
    check = only(ready(stage), "name-servers")
    assert (check.state, laggard.name in check.text) == (State.FAIL, True)


def armed(folder: Path, **wrong: str) -> Stage:
    """A world with a switch, whose primary record set of the apex has the attributes of `wrong` instead of its own."""
    stage = Stage(folder / "home", RUNBOOKS / "sites" / "lab-armed.yaml")
    sets = []
    for host, role in zip(stage.site.hosts, ("PRIMARY", "SECONDARY"), strict=True):
        for each in host.records:
            own = {"Failover": role} | ({"HealthCheckId": HEALTH_CHECK} if role == "PRIMARY" else {})
            own |= wrong if (role, each.type) == ("PRIMARY", "A") else {}
            sets.append(RecordSet(each.key, each.ttl, each.values, tuple(sorted(own.items()))))
    stage.memory = stage.zone = stage.memories[0] = MemoryZone(stage.site.dns[0].zone, sets, vendor="route53")
    return stage


def test_failover_record_sets_do_not_say_where_users_are(tmp_path: Path) -> None:
    """Which of them is answered the switch decides: only of that it is said where users are sent."""
    found = ready(armed(tmp_path))
    told = {check.about.partition(" ")[0]: check.text for check in found.checks if check.name == "steering"}
    assert "their switch says where users are sent" in told["route53"]
    assert told["s3-switch"] == "users are sent to vercel"


@pytest.mark.parametrize("wrong", [{"HealthCheckId": "another"}, {"Failover": "SECONDARY"}])
def test_a_switch_that_would_turn_nothing(tmp_path: Path, wrong: dict[str, str]) -> None:
    """D9: a failover record set that does not hang on the switch's health check is found before the incident."""
    check = only(ready(armed(tmp_path, **wrong)), "steering", "route53")
    assert (check.state, "would not turn pulse-trading-armed.test. A (vercel)" in check.text) == (State.FAIL, True)


@dataclass
class Moved:
    """Answers of resolvers that follow a delegation which leads elsewhere."""

    inner: Answers

    def authoritative(self, key: RecordKey, *, within: Deadline, at: str = "") -> tuple[Answer, ...]:
        """As the servers of the site file say."""
        return self.inner.authoritative(key, within=within, at=at)

    def resolvers(self, key: RecordKey, *, within: Deadline, only: Collection[str] = ()) -> tuple[Answer, ...]:
        """As somebody else's servers say."""
        return tuple(
            replace(each, values=("elsewhere.test.",)) for each in self.inner.resolvers(key, within=within, only=only)
        )


def test_a_zone_that_users_are_not_answered_from(stage: Stage) -> None:
    """A zone that was moved to another provider: its old servers agree, and no change there would reach anybody."""
    outside = stage.outside
    stage.outside = lambda: replace(outside(), answers=Moved(outside().answers))  # type: ignore[method-assign]
    check = only(ready(stage), "name-servers")
    assert (check.state, "resolver-6: elsewhere.test." in check.text) == (State.FAIL, True)


def test_several_zones_that_do_not_agree(tmp_path: Path) -> None:
    """D10: a state split between providers is a failure, though each zone by itself is as a run leaves it."""
    site = RUNBOOKS / "sites" / "lab-two-dns.yaml"
    stage = Stage(tmp_path / "home", site)
    moved = replace(stage.record, values=(stage.standby.hostname,))
    stage.memories[0].replace([RecordChange(stage.record, moved)], within=Deadline.after(stage.clock, seconds(1)))
    outside: Outside = stage.outside()
    assert len(outside.zones) > 1
    check = only(ready(stage), "steering", "all zones together")
    assert (check.state, "no one way" in check.text) == (State.FAIL, True)


@pytest.mark.parametrize(
    ("kind", "value", "state"),
    [
        ("AAAA", "2001:db8::1", State.FAIL),
        ("HTTPS", "0 elsewhere.test.", State.FAIL),
        ("HTTPS", "1 . alpn=h2 ech=AEX+DQBB", State.FAIL),
        ("HTTPS", "1 . alpn=h2,h3 ipv4hint=127.77.8.1", None),
    ],
)
def test_a_record_set_that_the_site_file_forgot(stage: Stage, kind: str, value: str, state: State | None) -> None:
    """D4: a run would be refused for it; that is found before the incident, with what to do."""
    key = RecordKey("pulse-trading.test.", kind)
    records = [*stage.memory.records, RecordSet(key, timedelta(seconds=60), (value,))]
    stage.memory = stage.zone = stage.memories[0] = MemoryZone("pulse-trading.test.", records, vendor="route53")
    found = bad(ready(stage))
    assert found == ({("forgotten", str(key)): state} if state else {})


@dataclass
class Weighted:
    """Answers of servers that have an AAAA from weighted sets, which no key without its identifier reads."""

    inner: Answers

    def authoritative(self, key: RecordKey, *, within: Deadline, at: str = "") -> tuple[Answer, ...]:
        """The weighted one, or as in the world."""
        found = self.inner.authoritative(key, within=within, at=at)
        routed = key == RecordKey("pulse-trading.test.", "AAAA")
        return tuple(replace(each, values=("2001:db8::1",)) for each in found) if routed else found

    def resolvers(self, key: RecordKey, *, within: Deadline, only: Collection[str] = ()) -> tuple[Answer, ...]:
        """As in the world."""
        return self.inner.resolvers(key, within=within, only=only)


def test_weighted_record_sets_that_the_site_file_forgot(stage: Stage) -> None:
    """D4: they are answered all the same, and a run would be refused for them."""
    outside = stage.outside
    stage.outside = lambda: replace(outside(), answers=Weighted(outside().answers))  # type: ignore[method-assign]
    check = only(ready(stage), "forgotten")
    assert (check.state, "2001:db8::1, from routed record sets" in check.text) == (State.FAIL, True)


@pytest.mark.parametrize(
    ("signed", "silent", "state"),
    [((0, 1), False, State.OK), ((), False, State.OK), ((0,), False, State.FAIL), ((0, 1), True, State.UNKNOWN)],
)
def test_a_zone_that_not_all_of_its_providers_sign(
    tmp_path: Path, signed: tuple[int, ...], silent: bool, state: State
) -> None:
    """D15: resolvers that validate would refuse the others' answers, and a run is refused; who is silent is unknown."""
    stage = Stage(tmp_path / "home", RUNBOOKS / "sites" / "lab-two-dns.yaml")
    key = RecordSet(RecordKey(stage.site.dns[0].zone, "DNSKEY"), timedelta(hours=1), ("257 3 13 AAAA",))
    for number in signed:
        zone = stage.memories[number]
        stage.memories[number] = MemoryZone(key.key.name, [*zone.records, key], vendor=zone.vendor)
    stage.memory = stage.zone = stage.memories[0]
    stage.servers[0].problem = "no answer" if silent else ""
    (check,) = [check for check in ready(stage).checks if check.name == "dnssec"]
    assert check.state is state, check


@pytest.mark.parametrize(
    ("proxied", "server", "state"),
    [(True, "cloudflare", State.FAIL), (True, "Netlify", State.OK), (False, "cloudflare", None)],
)
def test_a_proxied_name_and_a_backup_behind_the_same_proxy(
    tmp_path: Path, proxied: bool, server: str, state: State | None
) -> None:
    """D5: 1014 is seen before the incident, and only of names that are proxied."""
    stage = Stage(tmp_path / "home", RUNBOOKS / "sites" / "lab-cloudflare.yaml")
    if proxied:
        marked = [replace(each, attributes=(("proxied", "true"),)) for each in stage.memory.records]
        stage.memory = stage.zone = stage.memories[0] = MemoryZone(stage.site.dns[0].zone, marked, vendor="cloudflare")
    stage.edges["netlify"] = replace(stage.edges["netlify"], server=server)
    told = [check for check in ready(stage).checks if check.name == "proxy" and check.about.endswith(" at netlify")]
    assert {check.state for check in told} == ({state} if state else set())
