"""The whole of replication-repair: what it mends, what it leaves alone, and what a kill -9 leaves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from defib.approval import Automatic, ByDigest
from defib.clock import Deadline
from defib.objectives import Status
from defib.providers.bucket.memory import Kept
from defib.replication.findings import SHOWN, Kind
from defib.replication.objectplans import TOGETHER
from defib.replication.port import NULL, Original, Version
from defib.replication.port import Status as Replication
from defib.replication.rules import BucketSettings
from defib.start import take_up
from tests.flows.replication_stage import ReplicationStage, notes, seen
from tests.replication.buckets import md5
from tests.stage import Killed, Killing, PlainFile

REPAIR = "replication-repair"
OBJECTS = TOGETHER + 5
ENTRIES = 60
"""More than such a run writes; who is not killed before the end shows that it is enough."""


@pytest.fixture
def stage(tmp_path: Path) -> ReplicationStage:
    """One object is damaged, one has failed, one was never covered, and one is well."""
    made = ReplicationStage(tmp_path)
    made.buckets.written("well.bin")
    made.buckets.replicate("damaged.bin", made.buckets.write("damaged.bin", b"content"), b"c0ntent")
    made.buckets.write("failed.bin", b"failed", Replication.FAILED)
    made.buckets.write("uncovered.bin", b"uncovered", Replication.NONE)
    return made


def test_what_the_replica_lacks_is_copied(stage: ReplicationStage) -> None:
    """After it, nothing is wrong any more, and the next check is green."""
    run, outcome = stage.run(REPAIR)
    assert (outcome.status, outcome.reason) == (Status.RECOVERED, "")
    assert seen(run).counts == ()
    assert stage.run()[1].status is Status.RECOVERED
    for name, content in (("damaged", b"content"), ("failed", b"failed"), ("uncovered", b"uncovered")):
        assert stage.buckets.replica.must(f"{name}.bin", "").content == content


def test_the_plan_names_each_object_and_its_digest_is_approved(stage: ReplicationStage) -> None:
    """No more and no less than what was approved is copied."""
    _, plan = stage.plan(REPAIR)
    assert [record.key.name for change in plan.changes for record in change.records] == [
        "damaged.bin",
        "failed.bin",
        "uncovered.bin",
    ]
    _, outcome = stage.run(REPAIR, ByDigest(plan.digest(), "somebody", "again"))
    assert outcome.status is Status.RECOVERED
    stage.buckets.write("another.bin", b"new", Replication.FAILED)
    _, refused = stage.run(REPAIR, ByDigest(plan.digest(), "somebody", "again"))
    assert refused.status is Status.REFUSED
    assert stage.buckets.replica.kept("another.bin") is None


def test_rolled_back_everything_is_as_it_was(stage: ReplicationStage) -> None:
    """New versions are removed, and what they covered stands again."""
    before = json.dumps([str(each) for each in _held(stage)])
    run, _ = stage.run(REPAIR)
    assert stage.rollback(run.id).status is Status.ROLLED_BACK
    assert json.dumps([str(each) for each in _held(stage)]) == before


def _held(stage: ReplicationStage) -> list[object]:
    kept = stage.buckets.replica._held
    return [(key, [(each.version.id, each.content) for each in held]) for key, held in sorted(kept.items()) if held]


def test_an_older_version_is_told_and_left_alone(stage: ReplicationStage) -> None:
    """Copied now it would be the newest, and hide what the key holds."""
    stage.buckets.write("well.bin", b"older", Replication.FAILED)
    stage.buckets.written("well.bin", b"newest")
    run, outcome = stage.run(REPAIR)
    assert outcome.status is Status.RECOVERED
    assert "not what their keys hold now" in notes(run)
    assert stage.buckets.replica.must("well.bin", "").content == b"newest"
    assert dict(seen(run).counts) == {Kind.FAILED.value: 1}


def test_what_is_late_only_is_not_touched(tmp_path: Path) -> None:
    """PENDING comes by itself."""
    stage = ReplicationStage(tmp_path)
    stage.buckets.write("late.bin")
    _, plan = stage.plan(REPAIR)
    assert plan.changes == ()


@pytest.mark.parametrize("at", range(1, ENTRIES, 4))
def test_killed_at_any_entry_it_is_resumed_to_the_end(tmp_path: Path, at: int) -> None:
    """E1: more than one change of many objects; whatever was copied by then is not copied twice."""
    stage = _many(tmp_path)
    died = _killed(stage, at)
    if died:
        run = take_up(stage.desk, stage.desk.home.runs()[-1].name, Automatic("a test"), "resume")
        _, outcome = stage.play(run)
        assert (outcome.status, outcome.reason) == (Status.RECOVERED, "")
    _assert_each_once(stage)


@pytest.mark.parametrize("at", range(9, ENTRIES, 4))
def test_killed_at_any_entry_it_is_rolled_back(tmp_path: Path, at: int) -> None:
    """E1: nothing that the run copied is left."""
    stage = _many(tmp_path)
    if _killed(stage, at):
        outcome = stage.rollback(stage.desk.home.runs()[-1].name)
        assert outcome.status is Status.ROLLED_BACK
        assert _held(stage) == []


def test_killed_among_the_copies_of_one_change(tmp_path: Path) -> None:
    """The change was written down, and half of its objects are copied: the other half follows, or the first is removed."""
    for ending in ("resume", "rollback"):
        stage = _many(tmp_path / ending)
        copied = stage.buckets.replica.copy
        number = 0

        def dying(original: Original, *, within: Deadline) -> str:
            nonlocal number
            number += 1
            if number > TOGETHER // 2:
                raise Killed
            return copied(original, within=within)  # noqa: B023 - called at once

        stage.buckets.replica.copy = dying  # type: ignore[method-assign]
        with pytest.raises(Killed):
            stage.run(REPAIR)
        stage.die()
        stage.buckets.replica.copy = copied  # type: ignore[method-assign]
        name = stage.desk.home.runs()[-1].name
        if ending == "rollback":
            assert stage.rollback(name).status is Status.ROLLED_BACK
            assert _held(stage) == []
        else:
            _, outcome = stage.play(take_up(stage.desk, name, Automatic("a test"), "resume"))
            assert (outcome.status, outcome.reason) == (Status.RECOVERED, "")
            _assert_each_once(stage)


def _many(folder: Path) -> ReplicationStage:
    stage = ReplicationStage(folder)
    for number in range(OBJECTS):
        stage.buckets.write(f"{number:03}.bin", f"{number}".encode(), Replication.FAILED)
    return stage


def _killed(stage: ReplicationStage, at: int) -> bool:
    stage.sink = lambda path: Killing(path, at, "after")
    try:
        stage.run(REPAIR)
    except Killed:
        stage.die()
        return True
    finally:
        stage.sink = PlainFile
    return False


def _assert_each_once(stage: ReplicationStage) -> None:
    kept = stage.buckets.replica._held
    assert {key: len(versions) for key, versions in kept.items()} == {f"{number:03}.bin": 1 for number in range(OBJECTS)}


def test_other_headers_are_mended(tmp_path: Path) -> None:
    """The version with the wrong headers stays below one with the right ones, and is no finding any more."""
    stage = ReplicationStage(tmp_path)
    stage.buckets.written("a.js", b"content", headers={"Content-Type": "text/javascript"})
    stage.buckets.replica.change("a.js", "", headers={"Content-Type": "text/plain"})
    assert dict(seen(stage.run()[0]).counts) == {Kind.UNLIKE.value: 1}
    run, outcome = stage.run(REPAIR)
    assert (outcome.status, outcome.reason) == (Status.RECOVERED, "")
    assert seen(run).counts == ()


def test_a_replica_without_versions_is_refused(tmp_path: Path) -> None:
    """What is copied there would be written over, and could not be put back; least of all may it be deleted."""
    stage = ReplicationStage(tmp_path)
    stage.write(unversioned=True)
    now = stage.clock.now()
    for bucket, content in ((stage.buckets.source, b"content"), (stage.buckets.replica, b"c0ntent")):
        bucket.configure(BucketSettings("eu-west-1", ""))
        bucket.keep(Kept(Version("a.bin", "", len(content), md5(content), now, marker=False, latest=True), content))
    before = _held(stage)
    _, outcome = stage.run(REPAIR)
    assert "keeps no versions" in outcome.reason
    assert _held(stage) == before


def test_a_source_without_versions_is_copied_from(tmp_path: Path) -> None:
    """What its keys hold has no id: that means no deletion at the replica, which keeps versions."""
    stage = ReplicationStage(tmp_path)
    stage.write(unversioned=True)
    held = Version("a.bin", "", 7, md5(b"content"), stage.clock.now(), marker=False, latest=True)
    stage.buckets.source.keep(Kept(held, b"content"))
    stage.buckets.replica.put("a.bin", b"c0ntent", within=stage.buckets.within)
    _, plan = stage.plan(REPAIR)
    assert [record.key.set_identifier for change in plan.changes for record in change.records] == [NULL]


def test_what_one_repair_leaves_is_told(tmp_path: Path) -> None:
    """A comparison tells so many of each kind one by one, and only these are in the plan."""
    stage = ReplicationStage(tmp_path)
    for number in range(SHOWN + 3):
        stage.buckets.write(f"{number:03}.bin", b"failed", Replication.FAILED)
    stage.write(ask_at_most=9000)
    run, plan = stage.plan(REPAIR)
    assert sum(len(change.records) for change in plan.changes) == SHOWN
    assert "3 more" in notes(run)
