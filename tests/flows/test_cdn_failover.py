"""The whole of cdn-failover under a simulated clock: what it does, and above all what it refuses to do."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from defib import entries
from defib.approval import ByDigest, Nobody
from defib.clock import Deadline, SystemClock
from defib.errors import Denied
from defib.lease import Holder, Lease
from defib.objectives import Status, Verdict
from defib.observe.memory import Sight
from defib.ports import Aim, EdgeStatus, Expect, Health, Receipt, RecordChange, RecordKey, RecordSet
from defib.providers.dns.memory import MemoryZone
from defib.run import PlanReady
from defib.runbook import load_runbook
from defib.timeline import timeline
from flows import cdn_failover
from tests.stage import (
    DEAD,
    GOOD,
    REFUSED,
    RUNBOOKS,
    UNSEEN,
    Doing,
    Stage,
    impatient,
    kinds,
    older,
    seconds,
    steps,
)

STEPS = cdn_failover.PROCEDURE.steps


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """A world whose primary CDN refuses connections."""
    stage = Stage(tmp_path)
    stage.edges["cloudfront"] = REFUSED
    return stage


@pytest.fixture
def hasty(tmp_path: Path) -> Stage:
    """The same, with runbooks that wait for users and answers no longer than 12 s."""
    folder = tmp_path / "runbooks"
    folder.mkdir()
    stage = Stage(tmp_path, runbooks=impatient(folder))
    stage.edges["cloudfront"] = REFUSED
    return stage


def not_undone(stage: Stage) -> list[str]:
    """Why changes were not put back."""
    return [record.entry.why for record in stage.seen if isinstance(record.entry, entries.ChangeNotUndone)]


def notes(stage: Stage) -> str:
    """All notes in one text."""
    return "\n".join(record.entry.text for record in stage.seen if isinstance(record.entry, entries.Noted))


class TestRecovery:
    """What happens when all goes well."""

    def test_sends_the_users_to_the_standby(self, stage: Stage) -> None:
        """One write, every step done in order, users served and staying so, RTO and RPO measured."""
        since = stage.clock.now() - seconds(5)
        run, outcome = stage.recover(since=since, down_at=stage.clock.now())
        told = timeline(run.journal.records)
        assert (outcome.status, outcome.head) == (Status.RECOVERED, run.journal.head)
        assert stage.writes == [(stage.standby.hostname,)]
        assert steps(run) == [(name, "done") for name in STEPS]
        assert told.served is not None
        assert (told.rto.verdict, told.rpo.verdict, told.rpo.actual) == (Verdict.MET, Verdict.MET, timedelta(0))
        assert told.rto.actual == told.served.since - since
        assert sum((span.took or timedelta(0) for span in told.spans), timedelta(0)) == told.rto.actual
        assert told.served.held >= stage.site.verification.hold

    def test_keeps_ttl_and_attributes(self, stage: Stage) -> None:
        """The change keeps everything of the record set but its value."""
        special = replace(stage.before, ttl=seconds(60), attributes=(("comment", "steering"),))
        stage.memory = stage.zone = MemoryZone(stage.site.zones[0], [special])
        assert stage.recover()[1].status is Status.RECOVERED
        assert stage.record == replace(special, values=(stage.standby.hostname,))

    def test_stays_in_one_thread(self, stage: Stage) -> None:
        """A simulated procedure starts no thread and waits for nothing real."""
        callers: set[int] = set()
        stage.desk = replace(stage.desk, listen=lambda _: callers.add(threading.get_ident()))
        clock = SystemClock()
        threads, started = threading.active_count(), clock.monotonic()
        _, outcome = stage.recover()
        assert outcome.status is Status.RECOVERED
        assert callers == {threading.get_ident()}
        assert threading.active_count() == threads
        assert clock.monotonic() - started < seconds(5) < stage.clock.monotonic()

    def test_steps_are_the_runbooks(self) -> None:
        """Flow and runbook name the same steps in the same order."""
        load_runbook("cdn-failover", RUNBOOKS).must_match(STEPS)

    def test_users_who_follow_a_long_ttl_count(self, stage: Stage) -> None:
        """The RTO ends when the last observer is served, not when the first is."""
        stage.resolvers[2].least_ttl = seconds(8)  # the observer south asks this one
        since = stage.clock.now()
        told = timeline(stage.recover(since=since)[0].journal.records)
        assert told.rto.actual is not None
        assert told.rto.actual >= seconds(8)

    def test_incident_before_the_run_counts(self, stage: Stage) -> None:
        """E12: detected 50 minutes before the run began, the RTO counts from there; the run's own time is told too."""
        since = stage.clock.now() - timedelta(minutes=50)
        told = timeline(stage.recover(since=since, down_at=since + seconds(3))[0].journal.records)
        assert told.rto.actual is not None
        assert told.run_took is not None
        assert timedelta(minutes=50) < told.rto.actual < timedelta(minutes=50, seconds=30)
        assert told.run_took < seconds(30)
        assert told.spans[1].took is not None
        assert told.spans[1].took > timedelta(minutes=49)

    def test_unknown_start_is_an_unknown_rto(self, stage: Stage) -> None:
        """Where nobody knows when the outage began, the RTO is unknown, never the time of the run."""
        told = timeline(stage.recover()[0].journal.records)
        assert (told.status, told.rto.verdict, told.rto.actual) == (Status.RECOVERED, Verdict.UNKNOWN, None)

    def test_already_there(self, stage: Stage) -> None:
        """D2: the record points at the standby already and users still wait for their caches: no write, no approval."""
        for resolver in stage.resolvers:
            resolver.least_ttl = seconds(5)
        stage.outside().answers.resolvers(stage.before.key, within=Deadline.after(stage.clock, seconds(1)))
        stage.change_by_hand(stage.standby.hostname)
        by_hand = stage.memory.applied
        run, outcome = stage.recover(approver=Nobody("defib run"))
        assert (outcome.status, stage.memory.applied) == (Status.RECOVERED, by_hand)
        assert "already there" in notes(stage)
        assert run.changes.standing() == ()

    def test_no_automatic_failback(self, stage: Stage) -> None:
        """C9: the primary comes back 30 s after the switch, and users stay where they were sent."""
        stage.site_path = stage.home / "patient.yaml"
        text = (RUNBOOKS / "sites" / "lab.yaml").read_text(encoding="utf-8")
        stage.site_path.write_text(text.replace("hold: 3s", "hold: 60s"), encoding="utf-8")
        stage.at(30, cloudfront=GOOD)
        _, outcome = stage.recover()
        assert stage.edges["cloudfront"] == GOOD
        assert (outcome.status, stage.writes) == (Status.RECOVERED, [(stage.standby.hostname,)])

    def test_one_slow_resolver_is_named(self, stage: Stage) -> None:
        """D7: a resolver that keeps the old answer beyond the TTL is named, and not waited for."""
        stage.resolvers[5].least_ttl = timedelta(hours=1)
        told = timeline(stage.recover()[0].journal.records)
        assert told.moved is not None
        assert (told.moved.resolvers, told.moved.resolvers_asked) == (5, 6)
        assert told.moved.stale == (f"resolver-6 ({stage.primary.hostname})",)

    def test_warming_that_fails_is_a_warning(self, stage: Stage) -> None:
        """A file that cannot be fetched through the standby does not undo a good recovery."""

        def without_assets(observer: str, aim: Aim, at: datetime) -> Sight:
            return REFUSED if aim.expect is Expect.ASSET else stage.see(observer, aim, at)

        stage.view = without_assets
        assert stage.recover()[1].status is Status.RECOVERED
        assert "/main.dart.js could not be fetched" in notes(stage)


class TestRefusal:
    """What it does not do. Nothing is written, and the journal says why."""

    def refused(self, stage: Stage, text: str, **order: object) -> list[str]:
        """The kinds of the journal's entries of a run that is refused for `text` before it changed anything."""
        run, outcome = stage.recover(**order)  # type: ignore[arg-type]
        assert outcome.status is Status.REFUSED
        assert text in outcome.reason
        assert stage.writes == []
        assert run.changes.standing() == ()
        return kinds(run.journal.records)

    def test_users_are_served(self, stage: Stage) -> None:
        """E4: the gate fails before anything ran, and nothing is undone."""
        stage.edges["cloudfront"] = GOOD
        found = self.refused(stage, "nothing to recover from")
        assert "ChangeIntended" not in found
        assert "ChangeNotUndone" not in found
        assert "ChangeMade" not in found

    def test_we_are_offline(self, stage: Stage) -> None:
        """C2: when sites of other people do not answer either, it is our own network, and nothing moves."""
        stage.edges = dict.fromkeys(stage.edges, UNSEEN)
        stage.online = False
        self.refused(stage, "our own network")

    def test_nobody_can_tell(self, stage: Stage) -> None:
        """Unknown is no outage: observers that cannot tell do not start a failover."""
        stage.edges["cloudfront"] = UNSEEN
        self.refused(stage, "too few observers")

    def test_origin_is_down_too(self, stage: Stage) -> None:
        """Another CDN would show the same error page."""
        stage.origin = REFUSED
        self.refused(stage, "the origin does not serve")

    @pytest.mark.parametrize(
        "reason", ["build marker missing", "TLS: certificate expired 2 h ago", "TLS: wrong name", "header X-Frame-Options"]
    )
    def test_standby_serves_wrongly(self, stage: Stage, reason: str) -> None:
        """C3, C4: a standby with a parked page or a bad certificate gets no users."""
        stage.edges["cloudflare"] = Sight(Health.BAD, reason)
        self.refused(stage, reason)

    def test_standby_is_unhealthy(self, stage: Stage) -> None:
        """C7: the standby is down as well: refused, users stay where they are."""
        stage.edges["cloudflare"] = DEAD
        self.refused(stage, "no standby can take the users")
        assert stage.record == stage.before

    def test_standby_fails_at_its_last_proof(self, stage: Stage) -> None:
        """A standby that stops serving while the plan is looked at gets no users."""
        self.refused(stage, "has stopped serving", approver=Doing(lambda: stage.edges.update(cloudflare=REFUSED)))

    def test_standby_is_disabled(self, stage: Stage) -> None:
        """What its vendor says is switched off is not trusted with users."""
        stage.cdns["cloudflare"].edge = EdgeStatus(False, True, (), "origin", "2")
        self.refused(stage, "disabled")

    def test_standby_is_too_old(self, stage: Stage) -> None:
        """C8: an older build than the RPO allows is refused, and its age is shown."""
        stage.edges["cloudflare"] = older(timedelta(hours=1, seconds=1))
        self.refused(stage, "1:00:01 older")
        assert timeline(stage.seen).rpo.verdict is Verdict.UNKNOWN  # nobody was sent there

    def test_too_old_and_forced(self, stage: Stage) -> None:
        """C8: --force accepts the loss, with a warning, and the missed objective is told."""
        stage.edges["cloudflare"] = older(timedelta(hours=2))
        run, outcome = stage.recover(forced=True)
        told = timeline(run.journal.records)
        assert (outcome.status, told.rpo.actual, told.rpo.verdict) == (
            Status.RECOVERED,
            timedelta(hours=2),
            Verdict.MISSED,
        )
        assert "because of --force" in notes(stage)

    def test_old_by_the_rpo_and_no_more(self, stage: Stage) -> None:
        """A build that is exactly as old as the RPO allows is accepted."""
        stage.edges["cloudflare"] = older(timedelta(hours=1))
        assert stage.recover()[1].status is Status.RECOVERED

    def test_unknown_age(self, stage: Stage) -> None:
        """What nobody can tell the age of is not taken for fresh."""
        stage.edges["cloudflare"] = Sight(Health.GOOD)
        self.refused(stage, "how old the build at cloudflare is")

    def test_vendor_who_does_not_answer_is_no_obstacle(self, stage: Stage) -> None:
        """The standby is judged by what it serves, not by its vendor's API."""
        stage.cdns["cloudflare"].failures.schedule(Denied("token expired"), calls=9)
        assert stage.recover()[1].status is Status.RECOVERED
        assert "token expired" in notes(stage)

    @pytest.mark.parametrize("value", ["elsewhere.example.", "WWW.elsewhere.example."])
    def test_foreign_value(self, stage: Stage, value: str) -> None:
        """D1: a record that points at none of the site's CDNs is somebody else's change."""
        stage.change_by_hand(value)
        run, outcome = stage.recover()
        assert outcome.status is Status.REFUSED
        assert "elsewhere.example." in outcome.reason
        assert len(stage.writes) == 1
        assert run.changes.standing() == ()

    def test_missing_record(self, stage: Stage) -> None:
        """D1: a record that is not there is not made up."""
        stage.memory = stage.zone = MemoryZone(stage.site.zones[0])
        self.refused(stage, "no such record set")

    def test_foreign_change_before_the_write(self, stage: Stage) -> None:
        """D1: what somebody else changes between plan and write is theirs: refused, and not overwritten."""
        run, outcome = stage.recover(approver=Doing(lambda: stage.change_by_hand("elsewhere.example.")))
        assert outcome.status is Status.REFUSED
        assert "somebody else changed" in outcome.reason
        assert stage.record.values == ("elsewhere.example.",)
        assert run.changes.standing() == ()

    def test_foreign_change_at_the_write(self, stage: Stage) -> None:
        """A change that comes between our last read and our write wins, and is never overwritten, not even by the undo."""
        stage.zone = Meddled(stage)
        run, outcome = stage.recover()
        assert outcome.status is Status.FAILED
        assert stage.record.values == ("elsewhere.example.",)
        assert run.journal.records[-1].entry == entries.Closed(Status.FAILED, outcome.reason)

    def test_another_plan_was_approved(self, stage: Stage) -> None:
        """A digest approves one plan: whoever sees another outside refuses."""
        planned = stage.plan()
        with pytest.raises(PlanReady) as ready:
            cdn_failover.play(planned)
        digest = ready.value.plan.short_digest
        stage.memory = stage.zone = MemoryZone(stage.site.zones[0], [replace(stage.before, ttl=seconds(30))])
        self.refused(stage, "not the one that was approved", approver=ByDigest(digest, "ann", "defib run"))

    def test_the_approved_plan(self, stage: Stage) -> None:
        """The digest that a plan showed is the one that the run asks for."""
        with pytest.raises(PlanReady) as ready:
            cdn_failover.play(stage.plan())
        run, outcome = stage.recover(approver=ByDigest(ready.value.plan.short_digest, "ann", "defib run"))
        assert outcome.status is Status.RECOVERED
        assert [(a.by, a.how) for a in run.journal.of(entries.Approved)] == [("ann", "option")]

    def test_nobody_approves(self, stage: Stage) -> None:
        """Without a person and without a digest nothing is changed."""
        self.refused(stage, "nobody is at the terminal", approver=Nobody("defib run"))

    def test_lost_lease(self, stage: Stage) -> None:
        """E8: the run slept, its lease expired and was taken: its next write is refused."""
        taken: list[Lease] = []

        def take() -> None:
            later = type(stage.clock)(stage.clock.now() + timedelta(minutes=1))
            taken.append(Lease.take(stage.desk.home.site("lab"), later, Holder.me("the-other")))

        self.refused(stage, "lost the site to another", approver=Doing(take))
        taken[0].check()

    def test_looks_like_a_secret(self, stage: Stage) -> None:
        """A record set that the journal would not hold as it is could not be put back, so it is not changed."""
        secret = replace(stage.before, attributes=(("comment", "api_key=0123456789abcdef"),))
        stage.memory = stage.zone = MemoryZone(stage.site.zones[0], [secret])
        self.refused(stage, "looks like a secret")


class TestPlan:
    """A plan only reads."""

    def test_writes_nothing(self, stage: Stage) -> None:
        """No write, no purge, no folder, no lease; the plan is what a run would do."""
        run = stage.plan()
        with pytest.raises(PlanReady) as ready:
            cdn_failover.play(run)
        assert [change.records for change in ready.value.plan.changes] == [(RecordChange(stage.before, stage.after),)]
        assert stage.writes == []
        assert stage.desk.home.runs() == []
        assert not (stage.desk.home.site("lab") / "lease.json").exists()

    def test_while_users_are_served(self, stage: Stage) -> None:
        """A plan may be looked at on a quiet day; it says that there is nothing to recover from."""
        stage.edges["cloudfront"] = GOOD
        run = stage.plan()
        with pytest.raises(PlanReady):
            cdn_failover.play(run)
        assert [note.text for note in run.journal.of(entries.Noted)] == [
            "users are served; there is nothing to recover from"
        ]


@dataclass
class Meddled:
    """A zone in which somebody else writes right before our write arrives."""

    stage: Stage

    @property
    def vendor(self) -> str:
        """The vendor of the zone inside."""
        return self.stage.memory.vendor

    @property
    def zone(self) -> str:
        """The zone inside."""
        return self.stage.memory.zone

    def read(self, keys: Sequence[RecordKey], *, within: Deadline) -> tuple[RecordSet | None, ...]:
        """As it stands."""
        return self.stage.memory.read(keys, within=within)

    def replace(self, changes: Sequence[RecordChange], *, within: Deadline) -> Receipt:
        """The other's change first, then ours."""
        self.stage.change_by_hand("elsewhere.example.")
        return self.stage.memory.replace(changes, within=within)

    def settled(self, receipt: Receipt, *, within: Deadline) -> bool:
        """As the zone inside says."""
        return self.stage.memory.settled(receipt, within=within)
