"""What asset-restore refuses, or tells and goes on without: each with one clear message."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from defib.clock import Deadline
from defib.copyentries import ObjectLeft, PastWanted
from defib.errors import Denied, InputError, Unavailable
from defib.objectives import EXIT_UNKNOWN, Status, Verdict
from defib.replication.port import Details
from defib.replication.rewinding import MOST
from defib.replication.rules import Expiry
from defib.report.figures import run_exit_code
from defib.report.summary import next_commands, summary
from defib.run import Run
from defib.start import new_run, plan_run
from defib.timeline import timeline
from tests.flows.replication_stage import notes
from tests.flows.restore_stage import RestoreStage, restored
from tests.flows.test_asset_restore import GOOD, damaged
from tests.replication.buckets import RULE, settings
from tests.stage import Doing


@pytest.fixture
def stage(tmp_path: Path) -> RestoreStage:
    """Something went wrong after a good moment."""
    return damaged(tmp_path)


def exit_code(run: Run) -> int | None:
    """What the command exits with."""
    return run_exit_code(timeline(run.journal.records))


class TestWhatCannotBeWanted:
    """Refused before anything begins."""

    @pytest.mark.parametrize(
        ("words", "what", "expected"),
        [
            ({"pair": "fonts"}, "there is no pair 'fonts'", "assets"),
            ({"into": "nowhere"}, "no such bucket to restore into", "assets, assets-replica, assets-laboratory"),
            ({"side": "left"}, "there is no such side", "source or replica"),
        ],
    )
    def test_what_the_site_file_does_not_name(
        self, stage: RestoreStage, words: dict[str, str], what: str, expected: str
    ) -> None:
        """It says what there is."""
        self.refused(stage, replace(stage.wanted(stage.good), **words), what, expected)  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("seconds", "what"),
        [(1, "the moment is in the future"), (-1, "the moment is too near"), (0, "the moment is too near")],
    )
    def test_a_moment_that_is_not_over(self, stage: RestoreStage, seconds: float, what: str) -> None:
        """S3 stamps to the second: in the one that is now, another version may still come."""
        at = stage.clock.now() + timedelta(seconds=seconds)
        self.refused(stage, stage.wanted(at), what, "no later than 2026-01-01T00:08:58Z")

    def test_a_prefix_that_the_pair_does_not_have(self, stage: RestoreStage) -> None:
        """The replica was never to hold it."""
        stage.write(prefixes=["images/"])
        self.refused(stage, stage.wanted(stage.good, prefix="fonts/"), "assets has nothing below it", "images/")

    def test_a_pair_without_versions(self, stage: RestoreStage) -> None:
        """It has no past."""
        stage.write(unversioned=True)
        self.refused(stage, stage.wanted(stage.good), "it has no past", "unversioned: false")

    def test_no_moment(self, stage: RestoreStage) -> None:
        """Who runs the procedure by its name is told the command that takes one."""
        self.refused(stage, None, "nobody said of what moment", "--at")

    def refused(self, stage: RestoreStage, wanted: PastWanted | None, what: str, expected: str) -> None:
        """By run and by plan, with exit code 2, and no folder of a run is left."""
        for begin in (new_run, plan_run):
            with pytest.raises(InputError) as caught:
                begin(stage.desk, stage.ask(wanted))
            assert what in caught.value.what
            assert expected in caught.value.expected
            assert caught.value.exit_code == 2
        assert stage.desk.home.runs() == []


class TestABucketWithoutAPast:
    """Refused with exit code 4, and nothing was changed."""

    def test_a_target_that_keeps_no_versions(self, stage: RestoreStage) -> None:
        """What is put there would be written over."""
        stage.buckets.laboratory.configure(settings(versioning="Suspended"))
        self.refused(stage, "would be written over", into="assets-laboratory")

    def test_a_side_that_never_kept_versions(self, stage: RestoreStage) -> None:
        """There is nothing to be read of it."""
        stage.buckets.replica.configure(settings(versioning=""))
        self.refused(stage, "never kept versions", side="replica", into="assets")

    def test_a_prefix_below_which_nothing_ever_was(self, stage: RestoreStage) -> None:
        """Probably it is misspelt."""
        self.refused(stage, "holds nothing below 'image/', and never did", prefix="image/")

    def test_a_moment_before_everything(self, stage: RestoreStage) -> None:
        """To delete all of it is not what a restore is for; the first moment is told."""
        run = self.refused(stage, "held nothing in the whole bucket", at=stage.good - timedelta(days=1))
        assert "no earlier than 2026-01-01T00:00:00Z" in summary(timeline(run.journal.records))

    def refused(self, stage: RestoreStage, what: str, **words: Any) -> Run:
        """With exit code 4."""
        before = stage.versions()
        run, outcome = stage.restore(words.pop("at", stage.good), **words)
        assert outcome.status is Status.REFUSED
        assert what in outcome.reason
        assert exit_code(run) == 4
        assert stage.versions() == before
        return run


def test_more_than_fit_into_one_plan(stage: RestoreStage) -> None:
    """It is refused, and says how to go on folder by folder; each of these can be restored."""
    for bucket in (stage.buckets.source, stage.buckets.replica):
        bucket._page_size = 2 * MOST
    for number in range(MOST + 1):
        stage.buckets.source.put(f"{number % 2}/{number}", b"", within=stage.buckets.within)
    stage.clock.sleep(timedelta(minutes=1))
    _, outcome = stage.restore(stage.good)
    assert outcome.status is Status.REFUSED
    assert "more than 100,000 objects are not as they were" in outcome.reason
    assert "at most 100,000 in one plan" in outcome.reason
    assert "--prefix 0/, --prefix 1/, --prefix images/" in outcome.reason
    assert stage.restore(stage.good, prefix="images/")[1].status is Status.RECOVERED


class TestWhatIsLost:
    """Told by name; refused, unless it is forced."""

    def gone(self, stage: RestoreStage) -> None:
        """Remove the good version of the logo for good."""
        first = [version for key, version in stage.versions() if key == "images/logo.svg"][-1]
        stage.buckets.source.remove("images/logo.svg", first, within=stage.buckets.within)

    def frozen(self, stage: RestoreStage) -> None:
        """Archive the good version of the logo."""
        first = [version for key, version in stage.versions() if key == "images/logo.svg"][-1]
        stage.buckets.source.change("images/logo.svg", first, frozen="DEEP_ARCHIVE")

    @pytest.mark.parametrize(
        ("lose", "why", "then"),
        [
            ("gone", "the replica has it, and the source has it no more", "--from replica --into assets"),
            ("frozen", "it is in DEEP_ARCHIVE", "aws s3api restore-object --bucket assets --key images/logo.svg"),
        ],
    )
    def test_it_is_refused_with_the_way_out(self, stage: RestoreStage, lose: str, why: str, then: str) -> None:
        """What is gone here is in the other region; what is archived can be thawed."""
        getattr(self, lose)(stage)
        before = stage.versions()
        run, outcome = stage.restore(stage.good)
        assert outcome.status is Status.REFUSED
        assert f"images/logo.svg: {why}" in outcome.reason
        assert then in outcome.reason
        assert stage.versions() == before
        assert [entry.key for entry in run.journal.of(ObjectLeft)] == ["images/logo.svg"]

    @pytest.mark.parametrize("lose", ["gone", "frozen"])
    def test_forced_the_others_are_restored(self, stage: RestoreStage, lose: str) -> None:
        """It stays as it is; the exit code says that not all is as it was, and the terminal which."""
        getattr(self, lose)(stage)
        run, outcome = stage.restore(stage.good, forced=True)
        assert outcome.status is Status.RECOVERED
        assert stage.holds() == {**GOOD, "images/logo.svg": b"spoilt"}
        told = timeline(run.journal.records)
        assert (told.rpo.verdict, exit_code(run)) == (Verdict.UNKNOWN, EXIT_UNKNOWN)
        assert "1 object could not be restored" in summary(told)
        assert "images/logo.svg" in summary(told)

    def test_what_was_thawed_is_restored(self, stage: RestoreStage) -> None:
        """An archive that is readable for some days is none."""
        self.frozen(stage)
        first = [version for key, version in stage.versions() if key == "images/logo.svg"][-1]
        stage.buckets.source.change("images/logo.svg", first, frozen="")
        assert stage.restore(stage.good)[1].status is Status.RECOVERED

    def test_what_the_replica_never_had_is_not_deleted(self, stage: RestoreStage) -> None:
        """From the replica's past a key that was never replicated would not have been there."""
        version = stage.buckets.source.put("fonts/inter.woff2", b"font", within=stage.buckets.within)
        stage.clock.sleep(timedelta(minutes=1))
        at = stage.moment()
        run, outcome = stage.restore(at, side="replica", into="assets")
        assert outcome.status is Status.RECOVERED, outcome
        assert ("fonts/inter.woff2", version) in stage.versions()
        stage.put("fonts/inter.woff2", b"spoilt")
        run, outcome = stage.restore(at, side="replica", into="assets")
        assert (outcome.status, stage.holds()["fonts/inter.woff2"]) == (Status.REFUSED, b"spoilt")
        assert "the source has it, and the replica does not" in outcome.reason
        assert "--from source --into assets" in outcome.reason
        assert run

    def test_what_cannot_be_looked_at_is_not_known(self, stage: RestoreStage) -> None:
        """One object that nobody may ask for does not keep the others from being restored, if a person says so."""
        first = [version for key, version in stage.versions() if key == "images/logo.svg"][-1]
        asked = stage.buckets.source.details

        def closed(key: str, version: str, *, within: Deadline) -> Details | None:
            if (key, version) == ("images/logo.svg", first):
                raise Denied("HeadObject: AWS refuses the credentials", seen="403")
            return asked(key, version, within=within)

        stage.buckets.source.details = closed  # type: ignore[method-assign]
        _, outcome = stage.restore(stage.good)
        assert "images/logo.svg: it cannot be looked at" in outcome.reason
        _, outcome = stage.restore(stage.good, forced=True)
        assert (outcome.status, stage.holds()) == (Status.RECOVERED, {**GOOD, "images/logo.svg": b"spoilt"})

    def test_what_was_written_at_the_replica_was_never_lost(self, stage: RestoreStage) -> None:
        """A version that somebody wrote there proves nothing about the source."""
        stage.buckets.replica.put("extra.txt", b"extra", within=stage.buckets.within)
        stage.clock.sleep(timedelta(minutes=1))
        assert stage.restore(stage.moment())[1].status is Status.RECOVERED

    def test_what_was_overwritten_without_versions_is_told(self, stage: RestoreStage) -> None:
        """The id null: whatever it replaced is gone, so nobody knows that nothing was there."""
        version = stage.put("early.txt", b"early")
        kept = stage.buckets.source.must("early.txt", version)
        stage.buckets.source.remove("early.txt", version, within=stage.buckets.within)
        stage.buckets.source.keep(replace(kept, version=kept.version._replace(id="null")))
        _, outcome = stage.restore(stage.good)
        assert "early.txt: it was written while the bucket kept no versions" in outcome.reason


class TestALifecycle:
    """Older versions are removed after ten days."""

    RULES = (Expiry("old", superseded=timedelta(days=10)),)

    def expire(self, stage: RestoreStage, days: int, *, replica: bool = False) -> None:
        """Let so many days pass under the rule, at the source or on both sides, and write one more object."""
        for bucket in (stage.buckets.source, *([stage.buckets.replica] if replica else [])):
            told = bucket.settings(within=stage.buckets.within)
            bucket.configure(replace(told, expiries=self.RULES))
        stage.clock.sleep(timedelta(days=days))

    def test_within_its_reach_nothing_is_said(self, stage: RestoreStage) -> None:
        """Nothing can be gone yet."""
        self.expire(stage, 9, replica=True)
        run, outcome = stage.restore(stage.good)
        assert (outcome.status, "removes versions" in notes(run)) == (Status.RECOVERED, False)

    def test_beyond_it_nobody_can_tell(self, stage: RestoreStage) -> None:
        """What was deleted since may be gone without a trace; what came later may have had a version before."""
        self.expire(stage, 11, replica=True)
        _, outcome = stage.restore(stage.good)
        assert outcome.status is Status.REFUSED
        assert "removes versions 10 days after they are replaced or deleted (rule 'old')" in outcome.reason
        run, outcome = stage.restore(stage.good, forced=True)
        assert outcome.status is Status.RECOVERED
        assert stage.holds() == {**GOOD, "images/new.webp": b"new"}
        assert [entry.key for entry in run.journal.of(ObjectLeft)] == ["images/new.webp"]
        assert exit_code(run) == EXIT_UNKNOWN

    def test_the_other_side_keeps_them_for_longer(self, stage: RestoreStage) -> None:
        """Then it tells of whatever is gone, and what it does not have was not there."""
        self.expire(stage, 11)
        run, outcome = stage.restore(stage.good)
        assert (outcome.status, stage.holds()) == (Status.RECOVERED, GOOD)
        assert "what is gone, the other side tells" in notes(run)


class TestOthers:
    """Who writes meanwhile, and what does not answer."""

    def test_what_was_written_after_the_plan_stops_it(self, stage: RestoreStage) -> None:
        """An object that the plan names holds something else: nothing is changed."""
        act = Doing(lambda: stage.buckets.written("images/logo.svg", b"newer"))
        _, outcome = stage.restore(stage.good, act)
        assert outcome.status in {Status.REFUSED, Status.ROLLED_BACK}
        assert stage.holds()["images/logo.svg"] == b"newer"

    def test_what_was_written_meanwhile_is_told(self, stage: RestoreStage) -> None:
        """An object that the plan does not name: it fails, what was restored stands, and once more changes only that."""
        run, outcome = stage.restore(stage.good, Doing(lambda: stage.buckets.written("images/other.webp", b"other")))
        assert outcome.status is Status.FAILED
        assert "1 object not as before: written meanwhile" in outcome.reason
        assert "not put back" in outcome.reason
        assert stage.holds() == {**GOOD, "images/other.webp": b"other"}
        told = timeline(run.journal.records)
        assert exit_code(run) == 1
        assert next_commands(told) == (f"Next: defib resume {run.id}\nor:   defib rollback {run.id}",)
        stage.clock.sleep(timedelta(minutes=1))
        before = stage.versions()
        again, outcome = stage.resume(run.id)
        assert outcome.status is Status.FAILED
        assert stage.rollback(again.id).status is Status.ROLLED_BACK
        assert set(stage.versions()) < set(before)
        _, outcome = stage.restore(stage.good)
        assert (outcome.status, stage.holds()) == (Status.RECOVERED, GOOD)

    def test_canaries_are_left_alone(self, stage: RestoreStage) -> None:
        """A check may be timing one."""
        stage.buckets.source.put(f"{stage.buckets.config.canary}x", b"x", within=stage.buckets.within)
        assert stage.restore(stage.good)[1].status is Status.RECOVERED
        assert f"{stage.buckets.config.canary}x" in stage.holds()

    def test_the_other_region_is_away(self, stage: RestoreStage) -> None:
        """It is only asked what is gone: without it nobody says so, and that is said."""
        stage.buckets.replica.failing = Unavailable("no answer", where="eu-west-1")
        run, outcome = stage.restore(stage.good)
        assert (outcome.status, stage.holds()) == (Status.RECOVERED, GOOD)
        assert "cannot be listed, so it cannot tell of what is gone" in notes(run)

    @pytest.mark.parametrize("landed", [False, True])
    def test_s3_asks_for_less(self, stage: RestoreStage, landed: bool) -> None:
        """S16: 503 for every other write, whether it landed or not: all are made once, and none twice."""
        before = stage.versions()
        for name in ("copy", "mark_deleted"):
            setattr(stage.buckets.source, name, slow(getattr(stage.buckets.source, name), landed=landed))
        run, outcome = stage.restore(stage.good)
        assert (outcome.status, stage.holds()) == (Status.RECOVERED, GOOD)
        assert len(stage.versions()) == len(before) + 3
        assert stage.rollback(run.id).status is Status.ROLLED_BACK
        assert stage.versions() == before


def slow(write: Callable[..., str], *, landed: bool) -> Callable[..., str]:
    """The same write, of which every other call is answered with 503, after it was made or instead of it."""
    calls = [0]

    def call(*arguments: Any, **named: Any) -> str:
        calls[0] += 1
        if calls[0] % 2 == 0:
            return write(*arguments, **named)
        if landed:
            write(*arguments, **named)
        raise Unavailable("SlowDown", where="s3")

    return call


class TestObjectives:
    """How long objects were wrong, and what was put aside with them."""

    def test_by_what_somebody_says(self, stage: RestoreStage) -> None:
        """From --since until the proof; between the moment and --since is what was lost."""
        since = stage.good + timedelta(minutes=2)
        stage.clock.sleep(timedelta(hours=5))
        run, _ = stage.restore(stage.good, since=since)
        told = timeline(run.journal.records)
        assert (told.rto.verdict, told.rto.actual) == (Verdict.MISSED, stage.clock.now() - since)
        assert (told.rpo.verdict, told.rpo.actual) == (Verdict.MET, timedelta(minutes=2))

    def test_by_the_versions_within_the_objective(self, stage: RestoreStage) -> None:
        """Nothing was wrong before the first of the versions that were put aside."""
        run, _ = stage.restore(stage.good)
        told = timeline(run.journal.records)
        assert (told.rto.verdict, told.rto.actual) == (Verdict.MET, timedelta(minutes=3))
        assert (told.rpo.verdict, told.rpo.actual) == (Verdict.MET, timedelta(minutes=3))
        assert "nobody said since when" in notes(run)

    def test_by_the_versions_beyond_it_nobody_knows(self, stage: RestoreStage) -> None:
        """Days after the first version the bound says nothing any more."""
        stage.clock.sleep(timedelta(days=3))
        run, _ = stage.restore(stage.good)
        told = timeline(run.journal.records)
        assert (told.rto.verdict, exit_code(run)) == (Verdict.UNKNOWN, EXIT_UNKNOWN)
        assert "--since" in told.rto.why

    def test_a_moment_after_the_damage(self, stage: RestoreStage) -> None:
        """Who says since when objects are wrong cannot want them as they were after that."""
        _, outcome = stage.restore(stage.good, since=stage.good - timedelta(minutes=1))
        assert (outcome.status, "objects were wrong already" in outcome.reason) == (Status.REFUSED, True)

    def test_elsewhere_no_user_is_concerned(self, stage: RestoreStage) -> None:
        """A bucket to look at serves nobody."""
        stage.clock.sleep(timedelta(days=3))
        run, _ = stage.restore(stage.good, into="assets-laboratory")
        assert exit_code(run) == 0
        assert restored(run).elsewhere

    def test_the_rule_is_still_there(self, stage: RestoreStage) -> None:
        """A restore touches no configuration."""
        stage.restore(stage.good)
        assert stage.buckets.source.settings(within=stage.buckets.within).rules == (RULE,)
