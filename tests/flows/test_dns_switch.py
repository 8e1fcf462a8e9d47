"""The whole of dns-switch under a simulated clock: all names of all providers together, or none, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from defib import entries
from defib.clock import Deadline
from defib.errors import InputError, Unavailable
from defib.objectives import Status, Verdict
from defib.ports import Answer, Answers, Attachment, Build, Health, Quota, RecordChange, RecordKey, RecordSet
from defib.providers.dns.memory import MemoryZone
from defib.providers.host.memory import MemoryHost
from defib.providers.wrappers.around import ZoneAround
from defib.timeline import timeline
from defib.trust import CaaPolicy, CaaRecord, SeenCertificate
from flows import dns_switch
from tests.stage import BUILD, DEAD, GOOD, LAB, REFUSED, RUNBOOKS, UNSEEN, Doing, Stage, impatient, older, seconds, steps

WWW, APEX = "www.pulse-trading.test.", "pulse-trading.test."
BACKUP = {(WWW, "CNAME"): ("pulse-trading.netlify.app.",), (APEX, "A"): ("127.77.9.1",)}
PRIMARY = {(WWW, "CNAME"): ("d2pulsetrading.cloudfront.net.",), (APEX, "A"): ("127.77.8.1",)}

Site = dict[str, Any]


def world(folder: Path, edit: Callable[[Site], None] = lambda _: None, runbooks: Path = RUNBOOKS) -> Stage:
    """A world whose primary host refuses connections, of the lab's site file as `edit` leaves it."""
    yaml = YAML(typ="safe")
    plain = yaml.load(LAB.read_text(encoding="utf-8"))
    plain["hosts"] = [host for host in plain["hosts"] if host["name"] != "aws"]
    edit(plain)
    path = folder / "lab.yaml"
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(plain, file)
    stage = Stage(folder, site_path=path, runbooks=runbooks)
    stage.remember()
    stage.host_fails()
    return stage


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """The lab's own site, its host down."""
    return world(tmp_path)


class ControlPlaneDown(ZoneAround):
    """Its name servers answer, and its API does not."""

    def read(self, keys: Sequence[RecordKey], *, within: Deadline) -> tuple[RecordSet | None, ...]:
        raise Unavailable("control plane down")


@dataclass
class Routed:
    """Answers of servers that have an AAAA from weighted sets beside what can be read."""

    inner: Answers

    def authoritative(self, key: RecordKey, *, within: Deadline, at: str = "") -> tuple[Answer, ...]:
        """The weighted answer, or that of the world."""
        if key == RecordKey(APEX, "AAAA"):
            return (Answer("ns-1", None, problem="silent"), Answer("ns-2", ("2001:db8::1",), seconds(60)))
        return self.inner.authoritative(key, within=within, at=at)

    def resolvers(self, key: RecordKey, *, within: Deadline, only: Collection[str] = ()) -> tuple[Answer, ...]:
        """As in the world."""
        return self.inner.resolvers(key, within=within, only=only)


def two_providers(plain: Site) -> None:
    """The zone is held by a second provider as well."""
    second = {
        "provider": "rfc2136",
        "zone": plain["dns"]["zone"],
        "primary": {"name": "primary", "address": "127.77.5.11", "port": 5300},
        "servers": [{"name": "second-1", "address": "127.77.5.11", "port": 5300}],
        "tsig": {"name": "defib", "secret": "file:lab/secrets/tsig-key"},
    }
    plain["dns"] = [plain["dns"], second]


def with_ipv6(plain: Site) -> None:
    """Both hosts have an address of each family for the apex."""
    for host, address in zip(plain["hosts"], ("2001:db8::8", "2001:db8::9"), strict=True):
        host["records"].append({"name": "pulse-trading.test", "type": "AAAA", "values": [address]})


def without_ipv6_at_the_backup(plain: Site) -> None:
    """The backup has no IPv6: while users are there, there is no AAAA."""
    with_ipv6(plain)
    plain["hosts"][1]["records"][-1]["values"] = []


def two_addresses_at_the_backup(plain: Site) -> None:
    """The apex leads to two servers of the backup."""
    plain["hosts"][1]["records"][1]["values"] = ["127.77.9.1", "127.77.9.2"]


def with_a_wildcard(plain: Site) -> None:
    """Whatever else is in the zone leads to the hosts, too."""
    for host, address in zip(plain["hosts"], ("127.77.8.1", "127.77.9.1"), strict=True):
        host["records"].append({"name": "*.pulse-trading.test", "type": "A", "values": [address]})


def stands(zone: MemoryZone) -> dict[tuple[str, str], tuple[str, ...]]:
    """What stands in a zone, by name and type."""
    return {(record.key.name, record.key.type): record.values for record in zone.records}


def notes(stage: Stage) -> str:
    """All notes in one text."""
    return "\n".join(record.entry.text for record in stage.seen if isinstance(record.entry, entries.Noted))


def netlify(stage: Stage) -> MemoryHost:
    """The backup's platform."""
    return stage.hosts["netlify"]


class TestSwitch:
    """What happens when all goes well."""

    def test_sends_every_name_to_the_backup(self, stage: Stage) -> None:
        """One batch for the zone, every step done in order, users served, RTO and RPO measured."""
        run, outcome = stage.recover("dns-switch", since=stage.clock.now())
        told = timeline(run.journal.records)
        assert outcome.status is Status.RECOVERED
        assert (stands(stage.memory), len(stage.memory.applied)) == (BACKUP, 1)
        assert steps(run) == [(name, "done") for name in dns_switch.PROCEDURE.steps]
        assert (told.rto.verdict, told.rpo.verdict) == (Verdict.MET, Verdict.MET)

    def test_and_back_again(self, stage: Stage) -> None:
        """D19: the failback puts back exactly what was there, TTLs and attributes included."""
        before = stage.memory.records
        run, _ = stage.recover("dns-switch")
        stage.origin = GOOD
        stage.edges.update(dict.fromkeys(stage.edges, GOOD))
        _, outcome = stage.recover("failback", follows=run.id)
        assert (outcome.status, stage.memory.records) == (Status.RECOVERED, before)

    def test_from_the_second_cdn(self, stage: Stage) -> None:
        """Users who had been failed over to the other CDN are sent on, and come back to it."""
        stage.change_by_hand("www.pulse-trading.test.cdn.cloudflare.net.")
        before = stage.memory.records
        run, outcome = stage.recover("dns-switch")
        assert (outcome.status, stands(stage.memory)) == (Status.RECOVERED, BACKUP)
        stage.origin = GOOD
        stage.edges.update(dict.fromkeys(stage.edges, GOOD))
        assert stage.recover("failback", follows=run.id)[1].status is Status.RECOVERED
        assert stage.memory.records == before

    def test_already_there(self, stage: Stage) -> None:
        """D2: users are at the backup already: no write, success."""
        stage.recover("dns-switch")
        written = len(stage.memory.applied)
        stage.edges["netlify"] = REFUSED
        stage.at(2, netlify=GOOD)
        run = stage.begin("dns-switch", forced=True)
        stage.edges["netlify"] = GOOD
        outcome = stage.play(run)
        assert (outcome.status, len(stage.memory.applied)) == (Status.RECOVERED, written)
        assert "already there" in notes(stage)

    def test_addresses_of_both_families(self, tmp_path: Path) -> None:
        """D4: A and AAAA are switched in one batch."""
        stage = world(tmp_path, with_ipv6)
        _, outcome = stage.recover("dns-switch")
        assert outcome.status is Status.RECOVERED
        assert stands(stage.memory) == BACKUP | {(APEX, "AAAA"): ("2001:db8::9",)}
        assert len(stage.memory.applied) == 1

    def test_backup_without_ipv6(self, tmp_path: Path) -> None:
        """D4: where the site file says that the backup has no AAAA, it goes with the A, and comes back."""
        stage = world(tmp_path, without_ipv6_at_the_backup)
        before = stage.memory.records
        run, outcome = stage.recover("dns-switch")
        assert (outcome.status, stands(stage.memory)) == (Status.RECOVERED, BACKUP)
        stage.origin = GOOD
        stage.edges.update(dict.fromkeys(stage.edges, GOOD))
        assert stage.recover("failback", follows=run.id)[1].status is Status.RECOVERED
        assert stage.memory.records == before

    def test_zone_that_is_delegated_from_another(self, tmp_path: Path) -> None:
        """A name is looked for in the zone that holds it, and not in the one around that."""
        app = "app.pulse-trading.test."

        def delegated(plain: Site) -> None:
            servers = [{"name": "app-1", "address": "127.77.5.4", "port": 5301}]
            inner = plain["dns"] | {"zone": app, "zone_id": "Z0APP", "servers": servers}
            plain["dns"] = [plain["dns"], inner]
            for host, address in zip(plain["hosts"], ("127.77.8.1", "127.77.9.1"), strict=True):
                host["records"].append({"name": app, "type": "A", "values": [address]})

        stage = world(tmp_path, delegated)
        _, outcome = stage.recover("dns-switch")
        assert outcome.status is Status.RECOVERED
        assert [stands(zone) for zone in stage.memories] == [BACKUP, {(app, "A"): ("127.77.9.1",)}]


class TestRefusals:
    """What is refused, with nothing written."""

    @pytest.fixture(autouse=True)
    def nothing_written(self, stage: Stage) -> Any:
        """Every refusal leaves the zone as it is."""
        yield
        assert stage.memory.applied == ()

    def refused(self, stage: Stage) -> str:
        """The reason of the refusal."""
        _, outcome = stage.recover("dns-switch")
        assert outcome.status is Status.REFUSED
        return outcome.reason

    def test_the_host_serves(self, stage: Stage) -> None:
        """A CDN that fails in front of a host that serves is the other procedure's."""
        stage.origin = GOOD
        assert "vercel serves the site" in self.refused(stage)
        assert "cdn-failover" in self.refused(stage)

    def test_nobody_can_tell_whether_the_host_serves(self, stage: Stage) -> None:
        """Looks that say nothing of the host are no proof that it failed."""
        stage.origin = UNSEEN
        assert "nobody can tell whether vercel serves" in self.refused(stage)

    def test_users_are_served(self, stage: Stage) -> None:
        """There is nothing to recover from."""
        stage.edges["cloudfront"] = GOOD
        assert "users are served" in self.refused(stage)

    def test_backup_does_not_serve(self, stage: Stage) -> None:
        """A backup that fails too gets nobody."""
        stage.edges["netlify"] = REFUSED
        assert "no backup can take the users" in self.refused(stage)

    @pytest.mark.parametrize("missing", ["attached", "verified", "certified"])
    def test_name_is_not_ready_at_the_backup(self, stage: Stage, missing: str) -> None:
        """D14: without the name, its verification or its certificate there is no switch."""
        netlify(stage).put(
            Attachment(
                APEX,
                attached=missing != "attached",
                verified=missing == "certified",
                certificate_until=None,
                problem="pending",
            )
        )
        assert f"pulse-trading.test. is not {missing} at netlify: pending" in self.refused(stage)

    def test_certificate_of_another_name(self, stage: Stage) -> None:
        """D14: the apex would show a certificate that browsers turn down; what is shown decides, not what the API says."""
        stage.trust.shown["127.77.9.1"] = SeenCertificate("127.77.9.1", Health.BAD, problem="for *.netlify.app")
        assert "users of pulse-trading.test. would get a certificate error at netlify" in self.refused(stage)

    def test_certificate_at_the_second_address(self, tmp_path: Path, stage: Stage) -> None:
        """D14: half of the users get the other address, and its certificate."""
        other = world(tmp_path, two_addresses_at_the_backup)
        other.trust.shown["127.77.9.2"] = SeenCertificate("127.77.9.2", Health.BAD, problem="for *.netlify.app")
        assert "users of pulse-trading.test. would get a certificate error at netlify (127.77.9.2)" in self.refused(other)
        assert other.memory.applied == ()

    def test_certificate_over_ipv6(self, tmp_path: Path, stage: Stage) -> None:
        """D4, D14: users with IPv6 are shown a certificate of their own."""
        other = world(tmp_path, with_ipv6)
        until = other.clock.now() + timedelta(days=60)
        other.trust.shown["2001:db8::9"] = SeenCertificate(
            "2001:db8::9", Health.BAD, ("a",), "b", until, "for *.netlify.app"
        )
        assert "users of pulse-trading.test. would get a certificate error at netlify (2001:db8::9)" in self.refused(other)
        assert other.memory.applied == ()

    def test_certificate_is_about_to_expire(self, stage: Stage) -> None:
        """D14: a certificate that ends within hours would end while users depend on it."""
        until = stage.clock.now() + timedelta(hours=3)
        stage.trust.shown[WWW.rstrip(".")] = SeenCertificate("a", Health.GOOD, (), "an authority", until)
        stage.trust.shown["pulse-trading.netlify.app."] = stage.trust.shown[WWW.rstrip(".")]
        assert "certificate error" in self.refused(stage)

    def test_account_is_suspended(self, stage: Stage) -> None:
        """A platform that serves nobody's pages for money or overuse gets nobody."""
        netlify(stage).quota_told = Quota(suspended=True, details="usage exceeded")
        assert "netlify has suspended the site" in self.refused(stage)

    def test_backup_is_too_old(self, stage: Stage) -> None:
        """A build that is older than the RPO allows is refused, with its age."""
        stage.edges["netlify"] = older(timedelta(hours=2))
        assert "2:00:00 older than the one that users had" in self.refused(stage)

    def test_nobody_knows_what_users_had(self, tmp_path: Path, stage: Stage) -> None:
        """An unknown loss is no loss of zero."""
        (stage.desk.home.site("lab") / "users-build.json").unlink()
        assert "the build that users had could not be read" in self.refused(stage)

    def test_record_is_neither(self, stage: Stage) -> None:
        """D1: the apex leads where no run of Defib leaves it."""
        www = next(record for record in stage.memory.records if record.key.type == "CNAME")
        foreign = RecordSet(RecordKey(APEX, "A"), seconds(60), ("192.0.2.7",))
        stage.memory = stage.zone = MemoryZone(APEX, [www, foreign], vendor="route53")
        assert "pulse-trading.test. A is not as any run of Defib leaves it" in self.refused(stage)

    def test_forgotten_ipv6(self, stage: Stage) -> None:
        """D4: an AAAA that the site file does not name would leave its users behind."""
        forgotten = RecordSet(RecordKey(APEX, "AAAA"), seconds(60), ("2001:db8::1",))
        stage.memory = stage.zone = MemoryZone(APEX, [*stage.memory.records, forgotten], vendor="route53")
        assert "pulse-trading.test. AAAA would stay as it is" in self.refused(stage)

    def test_forgotten_weighted_ipv6(self, stage: Stage) -> None:
        """D4: weighted sets read by no key without their identifiers, and are answered all the same."""
        run = stage.begin("dns-switch")
        run.outside = replace(run.outside, answers=Routed(run.outside.answers))
        outcome = stage.play(run)
        assert (outcome.status, "pulse-trading.test. AAAA would stay as it is" in outcome.reason) == (Status.REFUSED, True)

    def test_proxied_name_and_a_backup_behind_the_same_proxy(self, stage: Stage) -> None:
        """D5: a proxied record may not lead to a backup behind Cloudflare: it would be answered with 1014."""
        proxied = [replace(record, attributes=(("proxied", "true"),)) for record in stage.memory.records]
        stage.memory = stage.zone = MemoryZone(APEX, proxied, vendor="cloudflare")
        stage.edges["netlify"] = replace(GOOD, server="cloudflare")
        assert "1014" in self.refused(stage)

    def test_third_change_is_refused(self, stage: Stage) -> None:
        """D17: two of three record sets may change; when somebody changed one after the approval, none does."""
        apex = next(record for record in stage.memory.records if record.key.type == "A")
        moved = RecordChange(apex, replace(apex, values=("192.0.2.9",)))
        meddling = Doing(lambda: stage.memory.replace([moved], within=Deadline.after(stage.clock, seconds(1))))
        _, outcome = stage.recover("dns-switch", meddling)
        assert (outcome.status, "somebody else changed" in outcome.reason) == (Status.REFUSED, True)
        assert stands(stage.memory) == PRIMARY | {(APEX, "A"): ("192.0.2.9",)}
        stage.memory = MemoryZone(APEX)


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

    def test_port_53_is_closed(self, stage: Stage) -> None:
        """D8: that the resolvers had to be asked over HTTPS is said."""
        for resolver in stage.resolvers:
            resolver.via = "https"
        _, outcome = stage.recover("dns-switch")
        assert (outcome.status, "asked over HTTPS: resolver-1" in notes(stage)) == (Status.RECOVERED, True)

    def test_proxied_names_are_not_compared(self, stage: Stage) -> None:
        """D5: what Cloudflare proxies is answered with its own addresses before and after: users are looked at instead."""
        proxied = [replace(record, attributes=(("proxied", "true"),)) for record in stage.memory.records]
        stage.memory = stage.zone = MemoryZone(APEX, proxied, vendor="route53")
        run, outcome = stage.recover("dns-switch")
        assert outcome.status is Status.RECOVERED
        assert "not compared, but looked at" in notes(stage)
        assert next(run.journal.of(entries.AnswersMoved)).resolvers_asked == 0


class TestTwoProviders:
    """One zone at two providers: all switched, or all put back, or said loudly."""

    def test_both_are_switched(self, tmp_path: Path) -> None:
        """One approved plan, one change a provider."""
        stage = world(tmp_path, two_providers)
        _, outcome = stage.recover("dns-switch")
        assert outcome.status is Status.RECOVERED
        assert [stands(zone) for zone in stage.memories] == [BACKUP, BACKUP]

    def test_second_refuses_and_the_host_is_dead(self, tmp_path: Path) -> None:
        """D10: the first is left where users are served, the split state is shouted, and the run has failed."""
        stage = world(tmp_path, two_providers)
        stage.memories[1].failures.schedule(Unavailable("down"), calls=9, methods={"replace"})
        run, outcome = stage.recover("dns-switch")
        assert outcome.status is Status.FAILED
        assert outcome.reason.startswith("SPLIT STATE")
        assert "is changed at route53 and not at rfc2136" in outcome.reason
        assert f"defib resume {run.id}" in outcome.reason
        assert [stands(zone) for zone in stage.memories] == [BACKUP, PRIMARY]

    def test_second_refuses_and_the_host_is_back(self, tmp_path: Path) -> None:
        """D10: where nobody is harmed by it, the first is put back."""
        stage = world(tmp_path, two_providers)
        stage.memories[1].failures.schedule(Unavailable("down"), calls=9, methods={"replace"})
        run = stage.begin("dns-switch", Doing(lambda: stage.at(0, origin=GOOD, cloudfront=GOOD, cloudflare=GOOD)))
        outcome = stage.play(run)
        assert (outcome.status, "SPLIT" in outcome.reason) == (Status.ROLLED_BACK, False)
        assert [stands(zone) for zone in stage.memories] == [PRIMARY, PRIMARY]

    def test_one_provider_cannot_be_asked(self, tmp_path: Path) -> None:
        """D9: Route 53 does not answer: refused rather than split unasked; forced, the other provider's users are served."""
        stage = world(tmp_path, two_providers)
        stage.zone = ControlPlaneDown(stage.memory)
        _, outcome = stage.recover("dns-switch")
        assert (outcome.status, "route53 cannot be asked" in outcome.reason) == (Status.REFUSED, True)
        assert [stands(zone) for zone in stage.memories] == [PRIMARY, PRIMARY]
        run = stage.begin("dns-switch", forced=True)
        stage.play(run)
        assert [stands(zone) for zone in stage.memories] == [PRIMARY, BACKUP]

    def test_no_provider_can_be_asked(self, tmp_path: Path) -> None:
        """D9: what nobody could read is no plan that has nothing to change, also not where it is forced."""
        stage = world(tmp_path, two_providers)
        run = stage.begin("dns-switch", forced=True)
        run.outside = replace(run.outside, zones=tuple(map(ControlPlaneDown, run.outside.zones)))
        outcome = stage.play(run)
        assert (outcome.status, list(run.journal.of(entries.Planned))) == (Status.FAILED, [])

    def test_switch_cannot_be_asked(self, tmp_path: Path) -> None:
        """D9: beside a switch that is out of reach the record sets that it turns are no second provider."""

        def armed(plain: Site) -> None:
            plain |= YAML(typ="safe").load(LAB.with_name("lab-armed.yaml").read_text(encoding="utf-8"))
            del plain["cdns"], plain["steering"]
            plain["dns"].reverse()

        stage = world(tmp_path, armed)
        stage.zone = ControlPlaneDown(stage.memory)
        run = stage.begin("dns-switch", forced=True)
        outcome = stage.play(run)
        assert (outcome.status, list(run.journal.of(entries.Planned))) == (Status.FAILED, [])
        assert "already there" not in notes(stage)

    def test_resumed_to_the_end(self, tmp_path: Path) -> None:
        """D10: when the second provider is back, the run is taken up and nothing is done twice."""
        stage = world(tmp_path, two_providers)
        stage.memories[1].failures.schedule(Unavailable("down"), calls=9, methods={"replace"})
        run, _ = stage.recover("dns-switch")
        stage.memories[1].failures = type(stage.memories[1].failures)()
        _, outcome = stage.resume(run.id)
        assert outcome.status is Status.RECOVERED
        assert [stands(zone) for zone in stage.memories] == [BACKUP, BACKUP]
        assert [len(zone.applied) for zone in stage.memories] == [1, 1]

    def test_signed_at_one_provider_alone(self, tmp_path: Path) -> None:
        """D15: a signed zone whose second provider does not sign is refused, and the unsigned server named."""
        stage = world(tmp_path, two_providers)
        key = RecordSet(RecordKey(APEX, "DNSKEY"), seconds(3600), ("257 3 13 AAAA",))
        stage.memory = stage.zone = MemoryZone(APEX, [*stage.memory.records, key], vendor="route53")
        _, outcome = stage.recover("dns-switch")
        assert (outcome.status, "unsigned at second-1" in outcome.reason) == (Status.REFUSED, True)
        assert [zone.applied for zone in (stage.memory, stage.memories[1])] == [(), ()]


class TestLiveDrill:
    """Users are moved in earnest while they are served."""

    def test_moves_users_who_are_served(self, stage: Stage) -> None:
        """E10: marked as a live drill, it does the same with the same proofs, and nobody loses service."""
        stage.origin = GOOD
        stage.edges.update(dict.fromkeys(stage.edges, GOOD))
        run, outcome = stage.recover("dns-switch", live=True)
        told = timeline(run.journal.records)
        assert (outcome.status, stands(stage.memory)) == (Status.RECOVERED, BACKUP)
        assert (told.rto.actual, told.rto.verdict, told.rpo.verdict) == (timedelta(0), Verdict.MET, Verdict.MET)
        assert "a live drill: users are served" in notes(stage)
        assert stage.recover("failback", follows=run.id)[1].status is Status.RECOVERED

    def test_bad_backup_is_refused_all_the_same(self, stage: Stage) -> None:
        """A live drill is no force: what would harm users is refused."""
        stage.origin = GOOD
        stage.edges.update(dict.fromkeys(stage.edges, GOOD))
        stage.edges["netlify"] = older(timedelta(hours=2))
        _, outcome = stage.recover("dns-switch", live=True)
        assert (outcome.status, stage.memory.applied) == (Status.REFUSED, ())


class TestWayBack:
    """A failback brings all users back, or nobody."""

    def test_record_that_was_moved_by_hand(self, stage: Stage) -> None:
        """What the run found at the backup already would stay there: refused at once, before anything is split."""
        stage.change_by_hand("pulse-trading.netlify.app.")
        run, _ = stage.recover("dns-switch", forced=True)
        stage.origin = GOOD
        stage.edges.update(dict.fromkeys(stage.edges, GOOD))
        _, outcome = stage.recover("failback", follows=run.id)
        assert (outcome.status, f"{WWW} CNAME would stay" in outcome.reason) == (Status.REFUSED, True)
        assert stands(stage.memory) == BACKUP

    def test_run_that_finished_a_split_state(self, tmp_path: Path) -> None:
        """D10: a new run did the second provider's half; taking back that half alone would split the zone again."""
        stage = world(tmp_path, two_providers)
        stage.memories[1].failures.schedule(Unavailable("down"), calls=9, methods={"replace"})
        stage.recover("dns-switch")
        stage.memories[1].failures = type(stage.memories[1].failures)()
        run, _ = stage.recover("dns-switch", forced=True)
        stage.origin = GOOD
        stage.edges.update(dict.fromkeys(stage.edges, GOOD))
        _, outcome = stage.recover("failback", follows=run.id)
        assert (outcome.status, "would stay as it is" in outcome.reason) == (Status.REFUSED, True)
        assert [stands(zone) for zone in stage.memories] == [BACKUP, BACKUP]


class TestHostsAlone:
    """A site without CDNs: its names lead straight to the host."""

    def no_cdns(self, plain: Site) -> None:
        """The primary has the public name itself."""
        del plain["cdns"], plain["steering"]
        www = {"name": WWW, "type": "CNAME", "values": ["cname.vercel-dns.com"]}
        plain["hosts"][0]["records"].insert(0, www)

    def test_switches_and_comes_back(self, tmp_path: Path) -> None:
        """The same procedure, and the same way back."""
        stage = world(tmp_path, self.no_cdns)
        before = stage.memory.records
        run, outcome = stage.recover("dns-switch")
        assert (outcome.status, stands(stage.memory)) == (Status.RECOVERED, BACKUP)
        stage.edges["vercel"] = GOOD
        assert stage.recover("failback", follows=run.id)[1].status is Status.RECOVERED
        assert stage.memory.records == before

    def test_cdn_failover_does_not_fit(self, tmp_path: Path) -> None:
        """The other procedure says what the site lacks."""
        stage = world(tmp_path, self.no_cdns)
        with pytest.raises(InputError, match="has no cdns"):
            stage.recover("cdn-failover")
        assert stage.desk.home.runs() == []
