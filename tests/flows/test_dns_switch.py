"""The whole of dns-switch under a simulated clock: all names together, or none, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from defib.clock import Deadline
from defib.objectives import Status, Verdict
from defib.ports import Attachment, Health, Quota, RecordChange, RecordKey, RecordSet
from defib.providers.dns.memory import MemoryZone
from defib.timeline import timeline
from defib.users.trust import SeenCertificate
from flows import dns_switch
from tests.flows.dns_switch_stage import (
    APEX,
    BACKUP,
    PRIMARY,
    WWW,
    Routed,
    Site,
    netlify,
    notes,
    stands,
    two_addresses_at_the_backup,
    with_ipv6,
    without_ipv6_at_the_backup,
    world,
)
from tests.stage import GOOD, REFUSED, UNSEEN, Doing, Stage, older, seconds, steps


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """The lab's own site, its host down."""
    return world(tmp_path)


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


class TestHttpsRecords:
    """What browsers ask for beside addresses."""

    @pytest.mark.parametrize(
        "value", ["1 . alpn=h2,h3 ipv4hint=127.77.8.1", "1 pulse-trading.test alpn=h2", "0 PULSE-trading.test."]
    )
    def test_that_lead_to_the_name_itself(self, stage: Stage, value: str) -> None:
        """D4: hints last only until the addresses have come, so nobody stays behind."""
        stays = RecordSet(RecordKey(APEX, "HTTPS"), seconds(60), (value,))
        stage.memory = stage.zone = MemoryZone(APEX, [*stage.memory.records, stays], vendor="route53")
        _, outcome = stage.recover("dns-switch")
        assert outcome.status is Status.RECOVERED
        assert stands(stage.memory) == BACKUP | {(APEX, "HTTPS"): (value,)}

    def test_that_a_person_knows_better_about(self, stage: Stage) -> None:
        """With --force it is a warning, and the switch is made."""
        stays = RecordSet(RecordKey(APEX, "HTTPS"), seconds(60), ("0 elsewhere.test.",))
        stage.memory = stage.zone = MemoryZone(APEX, [*stage.memory.records, stays], vendor="route53")
        _, outcome = stage.recover("dns-switch", forced=True)
        assert (outcome.status, "would lead browsers elsewhere" in notes(stage)) == (Status.RECOVERED, True)


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

    @pytest.mark.parametrize(
        "value", ["0 pulse-trading.vercel.app.", "1 alt.pulse-trading.test. alpn=h2", "1 . alpn=h2 ech=AEX+DQBB"]
    )
    def test_https_record_that_would_stay(self, stage: Stage, value: str) -> None:
        """D4: browsers ask for it before A and AAAA: it leads to what failed, or holds a key that nobody else has."""
        stays = RecordSet(RecordKey(APEX, "HTTPS"), seconds(60), (value,))
        stage.memory = stage.zone = MemoryZone(APEX, [*stage.memory.records, stays], vendor="route53")
        assert "pulse-trading.test. HTTPS at route53/pulse-trading.test. would lead browsers" in self.refused(stage)

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
