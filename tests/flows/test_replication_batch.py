"""What replication-repair leaves to S3 Batch Replication: the job in the plan, its end, and what a kill -9 makes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from defib.approval import Automatic
from defib.clock import Deadline
from defib.entries import ChangeNotUndone
from defib.errors import Unavailable
from defib.journal import read_journal
from defib.objectives import Status
from defib.plan import JOB_VENDOR
from defib.replication.jobs import Job
from defib.replication.port import Status as Replication
from defib.replication.rules import Rule
from defib.start import take_up
from tests.flows.replication_stage import ReplicationStage, notes, seen
from tests.replication.buckets import REPLICA, settings
from tests.stage import Killed, Killing, PlainFile

REPAIR = "replication-repair"
ACCOUNT, ROLE = "123456789012", "arn:aws:iam::123456789012:role/batch"


@pytest.fixture
def stage(tmp_path: Path) -> ReplicationStage:
    """An object whose older version has failed, one that was never covered, and one that is damaged at the replica."""
    return made(tmp_path)


def made(folder: Path) -> ReplicationStage:
    """The same, in a folder."""
    stage = ReplicationStage(folder)
    stage.write(account=ACCOUNT, batch_role=ROLE)
    stage.buckets.write("older.bin", b"older", Replication.FAILED)
    stage.clock.sleep(timedelta(minutes=1))
    stage.buckets.written("older.bin", b"newest")
    stage.buckets.write("uncovered.bin", b"uncovered", Replication.NONE)
    stage.buckets.replicate("damaged.bin", stage.buckets.write("damaged.bin", b"content"), b"c0ntent")
    stage.clock.sleep(timedelta(hours=1))
    return stage


def kinds(stage: ReplicationStage) -> list[tuple[str, str]]:
    """What a plan changes, by vendor: objects by their names, jobs by their orders."""
    _, plan = stage.plan(REPAIR)
    return [(change.vendor, record.key.name) for change in plan.changes for record in change.records]


def test_the_plan_holds_a_job_and_the_copies_that_it_does_not_make(stage: ReplicationStage) -> None:
    """What is approved is what the job is asked to do: as whom, which versions, until when."""
    job, copy = kinds(stage)
    text = f"--bucket assets --statuses FAILED,NONE --before 2026-01-01T00:01:01Z --role {ROLE} --priority 10"
    assert job == (JOB_VENDOR, text)
    assert copy == ("s3-objects", "damaged.bin")


def test_the_same_findings_have_the_same_digest(stage: ReplicationStage) -> None:
    """However late it is approved."""
    first = stage.plan(REPAIR)[1].digest()
    stage.clock.sleep(timedelta(minutes=7))
    assert stage.plan(REPAIR)[1].digest() == first


def test_older_versions_come_with_their_ids(stage: ReplicationStage) -> None:
    """Copied they would be the newest; replicated they are what they are. Afterwards nothing is wrong."""
    run, outcome = stage.run(REPAIR)
    assert (outcome.status, outcome.reason) == (Status.RECOVERED, "")
    assert seen(run).counts == ()
    assert stage.buckets.replica.must("older.bin", "").content == b"newest"
    assert [job.status for job in stage.buckets.jobs.all] == ["Complete"]
    assert "job job-1 is Complete, 2 of 2 versions replicated" in notes(run)


def test_without_an_account_current_objects_are_copied(stage: ReplicationStage) -> None:
    """What remains is what was before."""
    stage.write()
    assert kinds(stage) == [("s3-objects", "damaged.bin"), ("s3-objects", "uncovered.bin")]


def test_what_no_rule_covers_is_copied(stage: ReplicationStage) -> None:
    """A job takes what rules cover now, and nothing else."""
    stage.buckets.source.configure(settings(Rule("old", enabled=True, destination=REPLICA, prefix="old")))
    assert kinds(stage)[1:] == [("s3-objects", "damaged.bin"), ("s3-objects", "uncovered.bin")]


def test_one_job_for_each_prefix(stage: ReplicationStage) -> None:
    """A filter of S3's has room for one."""
    stage.write(account=ACCOUNT, batch_role=ROLE, prefixes=["older", "uncovered"], batch_report="reports")
    jobs = [text for vendor, text in kinds(stage) if vendor == JOB_VENDOR]
    assert [text.split("--prefix ")[1].split()[0] for text in jobs] == ["older", "uncovered"]
    assert all(text.endswith("--report reports") for text in jobs)


def test_a_job_that_fails_says_why_and_takes_nothing_back(stage: ReplicationStage) -> None:
    """In S3's words; what was replicated until then harms nothing."""
    stage.buckets.jobs.ends, stage.buckets.jobs.reasons = "Failed", ("AccessDenied: the role may not",)
    _, outcome = stage.run(REPAIR)
    assert outcome.status is Status.FAILED
    assert "AccessDenied: the role may not" in outcome.reason
    assert "not put back" in outcome.reason


def test_a_job_that_lasts_too_long_goes_on(stage: ReplicationStage) -> None:
    """The run ends with its budget; resumed it waits for the same job."""
    stage.buckets.jobs.ends = None
    run, outcome = stage.run(REPAIR)
    assert (outcome.status, "within its budget" in outcome.reason) == (Status.FAILED, True)
    stage.buckets.jobs.ends = "Complete"
    _, outcome = stage.play(take_up(stage.desk, run.id, Automatic("a test"), "resume"))
    assert (outcome.status, len(stage.buckets.jobs.all)) == (Status.RECOVERED, 1)


def test_rolled_back_a_job_at_work_is_cancelled(stage: ReplicationStage) -> None:
    """Nothing more comes of it."""
    stage.buckets.jobs.ends = None
    run, _ = stage.run(REPAIR)
    assert stage.rollback(run.id).status is Status.ROLLED_BACK
    assert [job.status for job in stage.buckets.jobs.all] == ["Cancelled"]


def test_rolled_back_a_job_that_is_over_is_told(stage: ReplicationStage) -> None:
    """The copies are taken back; what S3 has replicated stays, and that is said."""
    run, _ = stage.run(REPAIR)
    assert stage.rollback(run.id).status is Status.FAILED
    records, _ = read_journal(stage.desk.home.run(run.id) / "journal.jsonl")
    (left,) = [record.entry.why for record in records if isinstance(record.entry, ChangeNotUndone)]
    assert "the versions that it replicated stay" in left
    assert stage.buckets.replica.must("damaged.bin", "").content == b"c0ntent"


def test_the_same_again_is_another_job(stage: ReplicationStage) -> None:
    """What a job left has another, though its order is the same."""
    stage.buckets.jobs.ends = "Failed"
    stage.run(REPAIR)
    stage.buckets.jobs.ends = "Complete"
    _, outcome = stage.run(REPAIR)
    assert outcome.status is Status.RECOVERED
    first, second = stage.buckets.jobs.all
    assert (first.status, second.status, first.name != second.name) == ("Failed", "Complete", True)


def test_jobs_that_cannot_be_asked_for(stage: ReplicationStage) -> None:
    """The plan is not made of half of what is to be done."""
    stage.buckets.jobs.failing = Unavailable("no answer", where="s3control")
    run, outcome = stage.run(REPAIR)
    assert outcome.status is Status.FAILED
    assert "s3control" in outcome.reason
    assert not run.changes.standing()


@pytest.mark.parametrize("ending", ["resume", "rollback"])
def test_killed_at_any_entry_there_is_one_job(tmp_path: Path, ending: str) -> None:
    """E1: asked for once, however often the run is taken up; taken back it is cancelled, or told."""
    for at in range(1, 100):
        stage = made(tmp_path / ending / f"{at}")
        stage.sink = lambda path, at=at: Killing(path, at, "after")  # type: ignore[misc]
        try:
            stage.run(REPAIR)
        except Killed:
            stage.die()
            stage.sink = PlainFile
        else:
            assert at > 25
            return
        name = stage.desk.home.runs()[-1].name
        if ending == "resume":
            _, outcome = stage.play(take_up(stage.desk, name, Automatic("a test"), "resume"))
            assert (at, outcome.status, outcome.reason) == (at, Status.RECOVERED, "")
            assert (at, [job.status for job in stage.buckets.jobs.all]) == (at, ["Complete"])
        else:
            outcome = stage.rollback(name)
            statuses = [job.status for job in stage.buckets.jobs.all]
            assert (at, statuses) in [(at, []), (at, ["Cancelled"]), (at, ["Complete"])]
            assert (at, outcome.status) == (at, Status.FAILED if statuses == ["Complete"] else Status.ROLLED_BACK)
            assert stage.buckets.replica.must("damaged.bin", "").content == b"c0ntent"


def test_killed_right_after_the_job_was_made(tmp_path: Path) -> None:
    """S3 has made it and nobody heard: it is found by its name, or by its token where the list does not have it yet."""
    for listed in (True, False):
        stage = made(tmp_path / f"{listed}")
        create, named = stage.buckets.jobs.create, stage.buckets.jobs.named

        def dying(*arguments: object, **more: object) -> str:
            create(*arguments, **more)  # type: ignore[arg-type] # noqa: B023 - called at once
            raise Killed

        stage.buckets.jobs.create = dying  # type: ignore[method-assign]
        with pytest.raises(Killed):
            stage.run(REPAIR)
        stage.die()
        stage.buckets.jobs.create = create  # type: ignore[method-assign]
        if not listed:
            stage.buckets.jobs.named = Late(named)  # type: ignore[method-assign]
        _, outcome = stage.play(take_up(stage.desk, stage.desk.home.runs()[-1].name, Automatic("a test"), "resume"))
        assert (outcome.status, outcome.reason) == (Status.RECOVERED, "")
        assert [job.status for job in stage.buckets.jobs.all] == ["Complete"]


class Late:
    """A list that does not have a new job yet, when it is asked for the first time and the second."""

    def __init__(self, named: Callable[..., Sequence[Job]]) -> None:
        self._named, self._asked = named, 0

    def __call__(self, name: str, *, within: Deadline) -> Sequence[Job]:
        """The jobs of that name, sooner or later."""
        self._asked += 1
        return self._named(name, within=within) if self._asked > 2 else ()
