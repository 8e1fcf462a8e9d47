"""A process that is killed at any instant of asset-restore leaves a run that can be brought to an end, either way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from defib.journal import read_journal
from defib.objectives import Status
from tests.flows.restore_stage import RestoreStage
from tests.flows.test_asset_restore import GOOD, damaged
from tests.stage import Killed, Killing, PlainFile

HOW = ("torn", "after")


def killed(home: Path, how: str) -> Iterator[tuple[int, RestoreStage, list[tuple[str, str]]]]:
    """One world for each line that a run in it writes, with the run killed there, and what it held before."""
    for at in range(1, 100):
        stage = damaged(home / f"{at}")
        before = stage.versions()
        stage.sink = lambda path, at=at: Killing(path, at, how)  # type: ignore[misc]
        try:
            stage.restore(stage.good)
        except Killed:
            stage.die()
            stage.sink = PlainFile
            yield at, stage, before
        else:
            assert at > 15
            return


def left(stage: RestoreStage) -> str:
    """The id of the run that was killed; "" if not even its opening is on the disk."""
    folder = stage.desk.home.runs()[-1] if stage.desk.home.runs() else None
    return folder.name if folder and read_journal(folder / "journal.jsonl")[0] else ""


@pytest.mark.parametrize("how", HOW)
def test_resumed_it_ends(tmp_path: Path, how: str) -> None:
    """E1: killed at any line and taken up again, everything is as it was, and nothing was copied twice."""
    for at, stage, before in killed(tmp_path, how):
        run_id = left(stage)
        _, outcome = stage.resume(run_id) if run_id else stage.restore(stage.good)
        assert (at, outcome.status, outcome.reason) == (at, Status.RECOVERED, "")
        assert (at, stage.holds()) == (at, GOOD)
        assert (at, len(stage.versions()) - len(before)) == (at, 3)


@pytest.mark.parametrize("how", HOW)
def test_rolled_back_nothing_is_left(tmp_path: Path, how: str) -> None:
    """E1: killed at any line and put back, every version that was there is there, and no other."""
    for at, stage, before in killed(tmp_path, how):
        run_id = left(stage)
        if not run_id:
            continue
        outcome = stage.rollback(run_id)
        assert (at, outcome.status) == (at, Status.ROLLED_BACK)
        assert (at, stage.versions()) == (at, before)


def dying(stage: RestoreStage, name: str, nth: int, *, after: bool) -> None:
    """Let the process be killed at the nth call of one of the source's writes, before it is made or after."""
    write = getattr(stage.buckets.source, name)
    left_over = [nth]

    def call(*arguments: Any, **named: Any) -> Any:
        left_over[0] -= 1
        if left_over[0] == 0 and not after:
            raise Killed
        done = write(*arguments, **named)
        if left_over[0] == 0:
            raise Killed
        return done

    setattr(stage.buckets.source, name, call)


def heal(stage: RestoreStage, name: str) -> None:
    """From now on nothing kills it."""
    delattr(stage.buckets.source, name)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(("name", "nth"), [("copy", 1), ("copy", 2), ("mark_deleted", 1)])
@pytest.mark.parametrize("end", ["resume", "rollback"])
def test_killed_among_the_objects_of_one_change(tmp_path: Path, name: str, nth: int, after: bool, end: str) -> None:
    """Some objects of a change are made and some are not: both ends find out which."""
    stage = damaged(tmp_path)
    before = stage.versions()
    dying(stage, name, nth, after=after)
    with pytest.raises(Killed):
        stage.restore(stage.good)
    heal(stage, name)
    stage.die()
    if end == "resume":
        _, outcome = stage.resume(left(stage))
        assert (outcome.status, stage.holds()) == (Status.RECOVERED, GOOD)
        assert len(stage.versions()) - len(before) == 3
    else:
        assert stage.rollback(left(stage)).status is Status.ROLLED_BACK
        assert stage.versions() == before


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_killed_while_it_is_put_back(tmp_path: Path, nth: int) -> None:
    """A second rollback ends what the first began."""
    stage = damaged(tmp_path)
    before = stage.versions()
    run, _ = stage.restore(stage.good)
    dying(stage, "remove", nth, after=True)
    with pytest.raises(Killed):
        stage.rollback(run.id)
    heal(stage, "remove")
    stage.die()
    assert stage.rollback(run.id).status is Status.ROLLED_BACK
    assert stage.versions() == before


@pytest.mark.parametrize("nth", [1, 3])
def test_killed_between_the_two_regions(tmp_path: Path, nth: int) -> None:
    """A second rollback finds nothing left to do for an object at the source: of the replica it was removed before that."""
    stage = damaged(tmp_path)
    stage.replicate()
    before = stage.versions("replica")
    run, _ = stage.restore(stage.good)
    stage.replicate()
    dying(stage, "remove", nth, after=True)
    with pytest.raises(Killed):
        stage.rollback(run.id)
    heal(stage, "remove")
    stage.die()
    assert stage.rollback(run.id).status is Status.ROLLED_BACK
    assert stage.versions("replica") == before
