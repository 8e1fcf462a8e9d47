"""A process that is killed at any entry of its journal leaves a run that can be brought to an end, either way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from defib import entries
from defib.clock import Deadline
from defib.conduct import Outcome
from defib.errors import EvidenceBroken
from defib.home import Home
from defib.journal import read_journal
from defib.lease import current_holder
from defib.objectives import Status
from tests.stage import GOOD, LAB, REFUSED, Killed, Killing, PlainFile, Stage, impatient, kinds, seconds

HOW = ("torn", "after")
"""The line is on the disk in part, after all that came before it; or as a whole, before anything that comes after it."""


def outage(home: Path) -> Stage:
    """The primary refuses connections."""
    stage = Stage(home, site_path=coarse(home))
    stage.edges["cloudfront"] = REFUSED
    return stage


def coarse(home: Path) -> Path:
    """The site file, with fewer looks: one is killed like another."""
    home.mkdir(parents=True, exist_ok=True)
    path = home / "coarse.yaml"
    text = LAB.read_text(encoding="utf-8").replace("interval: 200ms", "interval: 1s").replace("hold: 3s", "hold: 2s")
    path.write_text(text.replace("stable_for: 3s", "stable_for: 1s"), encoding="utf-8")
    return path


def failing(home: Path) -> Stage:
    """The same; two seconds later the standby fails and the primary is well, so that the run is put back."""
    folder = home / "books"
    folder.mkdir(parents=True)
    stage = Stage(home, site_path=coarse(home), runbooks=impatient(folder))
    stage.edges["cloudfront"] = REFUSED
    stage.at(2, cloudfront=GOOD, cloudflare=REFUSED)
    return stage


def kill(stage: Stage, at: int, how: str, begin: Callable[[], object]) -> bool:
    """Carry out `begin`, killed at the journal's nth line; False if it ended before."""
    stage.sink = lambda path: Killing(path, at, how)
    try:
        begin()
    except Killed:
        stage.die()
        return True
    finally:
        stage.sink = PlainFile
    return False


def each(home: Path, how: str, world: Callable[[Path], Stage]) -> list[tuple[int, Stage]]:
    """One world for each line that a run in it writes, with the run killed there."""
    found: list[tuple[int, Stage]] = []
    for at in range(1, 2000):
        stage = world(home / f"{at}")
        if not kill(stage, at, how, stage.recover):
            return found
        found.append((at, stage))
    raise AssertionError("the run has no end")


def left(stage: Stage) -> str:
    """The id of the run that was killed; "" if not even its opening is on the disk."""
    folder = stage.desk.home.runs()[-1] if stage.desk.home.runs() else None
    return folder.name if folder and read_journal(folder / "journal.jsonl")[0] else ""


def whole(home: Home, run_id: str) -> list[str]:
    """The kinds of entries of a journal that verifies from the first line to the last."""
    records, torn = read_journal(home.run(run_id) / "journal.jsonl")
    assert torn == 0
    return kinds(records)


@pytest.mark.parametrize("how", HOW)
def test_resume_recovers(tmp_path: Path, how: str) -> None:
    """E1: killed at any line of cdn-failover, the run is resumed to recovery, and nothing is written twice."""
    runs = each(tmp_path, how, outage)
    assert len(runs) > 40
    for at, stage in runs:
        run_id = left(stage)
        outcome = stage.resume(run_id)[1] if run_id else stage.recover()[1]
        assert (at, outcome.status) == (at, Status.RECOVERED)
        assert (at, stage.writes) == (at, [(stage.standby.hostname,)])
        if run_id:
            assert whole(stage.desk.home, run_id)[-1] == "Closed"


@pytest.mark.parametrize("how", HOW)
def test_rollback_puts_back(tmp_path: Path, how: str) -> None:
    """E1: killed at any line of cdn-failover, the run is rolled back, and the record is as it was."""
    for at, stage in each(tmp_path, how, outage):
        run_id = left(stage)
        if not run_id:
            continue
        _, outcome = stage.rollback(run_id)
        assert (at, outcome.status, stage.record) == (at, Status.ROLLED_BACK, stage.before)
        assert stage.writes in ([], [(stage.standby.hostname,), (stage.primary.hostname,)])
        assert whole(stage.desk.home, run_id)[-1] == "Closed"


@pytest.mark.parametrize("how", HOW)
def test_killed_while_it_was_put_back(tmp_path: Path, how: str) -> None:
    """A run killed at any line on its way back ends, when resumed, with the users where they are served."""
    for at, stage in each(tmp_path, how, failing):
        run_id = left(stage)
        if not run_id:
            continue
        stage.clock.sleep(seconds(10))
        _, outcome = stage.resume(run_id)
        assert outcome.status in {Status.ROLLED_BACK, Status.REFUSED}, at
        assert (at, stage.record) == (at, stage.before)


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("way", ["resume", "rollback"])
def test_failback(tmp_path: Path, how: str, way: str) -> None:
    """E1: the same for failback: resumed it takes the users back, rolled back it leaves them at the standby."""
    for at in range(1, 2000):
        stage = Stage(tmp_path / f"{at}", site_path=coarse(tmp_path / f"{at}"))
        forward = stage.recovered().id
        if not kill(stage, at, how, lambda: stage.recover("failback", follows=forward)):  # noqa: B023
            assert at > 40
            return
        run_id = left(stage)
        if run_id == forward or not run_id:
            continue
        outcome, there, back = end(stage, run_id, way), (stage.standby.hostname,), (stage.primary.hostname,)
        if way == "resume":
            assert (at, outcome.status, stage.writes) == (at, Status.RECOVERED, [there, back])
        else:
            assert (at, outcome.status, stage.record) == (at, Status.ROLLED_BACK, stage.after)
            assert stage.writes in ([there], [there, back, there])


def end(stage: Stage, run_id: str, way: str) -> Outcome:
    """Resume, or roll back."""
    return stage.resume(run_id)[1] if way == "resume" else stage.rollback(run_id)[1]


@pytest.mark.parametrize("how", HOW)
def test_killed_twice(tmp_path: Path, how: str) -> None:
    """Killed at the write, and again at every line of the resumption, the run still comes to its end with one write."""
    intended = kinds_of_a_run(tmp_path / "whole").index("ChangeIntended") + 1
    for at in range(1, 2000):
        stage = outage(tmp_path / f"{at}")
        assert kill(stage, intended, "after", stage.recover)
        run_id = left(stage)
        died = kill(stage, at, how, lambda: stage.resume(run_id))  # noqa: B023
        if not died:
            return
        _, outcome = stage.resume(run_id)
        assert (at, outcome.status, stage.writes) == (at, Status.RECOVERED, [(stage.standby.hostname,)])


def kinds_of_a_run(home: Path) -> list[str]:
    """The kinds of entries of a run that nobody kills."""
    return kinds(outage(home).recover()[0].journal.records)


def test_change_that_was_intended_twice_is_taken_back_once(tmp_path: Path) -> None:
    """A run that was killed between intention and write, and resumed, can be failed back like any other."""
    stage = outage(tmp_path)
    intended = kinds_of_a_run(tmp_path / "whole").index("ChangeIntended") + 1
    assert kill(stage, intended, "after", stage.recover)
    run, _ = stage.resume(left(stage))
    assert kinds(run.journal.records).count("ChangeIntended") == 2
    stage.edges["cloudfront"] = GOOD
    _, outcome = stage.recover("failback", follows=run.id)
    assert (outcome.status, stage.record) == (Status.RECOVERED, stage.before)


def test_killed_before_its_first_entry(tmp_path: Path) -> None:
    """A run that did not live to its first entry changed nothing and keeps no later run from beginning."""
    stage = outage(tmp_path)
    assert kill(stage, 1, "torn", stage.recover)
    with pytest.raises(EvidenceBroken):
        stage.resume(stage.desk.home.runs()[0].name)
    assert stage.recover()[1].status is Status.RECOVERED


def test_torn_line_is_told(tmp_path: Path) -> None:
    """How many bytes of a half-written entry were dropped is part of the evidence."""
    stage = outage(tmp_path)
    assert kill(stage, 20, "torn", stage.recover)
    folder = stage.desk.home.runs()[0]
    torn = read_journal(folder / "journal.jsonl")[1]
    assert torn > 0
    run, _ = stage.resume(folder.name)
    assert [reopened.torn for reopened in run.journal.of(entries.Reopened)] == [torn]


def test_late_landing(tmp_path: Path) -> None:
    """A write that was on its way when its process was killed, and lands later, is found and not repeated."""
    stage = outage(tmp_path)
    intended = kinds_of_a_run(tmp_path / "whole").index("ChangeIntended") + 1
    assert kill(stage, intended, "after", stage.recover)
    within = Deadline.after(stage.clock, seconds(1))
    stage.memory.replace([stage.change], within=within)
    run, outcome = stage.resume(left(stage))
    assert (outcome.status, len(stage.writes)) == (Status.RECOVERED, 1)
    assert [made.already for made in run.journal.of(entries.ChangeMade)] == [True]


def test_lease_is_free_after_the_end(tmp_path: Path) -> None:
    """A run that came to its end holds nothing, however it ended."""
    stage = outage(tmp_path)
    stage.edges["cloudflare"] = REFUSED
    assert stage.recover()[1].status is Status.REFUSED
    assert current_holder(stage.desk.home.site("lab")) is None
