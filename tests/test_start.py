"""From an order to a run: what is refused leaves nothing behind, and what was broken keeps nobody down."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from defib import entries
from defib.clock import Deadline
from defib.errors import EvidenceBroken, HomeUnwritable, LeaseHeld, LeaseLost, Refused, SiteInvalid
from defib.history import status_of
from defib.journal import FileSink
from defib.lease import current_holder
from defib.objectives import Mode, Status
from defib.start import take_up
from tests.stage import LAB, REFUSED, Doing, Stage, kinds, seconds


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """A world whose primary is down."""
    stage = Stage(tmp_path)
    stage.edges["cloudfront"] = REFUSED
    return stage


def stopped(stage: Stage) -> str:
    """The id of a run that a signal stopped after its change."""
    stage.clock.at(stage.clock.monotonic() + seconds(1), stage.clock.interrupt)
    run, outcome = stage.recover()
    assert outcome.status is Status.INTERRUPTED
    stage.clock.resume()
    return run.id


def nothing_held(stage: Stage) -> bool:
    """Whether the site is free."""
    return current_holder(stage.desk.home.site("lab")) is None


def test_folder_has_what_the_run_began_with(stage: Stage) -> None:
    """Site file and runbook are kept as they were, and their digests are in the journal."""
    run = stage.begin(since=stage.clock.now(), trigger="a test")
    folder = stage.desk.home.run(run.id)
    assert (folder / "site.yaml").read_bytes() == LAB.read_bytes()
    assert (folder / "runbook.md").read_text(encoding="utf-8") == run.runbook.text
    (opened,) = run.journal.of(entries.Opened)
    assert (opened.run_id, opened.trigger, opened.runbook_digest) == (run.id, "a test", run.runbook.digest)
    assert kinds(run.journal.records) == ["Opened", "LeaseTaken"]


def test_rehearsal_outside_of_the_lab(stage: Stage) -> None:
    """E10: a run that approves itself is refused where users are."""
    text = LAB.read_text(encoding="utf-8").replace("lab: true\n", "")
    stage.site_path = stage.home / "real.yaml"
    stage.site_path.write_text(text, encoding="utf-8")
    with pytest.raises(Refused, match="not in the lab"):
        stage.begin()
    assert (stage.desk.home.runs(), nothing_held(stage)) == ([], True)


def test_wrong_site_file(stage: Stage) -> None:
    """A mistake in the site file stops a run before it takes anything."""
    stage.site_path = stage.home / "wrong.yaml"
    stage.site_path.write_text("site: lab", encoding="utf-8")
    with pytest.raises(SiteInvalid):
        stage.begin()
    assert (stage.desk.home.runs(), nothing_held(stage)) == ([], True)


def test_runs_folder_that_cannot_be_made(stage: Stage) -> None:
    """A home that cannot be written is told as such, and the site is free afterwards."""
    (stage.desk.home.path / "runs").write_text("a file, not a folder")
    with pytest.raises(HomeUnwritable):
        stage.begin()
    assert nothing_held(stage)


def test_second_resume_at_once(stage: Stage) -> None:
    """Two operators resume one run: one goes on, the other is refused, and the journal is whole."""
    run_id = stopped(stage)
    refused: list[str] = []

    def again() -> None:
        with pytest.raises(LeaseHeld) as caught:
            take_up(stage.desk, run_id, Doing(lambda: None), "resume")
        refused.append(caught.value.seen)

    stage.clock.at(stage.clock.monotonic() + seconds(2), again)
    assert stage.resume(run_id)[1].status is Status.RECOVERED
    assert refused[0].startswith(f"run {run_id} of ")


def test_resumed_while_the_first_process_slept(tmp_path: Path) -> None:
    """E8: a run whose process slept and was taken up meanwhile writes neither outside nor into the journal."""
    stage = Stage(tmp_path)
    stage.edges["cloudfront"] = REFUSED
    stage.desk = replace(stage.desk, sink=FileSink)
    second: list[Status] = []

    def sleep_and_be_overtaken() -> None:
        stage.die()
        second.append(stage.resume(stage.desk.home.runs()[0].name)[1].status)

    with pytest.raises(LeaseLost, match="taken up by another"):
        stage.recover(approver=Doing(sleep_and_be_overtaken))
    assert second == [Status.RECOVERED]
    assert stage.writes == [(stage.standby.hostname,)]
    assert status_of(take_up(stage.desk, stage.desk.home.runs()[0].name, Doing(lambda: None), "x").journal.records) is None


class TestBesideOthers:
    """What earlier runs mean for a new one."""

    def test_stopped_half_way(self, stage: Stage) -> None:
        """A run that stopped with its change standing is brought to an end first."""
        run_id = stopped(stage)
        with pytest.raises(Refused, match="stopped half-way") as caught:
            stage.begin()
        assert caught.value.then == f"defib resume {run_id}, or defib rollback {run_id}"
        assert nothing_held(stage)
        stage.rollback(run_id)
        assert stage.recover()[1].status is Status.RECOVERED

    def test_stopped_before_any_change(self, stage: Stage) -> None:
        """A run that changed nothing keeps nobody from trying again."""
        stage.recover(approver=Doing(stage.clock.interrupt))
        stage.clock.resume()
        assert stage.recover()[1].status is Status.RECOVERED

    def test_broken_journal_of_this_site(self, stage: Stage) -> None:
        """Nobody can tell what a run with a broken journal left: refused with the way out, unless forced."""
        folder = stage.desk.home.run(stopped(stage))
        journal = (folder / "journal.jsonl").read_bytes()
        (folder / "journal.jsonl").write_bytes(journal.replace(b"recovered", b"recoverd").replace(b"lab", b"lba"))
        with pytest.raises(Refused, match="is broken") as caught:
            stage.begin()
        assert "--force" in caught.value.then
        assert nothing_held(stage)
        assert stage.recover(forced=True)[1].status is Status.RECOVERED

    @pytest.mark.parametrize("content", [b"", b'{"n":1', b"rubbish\n"])
    def test_broken_journal_of_another_site(self, stage: Stage, content: bytes) -> None:
        """What became of another site's run keeps this one from nothing; nor does a run that never began."""
        other = stage.desk.home.path / "runs" / "20991231-235959999-cdn-failover-elsewhere-0000"
        other.mkdir(parents=True)
        (other / "journal.jsonl").write_bytes(content)
        assert stage.recover()[1].status is Status.RECOVERED

    def test_folder_deleted(self, stage: Stage) -> None:
        """A run whose folder was deleted cannot be resumed, and keeps no other from beginning."""
        run_id = stopped(stage)
        shutil.rmtree(stage.desk.home.run(run_id))
        assert stage.recover(forced=True)[1].status is Status.RECOVERED


class TestTakingUp:
    """Resume and rollback."""

    def test_site_and_runbook_as_they_were(self, stage: Stage, tmp_path: Path) -> None:
        """What changed in the repository meanwhile does not change a run that began before."""
        stage.runbooks = shutil.copytree(stage.runbooks, tmp_path / "books")
        run_id = stopped(stage)
        now = stage.runbooks / "cdn-failover.md"
        now.write_text(now.read_text(encoding="utf-8").replace("rto: 4h", "rto: 3h"), encoding="utf-8")
        run, outcome = stage.resume(run_id)
        assert (outcome.status, run.runbook.objectives.rto.total_seconds()) == (Status.RECOVERED, 4 * 3600)

    @pytest.mark.parametrize("name", ["site.yaml", "runbook.md"])
    def test_files_edited_since(self, stage: Stage, name: str) -> None:
        """A run is not taken up with a site file or a runbook that somebody edited in its folder."""
        run_id = stopped(stage)
        path = stage.desk.home.run(run_id) / name
        path.write_text(path.read_text(encoding="utf-8") + "\n# a word more\n", encoding="utf-8")
        with pytest.raises(EvidenceBroken, match=f"{name} is not the file that the run began with"):
            stage.resume(run_id)
        assert nothing_held(stage)

    def test_broken_journal(self, stage: Stage) -> None:
        """Nothing is taken up on evidence that does not verify, and the site stays free."""
        run_id = stopped(stage)
        path = stage.desk.home.run(run_id) / "journal.jsonl"
        path.write_bytes(path.read_bytes().replace(b"cloudflare", b"cloudfl4re", 1))
        with pytest.raises(EvidenceBroken):
            stage.resume(run_id)
        assert nothing_held(stage)

    def test_recovered_run_resumed(self, stage: Stage) -> None:
        """A run that has ended well does nothing when it is taken up again."""
        run_id = stage.recovered().id
        stage.edges["cloudfront"] = REFUSED
        run, outcome = stage.resume(run_id)
        assert (outcome.status, len(stage.writes)) == (Status.RECOVERED, 1)
        assert kinds(run.journal.records)[-1] == "Closed"

    def test_rollback_twice(self, stage: Stage) -> None:
        """A rollback that was done costs a read."""
        run_id = stopped(stage)
        stage.rollback(run_id)
        assert stage.rollback(run_id)[1].status is Status.ROLLED_BACK
        assert len(stage.writes) == 2

    def test_rollback_over_a_foreign_change(self, stage: Stage) -> None:
        """D1: an undo does not overwrite what somebody else has set meanwhile, and says so."""
        run_id = stopped(stage)
        stage.change_by_hand("elsewhere.example.")
        run, outcome = stage.rollback(run_id)
        assert (outcome.status, stage.record.values) == (Status.FAILED, ("elsewhere.example.",))
        (left,) = run.journal.of(entries.ChangeNotUndone)
        assert "somebody else changed" in left.why

    def test_rollback_of_a_failback_whose_first_run_is_gone(self, stage: Stage) -> None:
        """A rollback needs its own journal and no other."""
        forward = stage.recovered().id
        stage.clock.at(stage.clock.monotonic() + seconds(3.4), stage.clock.interrupt)
        run, outcome = stage.recover("failback", follows=forward)
        stage.clock.resume()
        assert (outcome.status, stage.record) == (Status.INTERRUPTED, stage.before)
        shutil.rmtree(stage.desk.home.run(forward))
        assert stage.rollback(run.id)[1].status is Status.ROLLED_BACK
        assert stage.record == stage.after


def test_plan_takes_nothing(stage: Stage) -> None:
    """A plan has no lease and no folder, and its outside refuses every write."""
    run = stage.plan()
    assert (run.changes.lease, run.mode, stage.desk.home.runs()) == (None, Mode.PLAN, [])
    within = Deadline.after(stage.clock, seconds(1))
    with pytest.raises(Refused):
        run.outside.zones[0].replace([stage.change], within=within)
    with pytest.raises(Refused):
        run.outside.cdns["cloudfront"].purge(["/"], within=within)
