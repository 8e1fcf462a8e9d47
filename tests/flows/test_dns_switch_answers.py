"""dns-switch where name servers, resolvers or platforms say something odd: what is told, and what is waited for."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from defib import entries
from defib.clock import Deadline
from defib.errors import Unavailable
from defib.journal import Record
from defib.objectives import Status, Verdict
from defib.ports import Build, Health, RecordKey
from defib.providers.dns.memory import MemoryZone
from defib.timeline import timeline
from defib.users.trust import CaaPolicy, CaaRecord, SeenCertificate
from tests.flows.dns_switch_stage import (
    APEX,
    BACKUP,
    WWW,
    AsProxied,
    Flattened,
    ReadOnceChanged,
    Site,
    Together,
    Unheard,
    at_cloudflare,
    netlify,
    notes,
    stands,
    two_providers,
    with_a_wildcard,
    with_ipv6,
    world,
)
from tests.stage import BUILD, DEAD, REFUSED, Doing, Stage, impatient, older, seconds


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """The lab's own site, its host down."""
    return world(tmp_path)


def shown_to_users(stage: Stage, seen: SeenCertificate, until: datetime | None = None) -> None:
    """What users of the apex are shown until `until`, or ever, found as they find it; the backup itself is in order."""
    look = stage.trust.look

    def as_users(url: str, connect_to: str = "", *, within: Deadline) -> tuple[SeenCertificate, ...]:
        not_yet = until is None or stage.clock.now() < until
        if not_yet and not connect_to and urlsplit(url).hostname == "pulse-trading.test":
            return (seen,)
        return look(url, connect_to, within=within)

    stage.trust.look = as_users  # type: ignore[method-assign]


class TestOtherNames:
    """Users of the apex are users, too: they have the site back, or it is not recovered."""

    NOT_YET = SeenCertificate("127.77.8.1", Health.BAD, problem="connection refused")

    def test_they_are_waited_for(self, stage: Stage) -> None:
        """A resolver that keeps the apex for longer than www: told once, and done when its users arrive."""
        until = stage.clock.now() + timedelta(minutes=7)
        shown_to_users(stage, self.NOT_YET, until)
        run, outcome = stage.recover("dns-switch")
        assert (outcome.status, run.journal.records[-1].at >= until) == (Status.RECOVERED, True)
        assert notes(stage).count("users of pulse-trading.test. are not served at 127.77.8.1: connection refused") == 1

    def test_they_never_arrive(self, stage: Stage) -> None:
        """Not recovered; and what www's users have is not taken from them."""
        shown_to_users(stage, self.NOT_YET)
        run, outcome = stage.recover("dns-switch")
        assert (outcome.status, stands(stage.memory)) == (Status.FAILED, BACKUP)
        assert "verify-the-users: its budget is spent" in str(outcome)
        assert timeline(run.journal.records).rto.verdict is not Verdict.MET


class TestWarnings:
    """What is told and stops nothing."""

    def test_caa_keeps_the_backup_from_renewing(self, stage: Stage) -> None:
        """D13: a CAA record that excludes the backup's authority is told; the certificate that stands is still good."""
        policy = CaaPolicy(WWW, APEX, (CaaRecord(0, "issue", "digicert.com"),))
        stage.trust.policies[WWW] = policy
        _, outcome = stage.recover("dns-switch")
        assert outcome.status is Status.RECOVERED
        assert "may not be able to renew the certificate of www.pulse-trading.test." in notes(stage)

    def test_apis_that_the_page_calls(self, stage: Stage) -> None:
        """An API that nobody reaches is told by its address."""
        stage.apis = REFUSED
        stage.recover("dns-switch")
        assert "which the page calls, cannot be reached" in notes(stage)

    def test_apis_that_hang(self, tmp_path: Path) -> None:
        """What stops nothing keeps users waiting for seconds, however many of them hang."""

        def many(plain: Site) -> None:
            plain["page"]["apis"] = [f"https://api-{number}.test/" for number in range(30)]
            plain["detection"]["probe_deadline"] = "5s"

        stage = world(tmp_path, many)
        stage.apis = DEAD
        run, outcome = stage.recover("dns-switch")
        proved = next(ended for ended in run.journal.of(entries.StepEnded) if ended.step == "prove-the-backup")
        assert (outcome.status, proved.took < seconds(10)) == (Status.RECOVERED, True)
        assert "no time was left to look whether https://api-29.test/" in notes(stage)

    def test_backup_that_this_machine_cannot_reach_over_ipv6(self, tmp_path: Path) -> None:
        """A machine without IPv6 recovers all the same, and says what it could not see."""
        stage = world(tmp_path, with_ipv6)
        stage.trust.shown["2001:db8::9"] = SeenCertificate("2001:db8::9", Health.BAD, problem="network unreachable")
        _, outcome = stage.recover("dns-switch")
        assert outcome.status is Status.RECOVERED
        assert "pulse-trading.test. was not seen at netlify (2001:db8::9)" in notes(stage)

    def test_wildcard_has_no_certificate_to_look_at(self, tmp_path: Path) -> None:
        """D14: nobody asks for a name with an asterisk, and a server that is asked for it shows what it likes."""
        stage = world(tmp_path, with_a_wildcard)
        look = stage.trust.look

        def as_servers_do(url: str, connect_to: str = "", *, within: Deadline) -> tuple[SeenCertificate, ...]:
            if "*" in url:
                return (SeenCertificate("127.77.9.1", Health.BAD, problem="for *.netlify.app"),)
            return look(url, connect_to, within=within)

        stage.trust.look = as_servers_do  # type: ignore[method-assign]
        _, outcome = stage.recover("dns-switch")
        assert (outcome.status, stands(stage.memory)[f"*.{APEX}", "A"]) == (Status.RECOVERED, ("127.77.9.1",))
        assert "*.pulse-trading.test. are not served" not in notes(stage)

    def test_wildcard_without_a_certificate_at_the_backup(self, tmp_path: Path) -> None:
        """D14: a name of it that was never attached would show a certificate error: told, as others may be attached."""
        stage = world(tmp_path, with_a_wildcard)
        look = stage.trust.look

        def as_servers_do(url: str, connect_to: str = "", *, within: Deadline) -> tuple[SeenCertificate, ...]:
            if "defib-looks-for-any-name.pulse-trading.test" in url:
                return (SeenCertificate("127.77.9.1", Health.BAD, problem="for *.netlify.app"),)
            return look(url, connect_to, within=within)

        stage.trust.look = as_servers_do  # type: ignore[method-assign]
        _, outcome = stage.recover("dns-switch")
        assert outcome.status is Status.RECOVERED
        told = "not every name of *.pulse-trading.test. has a certificate at netlify (127.77.9.1): for *.netlify.app"
        assert told in notes(stage)

    def test_other_name_that_this_machine_cannot_see(self, stage: Stage) -> None:
        """Nobody can tell is no reason to call a recovery failed, and is told."""
        shown_to_users(stage, SeenCertificate("", Health.UNKNOWN, problem="no resolver answers here"))
        _, outcome = stage.recover("dns-switch")
        assert outcome.status is Status.RECOVERED
        assert "nobody can tell whether users of pulse-trading.test. are served at netlify: no resolver" in notes(stage)

    def test_platform_does_not_answer(self, stage: Stage) -> None:
        """What the backup serves decides; that its API is silent is told."""
        netlify(stage).failures.schedule(Unavailable("down"), calls=9)
        _, outcome = stage.recover("dns-switch")
        assert (outcome.status, "netlify could not be asked" in notes(stage)) == (Status.RECOVERED, True)

    def test_older_build_that_the_objective_allows(self, stage: Stage) -> None:
        """Half an hour of loss is within the hour, and is the recovery point."""
        stage.edges["netlify"] = older(timedelta(minutes=30))
        run, _ = stage.recover("dns-switch")
        rpo = timeline(run.journal.records).rpo
        assert (rpo.actual, rpo.verdict) == (timedelta(minutes=30), Verdict.MET)

    def test_newest_build_that_users_had_counts(self, stage: Stage) -> None:
        """What users were seen to have may be newer than what was remembered of them."""
        newer = Build("77" * 20, BUILD.built + timedelta(minutes=10))
        stage.clock.sleep(seconds(30))
        stage.remember(newer)
        run, _ = stage.recover("dns-switch")
        assert timeline(run.journal.records).rpo.actual == timedelta(minutes=10)

    def test_one_authoritative_server_keeps_the_old_answer(self, tmp_path: Path) -> None:
        """D6: one of four servers that never follows: not done, and named."""
        folder = tmp_path / "runbooks"
        folder.mkdir()
        stage = world(tmp_path, runbooks=impatient(folder))
        stage.servers[2].lag = timedelta(hours=1)
        _, outcome = stage.recover("dns-switch")
        assert (outcome.status, "ns-3" in outcome.reason) == (Status.FAILED, True)

    def test_one_resolver_is_stale(self, stage: Stage) -> None:
        """D7: one resolver of six that keeps the old answer beyond its TTL: done, with its name and the share."""
        stage.resolvers[5].least_ttl = timedelta(hours=1)
        asked = RecordKey(WWW, "CNAME")
        stage.outside().answers.resolvers(asked, within=Deadline.after(stage.clock, seconds(1)))
        run, outcome = stage.recover("dns-switch")
        moved = next(run.journal.of(entries.AnswersMoved))
        assert (outcome.status, moved.resolvers, moved.resolvers_asked) == (Status.RECOVERED, 5, 6)
        assert [stale.partition(" ")[0] for stale in moved.stale] == ["resolver-6"]

    def test_another_name_that_is_late_keeps_no_look_waiting(self, tmp_path: Path) -> None:
        """Users of the page are seen to be served as soon as they are, though a resolver holds the old apex for longer."""

        def until_served(folder: Path, held: timedelta) -> timedelta:
            folder.mkdir()
            stage = world(folder)
            stage.resolvers[0].least_ttl = held
            stage.outside().answers.resolvers(RecordKey(APEX, "A"), within=Deadline.after(stage.clock, seconds(1)))
            stage.resolvers[0].least_ttl = timedelta(0)
            run, outcome = stage.recover("dns-switch")
            assert outcome.status is Status.RECOVERED
            made = next(record.at for record in run.journal.records if isinstance(record.entry, entries.ChangeMade))
            return next(run.journal.of(entries.UsersServed)).since - made

        assert until_served(tmp_path / "late", timedelta(hours=1)) == until_served(tmp_path / "usual", timedelta(0))

    def test_those_that_are_waited_for_are_told_in_their_order(self, stage: Stage) -> None:
        """Whatever name each of them is late with: the same is then told once, and not again in another order."""
        for number, key in ((0, RecordKey(APEX, "A")), (1, RecordKey(WWW, "CNAME"))):
            stage.resolvers[number].least_ttl = timedelta(hours=1)
            stage.outside().answers.resolvers(key, within=Deadline.after(stage.clock, seconds(1)))
            stage.resolvers[number].least_ttl = timedelta(0)
        stage.clock.sleep(seconds(4))
        stage.recover("dns-switch")
        told = [line.partition("not yet: ")[2].split(", ") for line in notes(stage).splitlines() if "not yet: " in line]
        assert ["resolver-1", "resolver-2"] in told
        assert all(names == sorted(names) for names in told)

    def test_port_53_is_closed(self, stage: Stage) -> None:
        """D8: no name server is heard, resolvers are over HTTPS: that is enough, is said, and costs no more than a TTL."""
        run = stage.begin("dns-switch")
        run.outside = replace(run.outside, answers=Unheard(run.outside.answers))
        began, outcome = stage.clock.now(), stage.play(run)
        told = timeline(run.journal.records)
        assert (outcome.status, told.moved.authoritative, told.moved.resolvers) == (Status.RECOVERED, 0, 6)  # type: ignore[union-attr]
        assert "asked over HTTPS: resolver-1" in notes(stage)
        assert "nobody can tell what these name servers hold: ns-1 (no answer within 2 s), ns-2" in notes(stage)
        assert stage.clock.now() - began < timedelta(minutes=1)

    def test_all_names_are_asked_for_at_once(self, stage: Stage) -> None:
        """D8: where nobody answers, a round takes as long as one name does, and no look at users waits for more."""
        run = stage.begin("dns-switch")
        answers = Together(run.outside.answers, len(BACKUP))
        run.outside = replace(run.outside, answers=answers)

        def watch(record: Record) -> None:
            if isinstance(record.entry, entries.StepStarted):
                answers.watching = record.entry.step == "watch-the-answers"

        run.journal.follow(watch)
        outcome = stage.play(run)
        assert outcome.status is Status.RECOVERED

    def test_one_name_server_is_dead(self, stage: Stage) -> None:
        """D6: one of four that answers nobody sends nobody to what failed: waited for as long as the old TTL, and named."""
        stage.servers[2].problem = "no answer within 2 s"
        run, outcome = stage.recover("dns-switch")
        moved = next(run.journal.of(entries.AnswersMoved))
        assert (outcome.status, moved.authoritative, moved.silent) == (Status.RECOVERED, 3, ("ns-3 (no answer within 2 s)",))
        made = next(record.at for record in run.journal.records if isinstance(record.entry, entries.ChangeMade))
        assert moved.at - made >= max(record.ttl for record in stage.memory.records)
        assert "nobody can tell what these name servers hold: ns-3" in notes(stage)

    def test_a_name_server_that_falls_silent_with_the_old_answer(self, tmp_path: Path) -> None:
        """D6: its last word was the old answer, and it may still have it for others: not done, and named with that word."""
        folder = tmp_path / "runbooks"
        folder.mkdir()
        stage = world(tmp_path, runbooks=impatient(folder))
        stage.servers[2].lag = timedelta(hours=1)
        run = stage.begin("dns-switch", Doing(lambda: stage.clock.at(stage.clock.monotonic() + seconds(2), silence)))

        def silence() -> None:
            stage.servers[2].problem = "no answer within 2 s"

        outcome = stage.play(run)
        assert outcome.status is Status.FAILED
        assert "keep the old answer: ns-3 (d2pulsetrading.cloudfront.net.)" in outcome.reason

    def test_proxied_names_are_not_compared(self, stage: Stage) -> None:
        """D5: what Cloudflare proxies is answered with its own addresses before and after: users are looked at instead."""
        proxied = [replace(record, attributes=(("proxied", "true"),)) for record in stage.memory.records]
        stage.memory = stage.zone = MemoryZone(APEX, proxied, vendor="route53")
        run, outcome = stage.recover("dns-switch")
        assert outcome.status is Status.RECOVERED
        assert "not compared, but looked at" in notes(stage)
        assert next(run.journal.of(entries.AnswersMoved)).resolvers_asked == 0

    @pytest.mark.parametrize("api", ["answers", "is silent"])
    def test_a_proxied_name_that_is_there_already(self, tmp_path: Path, api: str) -> None:
        """D2, D5: moved by hand, it is not in the plan, and no server will ever say so; nobody waits for that."""
        stage = world(tmp_path, at_cloudflare)
        apex, www = stage.memory.records
        proxied = (("proxied", "true"), ("ttl", "automatic"))
        records = [apex, replace(www, values=BACKUP[WWW, "CNAME"], attributes=proxied)]
        stage.memory = stage.zone = MemoryZone(APEX, records, vendor="cloudflare")
        run = stage.begin("dns-switch", forced=True)
        run.outside = replace(run.outside, answers=AsProxied(run.outside.answers))
        if api == "is silent":
            unheard = ReadOnceChanged(stage.memory)
            run.outside = replace(run.outside, zones=(unheard,))
            run.changes = type(run.changes)(run.journal, run.clock, (unheard,), run.changes.lease)
        outcome = stage.play(run)
        assert (outcome.status, stands(stage.memory)) == (Status.RECOVERED, BACKUP)
        assert f"not compared, but looked at: {WWW} CNAME at cloudflare" in notes(stage)
        assert ("could not be asked how its record sets stand" in notes(stage)) is (api == "is silent")
        assert next(run.journal.of(entries.AnswersMoved)).authoritative == 4

    def test_a_name_that_one_provider_flattens(self, tmp_path: Path) -> None:
        """D3, D10: resolvers that ask it are given addresses that nobody can foretell; the other provider proves nothing."""

        def flattened(plain: Site) -> None:
            two_providers(plain)
            at_cloudflare(second := {"dns": plain["dns"][0]})
            plain["dns"] = [plain["dns"][1], second["dns"]]
            for host, name in zip(plain["hosts"], ("vercel-dns.com", "netlify.app"), strict=True):
                apex = host["records"][-1]
                host["records"] += [
                    {"name": apex["name"], "type": "CNAME", "values": [f"apex.{name}"], "at": "cloudflare"},
                    apex | {"at": "rfc2136"},
                ]
                host["records"].remove(apex)

        stage = world(tmp_path, flattened)
        run = stage.begin("dns-switch")
        run.outside = replace(run.outside, answers=Flattened(run.outside.answers))
        outcome = stage.play(run)
        assert outcome.status is Status.RECOVERED, outcome
        assert f"not compared, but looked at: {APEX} CNAME at cloudflare" in notes(stage)
        assert stands(stage.memory)[APEX, "A"] == ("127.77.9.1",)
