"""dns-switch over several providers of a zone, on purpose, back again, and for hosts alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from defib import entries
from defib.clock import Deadline
from defib.errors import InputError, Unavailable
from defib.objectives import Status, Verdict
from defib.ports import RecordChange, RecordKey, RecordSet
from defib.providers.dns.memory import MemoryZone
from defib.timeline import timeline
from tests.flows.dns_switch_stage import (
    APEX,
    BACKUP,
    PRIMARY,
    WWW,
    ControlPlaneDown,
    Site,
    at_cloudflare,
    notes,
    stands,
    two_providers,
    world,
)
from tests.stage import GOOD, LAB, Doing, Stage, older, seconds


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """The lab's own site, its host down."""
    return world(tmp_path)


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
        outcome = stage.play(run)
        assert [stands(zone) for zone in stage.memories] == [PRIMARY, BACKUP]
        assert outcome.status is Status.FAILED
        assert outcome.reason.startswith("SPLIT STATE")
        assert f"{APEX} A is changed at rfc2136 and not at route53, which could not be asked" in outcome.reason
        assert f"next: change it by hand at route53, then defib resume {run.id} to finish" in outcome.reason

    def test_one_provider_is_gone_altogether(self, tmp_path: Path) -> None:
        """D9, D10: its servers are silent, too, and hold the old answers for when they come back: that is no success."""
        stage = world(tmp_path, two_providers)
        stage.zone = ControlPlaneDown(stage.memory)
        for server in stage.servers:
            server.problem = "" if server.name == "second-1" else "no answer within 2 s"
        run = stage.begin("dns-switch", forced=True)
        outcome = stage.play(run)
        assert (outcome.status, outcome.reason.startswith("SPLIT STATE")) == (Status.FAILED, True)
        assert "ns-1 (not changed, as its provider could not be asked)" in outcome.reason

    def test_one_provider_is_gone_and_no_answer_can_be_compared(self, tmp_path: Path) -> None:
        """D5, D9: where every name is proxied no server tells that the other half was done: that is no success either."""

        def proxied_at_cloudflare(plain: Site) -> None:
            two_providers(plain)
            at_cloudflare(first := {"dns": plain["dns"][0]})
            plain["dns"] = [first["dns"], plain["dns"][1]]

        stage = world(tmp_path, proxied_at_cloudflare)
        records = [replace(each, attributes=(("proxied", "true"),)) for each in stage.memory.records]
        stage.memories = [MemoryZone(APEX, records, vendor=vendor) for vendor in ("cloudflare", "rfc2136")]
        stage.memory, stage.zone = stage.memories[0], ControlPlaneDown(stage.memories[0])
        outcome = stage.play(stage.begin("dns-switch", forced=True))
        assert (outcome.status, outcome.reason.startswith("SPLIT STATE")) == (Status.FAILED, True), outcome

    def test_one_provider_is_changed_by_hand(self, tmp_path: Path) -> None:
        """D9: what a person did where Defib could not is seen at its servers: recovered, and nothing is called split."""
        stage = world(tmp_path, two_providers)
        after = [replace(each, values=BACKUP[each.key.name, each.key.type]) for each in stage.memory.records]
        by_hand = [RecordChange(*pair) for pair in zip(stage.memory.records, after, strict=True)]
        stage.zone = ControlPlaneDown(stage.memory)
        change = partial(stage.memory.replace, by_hand, within=Deadline.after(stage.clock, timedelta(hours=1)))
        outcome = stage.play(stage.begin("dns-switch", Doing(change), forced=True))
        assert (outcome.status, outcome.reason) == (Status.RECOVERED, "")
        assert [stands(zone) for zone in stage.memories] == [BACKUP, BACKUP]

    def test_left_out_provider_is_done_by_hand_and_the_run_resumed(self, tmp_path: Path) -> None:
        """D10: what the run said to do next brings it to its end."""
        stage = world(tmp_path, two_providers)
        after = [replace(each, values=BACKUP[each.key.name, each.key.type]) for each in stage.memory.records]
        by_hand = [RecordChange(*pair) for pair in zip(stage.memory.records, after, strict=True)]
        stage.zone = ControlPlaneDown(stage.memory)
        run = stage.begin("dns-switch", forced=True)
        assert stage.play(run).status is Status.FAILED
        stage.memory.replace(by_hand, within=Deadline.after(stage.clock, timedelta(hours=1)))
        _, outcome = stage.resume(run.id)
        assert (outcome.status, outcome.reason) == (Status.RECOVERED, "")

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
