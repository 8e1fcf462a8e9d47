"""The whole of replication-check over buckets in memory: what is known of the replica afterwards, and what is left of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from defib import copyentries
from defib.clock import Deadline
from defib.errors import Interrupted, Unavailable
from defib.objectives import EXIT_MISSED, EXIT_UNKNOWN, Status, Verdict
from defib.replication.port import Cursor
from defib.replication.port import Status as Replication
from defib.report.figures import run_exit_code
from defib.report.summary import summary
from defib.timeline import timeline
from tests.flows.replication_stage import ReplicationStage, seen
from tests.replication.buckets import OPAQUE, RULE, settings

HOUR = timedelta(hours=1)


@pytest.fixture
def stage(tmp_path: Path) -> ReplicationStage:
    """Three objects, all replicated, an hour ago."""
    made = ReplicationStage(tmp_path)
    for name in ("index.html", "images/logo.png", "fonts/inter.woff2"):
        made.buckets.written(name, name.encode())
    made.clock.sleep(HOUR)
    return made


def canaries(stage: ReplicationStage) -> list[str]:
    """What is left of canaries, anywhere."""
    within = Deadline.after(stage.clock, timedelta(minutes=1))
    buckets = (stage.buckets.source, stage.buckets.replica)
    return [v.key for bucket in buckets for v in bucket.page(Cursor(".defib-canary/"), within=within).versions]


class TestAWellReplica:
    """Nothing is wrong."""

    def test_everything_is_the_same(self, stage: ReplicationStage) -> None:
        """The recovery point is now, and the canary was timed."""
        run, outcome = stage.run()
        told = timeline(run.journal.records)
        assert (outcome.status, outcome.reason) == (Status.RECOVERED, "")
        assert (told.rto.verdict, told.rpo.verdict, told.rpo.actual) == (Verdict.MET, Verdict.MET, timedelta(0))
        assert (seen(run).versions, seen(run).same, seen(run).counts) == (3, 3, ())
        assert timedelta(seconds=2) <= (seen(run).canary or timedelta(0)) < timedelta(seconds=3)

    def test_the_very_first_check_compares_headers_and_tags(self, stage: ReplicationStage) -> None:
        """Of objects that have been there for months, too: who has one look at a small bucket does not wait for a day."""
        stage.clock.sleep(timedelta(days=90))
        (logo, *_) = stage.buckets.replica.page(Cursor("images/"), within=stage.buckets.within).versions
        stage.buckets.replica.change(logo.key, logo.id, headers={"Cache-Control": "no-store"})
        run, outcome = stage.run()
        assert outcome.status is Status.FAILED
        assert dict(seen(run).counts) == {"other headers or tags": 1}

    def test_the_canary_leaves_nothing(self, stage: ReplicationStage) -> None:
        """It is gone from both sides, marker and all."""
        stage.run()
        assert canaries(stage) == []

    def test_a_plan_writes_nothing(self, stage: ReplicationStage) -> None:
        """To look is not to write a canary, and not to remember."""
        run, plan = stage.plan("replication-check")
        assert plan.changes == ()
        assert seen(run).canary is None
        assert not (stage.home / "replicas" / "past.json").exists()

    def test_the_terminal_says_it_in_a_few_lines(self, stage: ReplicationStage) -> None:
        """What somebody reads at three in the morning."""
        run, _ = stage.run()
        told = summary(timeline(run.journal.records))
        assert told.startswith("COMPARED")
        assert "3 of 3 versions the same, nothing would be lost" in told
        assert "RPO" in told
        assert "RTO" not in told


class TestWhatIsLate:
    """Time decides."""

    def test_what_is_pending_within_the_objective_is_no_failure(self, stage: ReplicationStage) -> None:
        """It is said how old it is, and the objective is met."""
        stage.buckets.write("new.png")
        stage.clock.sleep(timedelta(minutes=10))
        run, outcome = stage.run()
        assert outcome.status is Status.RECOVERED
        assert seen(run).exposure == timedelta(minutes=10)
        assert timeline(run.journal.records).rpo.verdict is Verdict.MET

    def test_pending_for_seventy_minutes_misses_it(self, stage: ReplicationStage) -> None:
        """S7: nothing has failed, and the recovery point is missed."""
        stage.buckets.write("new.png")
        stage.clock.sleep(timedelta(minutes=70))
        run, outcome = stage.run()
        told = timeline(run.journal.records)
        assert outcome.status is Status.RECOVERED
        assert (told.rpo.verdict, told.rpo.actual) == (Verdict.MISSED, timedelta(minutes=70))
        assert run_exit_code(told) == EXIT_MISSED

    def test_the_worst_of_the_last_days_is_remembered(self, stage: ReplicationStage) -> None:
        """A replica that has caught up was behind all the same."""
        version = stage.buckets.write("new.png")
        stage.clock.sleep(timedelta(minutes=30))
        stage.run()
        stage.buckets.replicate("new.png", version)
        run, _ = stage.run()
        assert (seen(run).exposure, seen(run).worst) == (timedelta(0), timedelta(minutes=30))
        assert [exposure for _, exposure in seen(run).past] == [timedelta(minutes=30), timedelta(0)]

    def test_a_canary_that_never_arrives_stops_at_the_objective(self, tmp_path: Path) -> None:
        """S13: it is not waited for beyond the RPO, and cleaned up on both sides."""
        stage = ReplicationStage(tmp_path, lag=None)
        stage.write(rpo="5m", canary_within="10m")
        began = stage.clock.monotonic()
        run, outcome = stage.run()
        assert outcome.status is Status.FAILED
        assert "canary did not arrive" in outcome.reason
        assert stage.clock.monotonic() - began <= timedelta(minutes=5, seconds=10)
        assert canaries(stage) == []
        assert seen(run).canary is None

    def test_a_canary_that_arrives_after_all_is_cleared_by_the_next_check(self, tmp_path: Path) -> None:
        """S13: it had left the source before it was removed there."""
        stage = ReplicationStage(tmp_path, lag=timedelta(minutes=20))
        stage.write(canary_within="1m")
        run, _ = stage.run()
        stage.buckets.replica.put(f".defib-canary/{run.id}", b"late", within=stage.buckets.within)
        stage.lag = timedelta(seconds=1)
        _, outcome = stage.run()
        assert outcome.status is Status.RECOVERED
        assert canaries(stage) == []


class TestWhatIsWrong:
    """Somebody has to do something."""

    @pytest.mark.parametrize(
        ("status", "said"),
        [
            (Replication.FAILED, "never tries again"),
            (Replication.NONE, "no rule matched"),
            (Replication.COMPLETED, "missing"),
        ],
    )
    def test_what_time_does_not_mend_fails(self, stage: ReplicationStage, status: Replication, said: str) -> None:
        """S8, S9: with what to do about it, and without waiting."""
        stage.buckets.write("lost.png", status=status)
        run, outcome = stage.run()
        assert outcome.status is Status.FAILED
        assert said in outcome.reason
        (version,) = run.journal.of(copyentries.VersionSeen)
        assert (version.key, bool(version.then)) == ("lost.png", True)

    def test_an_unreachable_region_is_unknown(self, stage: ReplicationStage) -> None:
        """S15: not that everything is missing; and the source has been audited."""
        stage.buckets.replica.failing = Unavailable("ListObjectVersions: no answer", where="eu-west-1")
        run, outcome = stage.run()
        assert outcome.status is Status.FAILED
        assert "unreachable" in outcome.reason
        assert seen(run).exposure is None
        assert timeline(run.journal.records).rpo.verdict is Verdict.UNKNOWN
        audited = {(found.name, found.state) for found in run.journal.of(copyentries.Audited)}
        assert ("versioning (assets: source)", "ok") in audited

    def test_a_rule_that_is_disabled_fails_while_everything_is_the_same(self, stage: ReplicationStage) -> None:
        """S10: what is written next is not copied."""
        stage.buckets.source.configure(settings(replace(RULE, enabled=False)))
        run, outcome = stage.run()
        assert outcome.status is Status.FAILED
        assert seen(run).same == 3
        assert any(found.state == "fail" for found in run.journal.of(copyentries.Audited))

    def test_what_nobody_can_tell_is_no_success(self, stage: ReplicationStage) -> None:
        """S2: beyond what may be read the recovery point is unknown, and the exit code says so."""
        stage.buckets.replicate("big.bin", stage.buckets.write("big.bin", plain=False), etag=OPAQUE)
        stage.write(read_at_most=0)
        run, outcome = stage.run()
        told = timeline(run.journal.records)
        assert outcome.status is Status.RECOVERED
        assert told.rpo.verdict is Verdict.UNKNOWN
        assert run_exit_code(told) == EXIT_UNKNOWN


class TestWhatComesBetween:
    """A check that is stopped."""

    def test_an_interruption_clears_the_canary_away(self, stage: ReplicationStage) -> None:
        """Whatever happens: also a signal while it is waited for."""
        stage.lag = None
        stage.clock.at(stage.clock.monotonic() + timedelta(seconds=3), stage.clock.interrupt)
        _, outcome = stage.run()
        assert outcome.status is Status.INTERRUPTED
        stage.clock.resume()
        assert canaries(stage) == []

    def test_an_interruption_of_the_clearing_away_leaves_nothing(self, stage: ReplicationStage) -> None:
        """The signal comes after the canary arrived, while it is removed: that is done, and then the run stops."""
        removed = stage.buckets.source.remove

        def stopped(key: str, version: str, *, within: Deadline) -> None:
            stage.buckets.source.remove = removed  # type: ignore[method-assign]
            stage.clock.interrupt()
            raise Interrupted("stopped by a signal")

        stage.buckets.source.remove = stopped  # type: ignore[method-assign]
        _, outcome = stage.run()
        assert outcome.status is Status.INTERRUPTED
        stage.clock.resume()
        assert canaries(stage) == []

    def test_only_canaries_are_removed(self, stage: ReplicationStage) -> None:
        """What somebody else keeps below the same prefix stays."""
        stage.buckets.source.put(".defib-canary/README", b"ours", within=stage.buckets.within)
        stage.run()
        assert set(canaries(stage)) == {".defib-canary/README"}
