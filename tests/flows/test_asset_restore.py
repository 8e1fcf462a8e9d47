"""The whole of asset-restore over buckets in memory: what they hold afterwards, what was told, and the way back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from defib.clock import Deadline, SimulatedClock
from defib.entries import ChangeNotUndone
from defib.errors import LeaseHeld, Refused, Unavailable
from defib.journal import read_journal
from defib.objectives import Status
from defib.plan import Decides
from defib.replication.port import Original
from defib.run import Run
from defib.start import new_run
from tests.flows.replication_stage import notes
from tests.flows.restore_stage import RestoreStage, restored
from tests.stage import Doing, Killed, Killing, PlainFile


def damaged(home: Path) -> RestoreStage:
    """Four objects, one of which was deleted before the moment; then one is spoilt, one deleted, one new."""
    home.mkdir(parents=True, exist_ok=True)
    made = RestoreStage(home)
    for name in ("index.html", "images/logo.svg", "images/old.webp", "images/banner.webp"):
        made.put(name, name.encode())
    made.delete("images/old.webp")
    made.good = made.moment()
    made.put("images/logo.svg", b"spoilt")
    made.delete("images/banner.webp")
    made.put("images/new.webp", b"new")
    return made


@pytest.fixture
def stage(tmp_path: Path) -> RestoreStage:
    """Something went wrong after a good moment."""
    return damaged(tmp_path)


GOOD = {
    "index.html": b"index.html",
    "images/logo.svg": b"images/logo.svg",
    "images/banner.webp": b"images/banner.webp",
}


class TestInPlace:
    """Into the bucket whose past it is."""

    def test_the_bucket_holds_what_it_held(self, stage: RestoreStage) -> None:
        """Spoilt, deleted and new objects alike; what was as it was is not touched."""
        untouched = [version for version in stage.versions() if version[0] == "index.html"]
        run, outcome = stage.restore(stage.good)
        assert (outcome.status, outcome.reason) == (Status.RECOVERED, "")
        assert stage.holds() == GOOD
        told = restored(run)
        assert (told.held, told.returned, told.replaced, told.deleted, told.left, told.apart) == (3, 1, 1, 1, 0, 0)
        assert [version for version in stage.versions() if version[0] == "index.html"] == untouched

    def test_nothing_is_written_over(self, stage: RestoreStage) -> None:
        """Every version that was there is there still."""
        before = set(stage.versions())
        stage.restore(stage.good)
        assert before < set(stage.versions())

    def test_rolled_back_everything_is_as_it_was(self, stage: RestoreStage) -> None:
        """Version by version: nothing of the run is left."""
        before = stage.versions()
        run, _ = stage.restore(stage.good)
        outcome = stage.rollback(run.id)
        assert outcome.status is Status.ROLLED_BACK
        assert stage.versions() == before

    def test_what_is_done_is_told_as_people_say_it(self, stage: RestoreStage) -> None:
        """One object and several, and none at all."""
        run, _ = stage.restore(stage.good)
        assert "1 comes back, 1 is replaced, 1 is deleted: each by a new version" in notes(run)
        again, _ = stage.restore(stage.good)
        assert "\nnothing changes\n" in notes(again)

    def test_once_more_changes_nothing(self, stage: RestoreStage) -> None:
        """What is as it was costs a read."""
        stage.restore(stage.good)
        before = stage.versions()
        run, outcome = stage.restore(stage.good)
        assert (outcome.status, stage.versions()) == (Status.RECOVERED, before)
        assert restored(run).returned + restored(run).replaced + restored(run).deleted == 0

    def test_a_prefix_leaves_the_others(self, stage: RestoreStage) -> None:
        """What is not below it stays as it is."""
        stage.put("index.html", b"newer")
        stage.restore(stage.good, prefix="images/")
        assert stage.holds() == {**GOOD, "index.html": b"newer"}

    def test_a_plan_names_every_object(self, stage: RestoreStage) -> None:
        """Before and after, and changes nothing."""
        before = stage.versions()
        _, plan = stage.preview(stage.good)
        named = [record.key.name for change in plan.changes for record in change.records]
        assert named == ["images/banner.webp", "images/logo.svg", "images/new.webp"]
        assert all(change.decides is Decides.COPY for change in plan.changes)
        assert stage.versions() == before


class TestElsewhere:
    """From the other side, or into another bucket."""

    def test_into_another_bucket(self, stage: RestoreStage) -> None:
        """The source stays as it is."""
        before = stage.versions()
        stage.buckets.laboratory.put("left/over", b"x", within=stage.buckets.within)
        run, outcome = stage.restore(stage.good, into="assets-laboratory")
        assert outcome.status is Status.RECOVERED
        assert stage.holds("laboratory") == GOOD
        assert stage.versions() == before
        assert restored(run).elsewhere

    def test_from_the_replica(self, stage: RestoreStage) -> None:
        """The source's own versions were removed for good; the replica has them still."""
        for key, version in stage.versions():
            if key == "images/logo.svg":
                stage.buckets.source.remove(key, version, within=stage.buckets.within)
        stage.buckets.replica.mark_deleted("images/old.webp", within=stage.buckets.within)
        there = stage.versions("replica")
        _, outcome = stage.restore(stage.good, side="replica")
        assert outcome.status is Status.RECOVERED
        assert stage.versions("replica") == there
        assert stage.holds()["images/logo.svg"] == b"images/logo.svg"


class TestLarge:
    """Uploaded in parts, with no checksum of all bytes: only reading both whole tells them apart, a minute each."""

    @pytest.fixture
    def films(self, tmp_path: Path) -> RestoreStage:
        """Two films that are spoilt by others of the same length."""
        (tmp_path / "films").mkdir()
        stage = RestoreStage(tmp_path / "films")
        for what in ("good", "evil"):
            for name in ("one.mp4", "two.mp4"):
                version = stage.put(name, f"{what} {name}".encode(), plain=False)
                kept = stage.buckets.source.must(name, version)
                stage.buckets.source.keep(replace(kept, version=kept.version._replace(etag=f"{what}-2")))
            stage.good = stage.moment() if what == "good" else stage.good
        for bucket in (stage.buckets.source, stage.buckets.replica, stage.buckets.laboratory):
            bucket.digest = slowly(stage.clock, bucket.digest)  # type: ignore[method-assign]
        return stage

    def test_there_and_back(self, films: RestoreStage) -> None:
        """What was copied is known by its id as soon as S3 has answered, and read before it is said to be as it was."""
        before, spoilt = films.versions(), films.holds()
        run, outcome = films.restore(films.good)
        assert (outcome.status, outcome.reason) == (Status.RECOVERED, "")
        assert films.holds() == {name: f"good {name}".encode() for name in ("one.mp4", "two.mp4")}
        assert films.rollback(run.id).status is Status.ROLLED_BACK
        assert (films.versions(), films.holds()) == (before, spoilt)

    def test_what_a_copy_holds_is_proved_by_its_bytes(self, films: RestoreStage) -> None:
        """S3 has said that it copied; what it holds then is read all the same."""
        copy, source = films.buckets.source.copy, films.buckets.source

        def wrongly(original: Original, *, within: Deadline) -> str:
            version = copy(original, within=within)
            source.change(original.key, version, content=b"lost " + original.key.encode())
            return version

        source.copy = wrongly  # type: ignore[method-assign]
        _, outcome = films.restore(films.good)
        assert outcome.status is Status.FAILED
        assert "2 objects not as before" in outcome.reason


def slowly(clock: SimulatedClock, digest: Callable[..., str]) -> Callable[..., str]:
    """The same, a minute later; where less is left, not at all."""

    def read(key: str, version: str, *, within: Deadline) -> str:
        left = within.remaining()
        if left < timedelta(minutes=1):
            clock.sleep(max(left, timedelta(0)))
            raise Unavailable("no time was left to read on", where=key)
        clock.sleep(timedelta(minutes=1))
        return digest(key, version, within=within)

    return read


class TestWhatIsReplicated:
    """What is made at the source reaches the replica, and its removal does not."""

    def test_taken_back_at_the_replica_too(self, stage: RestoreStage) -> None:
        """Or the replica would hold what the source held for an hour."""
        stage.replicate()
        before = stage.versions("replica")
        run, _ = stage.restore(stage.good)
        stage.replicate()
        assert stage.holds("replica") == GOOD
        assert stage.rollback(run.id).status is Status.ROLLED_BACK
        assert stage.versions("replica") == before

    def test_a_region_that_is_away_keeps_nothing_from_being_put_back(self, stage: RestoreStage) -> None:
        """The source is as it was; what is left in the other region is named, with the command that removes it."""
        stage.replicate()
        before = stage.versions()
        run, _ = stage.restore(stage.good)
        stage.replicate()
        stage.buckets.replica.failing = Unavailable("no answer", where="eu-west-1")
        outcome = stage.rollback(run.id)
        assert outcome.status is Status.FAILED
        records, _ = read_journal(stage.desk.home.run(run.id) / "journal.jsonl")
        left = [record.entry.why for record in records if isinstance(record.entry, ChangeNotUndone)]
        assert "aws s3api delete-object --bucket assets-replica --key" in left[0]
        assert stage.versions() == before

    def test_what_somebody_deleted_too_keeps_nothing_else(self, stage: RestoreStage) -> None:
        """One object of a change is no longer ours to put back: it is named, and the others are as they were, in both."""
        stage.replicate()
        new, before, there = "images/new.webp", stage.versions(), stage.versions("replica")
        run, _ = stage.restore(stage.good)
        stage.replicate()
        theirs = stage.buckets.delete(new)
        outcome = stage.rollback(run.id)
        assert outcome.status is Status.FAILED
        told = told_not_undone(stage, run)
        assert f"somebody else changed {new}; 2 of 3 are put back" in told
        assert f"marker {theirs}" in told
        assert [each for each in stage.versions() if each[0] != new] == [each for each in before if each[0] != new]
        assert [each for each in stage.versions("replica") if each[0] != new] == [each for each in there if each[0] != new]
        assert (new, theirs) in stage.versions()

    def test_what_somebody_wrote_keeps_nothing_else(self, stage: RestoreStage) -> None:
        """The same where the object holds something new."""
        spoilt, before = "images/logo.svg", stage.versions()
        run, _ = stage.restore(stage.good)
        theirs = stage.put(spoilt, b"newer")
        assert stage.rollback(run.id).status is Status.FAILED
        assert f"somebody else changed {spoilt}; 2 of 3 are put back" in told_not_undone(stage, run)
        assert theirs in told_not_undone(stage, run)
        assert [each for each in stage.versions() if each[0] != spoilt] == [each for each in before if each[0] != spoilt]
        assert (spoilt, theirs) in stage.versions()


def told_not_undone(stage: RestoreStage, run: Run) -> str:
    """Why something was not put back."""
    records, _ = read_journal(stage.desk.home.run(run.id) / "journal.jsonl")
    return "; ".join(record.entry.why for record in records if isinstance(record.entry, ChangeNotUndone))


class TestBesideAnotherRun:
    """A check may take hours, and comes every quarter of an hour."""

    def test_a_check_that_is_at_work_keeps_nobody_waiting(self, stage: RestoreStage) -> None:
        """A restore begins while a check compares, and a check while a restore waits for its approval."""
        check = new_run(stage.desk, stage.order("replication-check"))
        _, outcome = stage.restore(stage.good)
        assert outcome.status is Status.RECOVERED
        assert check.changes.lease is not None
        check.changes.lease.check()
        check.changes.lease.release()
        _, outcome = stage.restore(stage.good, Doing(lambda: stage.run("replication-check")))
        assert outcome.status is Status.RECOVERED

    def test_a_repair_that_is_at_work_does(self, stage: RestoreStage) -> None:
        """Both change the same buckets."""
        repair = new_run(stage.desk, stage.order("replication-repair"))
        with pytest.raises(LeaseHeld):
            stage.restore(stage.good)
        assert repair.changes.lease is not None
        repair.changes.lease.release()

    def test_a_check_hides_no_restore_that_stopped_half_way(self, stage: RestoreStage) -> None:
        """It may look all the same; whoever would change something must bring the restore to its end first."""
        stage.sink = lambda path: Killing(path, 16, "after")
        with pytest.raises(Killed):
            stage.restore(stage.good)
        stage.die()
        stage.sink = PlainFile
        left = stage.desk.home.runs()[-1].name
        assert stage.run("replication-check")[0].id > left
        with pytest.raises(Refused, match="stopped half-way"):
            stage.restore(stage.good)
        assert stage.resume(left)[1].status is Status.RECOVERED
