"""What a board makes of the runs of a home: each state, what goes on, and everything that is damaged."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from defib import entries
from defib.board.files import Files
from defib.board.glance import Glance
from defib.board.going import left
from defib.board.lookout import Lookout
from defib.board.runs import Runs
from defib.clock import Deadline
from defib.conduct import BY_OPERATOR
from defib.journal import FileSink, Journal, read_journal
from defib.objectives import Mode, Phase, Plane, Status, Verdict
from defib.observe.killswitch import set_kill_switch
from defib.observe.outage import KnownOutage, note_outage
from defib.question import QUESTION, Question, new_question
from defib.ready.check import Check, Readiness, State
from defib.ready.kept import keep
from defib.report.board_page import board_page
from tests.board.scene import DAY, HOUR, MINUTE, NOW, Scene, of, proof
from tests.report import samples
from tests.report.samples import s

SITE = "pulse-trading"


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """An empty home with one site."""
    found = Scene.set_in(tmp_path)
    found.site(SITE)
    return found


class TestProofs:
    def test_what_was_never_run_is_said_to_be_unproved(self, scene: Scene) -> None:
        """Nothing is green of which nobody knows anything; each procedure names the command that proves it."""
        board = scene.board()
        found = proof(board, SITE, "cdn-failover")
        assert (found.state, found.says, found.last) == (State.UNKNOWN, ("never proved",), None)
        assert found.then == f"defib drill cdn-failover --site {SITE} --live"
        assert {each.state for each in of(board, SITE).procedures} == {State.UNKNOWN}
        assert board.state is State.UNKNOWN

    def test_a_recovery_within_its_objectives_proves(self, scene: Scene) -> None:
        """The last recovered run, with its figures against what was promised."""
        scene.recovered("cdn-failover", SITE, 9 * DAY)
        run = scene.recovered("cdn-failover", SITE, 2 * DAY)
        found = proof(scene.board(), SITE, "cdn-failover")
        assert (found.state, found.says) == (State.OK, ())
        assert found.last is not None
        assert (found.last.run, found.last.rto.verdict, found.last.rpo.verdict) == (run, Verdict.MET, Verdict.MET)
        assert len(found.past) == 2

    def test_a_missed_objective_is_no_proof(self, scene: Scene) -> None:
        """What took longer than was promised is red, however well it went otherwise."""
        scene.recovered("dns-switch", SITE, DAY, outage=5 * 3600)
        found = proof(scene.board(), SITE, "dns-switch")
        assert found.state is State.FAIL
        assert found.says[0].startswith("RTO missed: 5 h")

    def test_an_unknown_objective_is_not_green(self, scene: Scene) -> None:
        """Recovered, and nobody knows since when users had no service."""
        scene.recovered("cdn-failover", SITE, DAY, since=None, down_at=None)
        found = proof(scene.board(), SITE, "cdn-failover")
        assert found.state is State.UNKNOWN
        assert found.says[0].startswith("RTO unknown: nobody knows since when")

    def test_a_failure_since_the_proof_counts(self, scene: Scene) -> None:
        """A later failure outweighs an earlier success; a refusal, which says that something else failed, does not."""
        scene.recovered("cdn-failover", SITE, 3 * DAY)
        scene.failed("cdn-failover", SITE, DAY, "the edge gave HTTP 502")
        found = proof(scene.board(), SITE, "cdn-failover")
        assert (found.state, found.says[0]) == (State.FAIL, "the last run failed: the edge gave HTTP 502")

    @pytest.mark.parametrize(
        ("reason", "state"),
        [(BY_OPERATOR, State.UNKNOWN), ("the answers never moved", State.FAIL)],
    )
    def test_what_was_put_back_proves_nothing(self, scene: Scene, reason: str, state: State) -> None:
        """By a person, who may have had other reasons, or because it did not work."""
        scene.recovered("cdn-failover", SITE, 3 * DAY)
        pen = scene.begin("cdn-failover", SITE, DAY)
        pen.write(entries.Closed(Status.ROLLED_BACK, reason))
        scene.keep(pen)
        assert proof(scene.board(), SITE, "cdn-failover").state is state

    def test_an_old_proof_is_not_green(self, scene: Scene) -> None:
        """Drills are monthly; what was proved long ago is said so."""
        scene.recovered("cdn-failover", SITE, 60 * DAY)
        found = proof(scene.board(), SITE, "cdn-failover")
        assert (found.state, found.says) == (State.WARN, ("proved long ago: 60 d",))

    def test_what_has_changed_since_is_said(self, scene: Scene) -> None:
        """A proof of something else than what would be done now is no whole proof."""
        scene.recovered("cdn-failover", SITE, DAY)
        file = scene.runbooks / "sites" / f"{SITE}.yaml"
        file.write_text(file.read_text(encoding="utf-8").replace("rto: 4h", "rto: 3h"), encoding="utf-8")
        found = proof(scene.board(), SITE, "cdn-failover")
        assert (found.state, found.says) == (State.WARN, ("changed since: the objectives",))

    @pytest.mark.parametrize(
        ("status", "reason", "state", "said"),
        [
            (Status.FAILED, "+ a record was left", State.FAIL, "the last drill failed: + a record was left"),
            (Status.REFUSED, "skipped: an incident", State.WARN, "the last drill did not take place: skipped: an incident"),
            (Status.REFUSED, "missed: nobody began it", State.FAIL, "the last drill was missed: nobody began it"),
            (Status.INTERRUPTED, "a signal", State.FAIL, "the last drill was interrupted: a signal"),
        ],
    )
    def test_drills_that_did_not_end_well_are_told(
        self, scene: Scene, status: Status, reason: str, state: State, said: str
    ) -> None:
        """A drill that failed, was skipped or was missed stands on the board until something later proves it."""
        scene.recovered("cdn-failover", SITE, 9 * DAY)
        scene.drilled("cdn-failover", SITE, 2 * DAY, status, reason)
        found = proof(scene.board(), SITE, "cdn-failover")
        assert (found.state, found.says) == (state, (said,))
        scene.recovered("cdn-failover", SITE, DAY)
        assert proof(scene.board(), SITE, "cdn-failover").state is State.OK

    def test_a_run_that_was_resumed_has_its_last_end(self, scene: Scene) -> None:
        """The report of before it was taken up again is not believed any more."""
        pen = scene.begin("cdn-failover", SITE, DAY)
        samples.confirm(pen)
        pen.write(entries.Closed(Status.INTERRUPTED, "a signal"))
        run = scene.keep(pen)
        assert proof(scene.board(), SITE, "cdn-failover").last is None
        pen.write(entries.Reopened("resume", "ops@example.org"))
        for part in (samples.decide, samples.steer, samples.watch, samples.verify):
            part(pen)
        pen.write(entries.Closed(Status.RECOVERED))
        scene.keep(pen, report=False)
        last = proof(scene.board(), SITE, "cdn-failover").last
        assert last is not None
        assert last.run == run


class TestCopies:
    def test_mirrors_and_replicas_are_shown_against_the_rpo(self, scene: Scene) -> None:
        """As the last round saw them, and over the last days."""
        scene.mirrored(SITE, 5 * MINUTE, timedelta(0))
        scene.replicated(SITE, 4 * MINUTE, 90 * MINUTE)
        scene.looks(SITE, "assets", [timedelta(0), None, 90 * MINUTE])
        replica, mirror = sorted(of(scene.board(), SITE).copies, key=lambda copy: copy.kind, reverse=True)
        assert (mirror.name, mirror.state, mirror.measure.verdict) == ("web at gitlab", State.OK, Verdict.MET)
        assert (replica.state, replica.measure.verdict) == (State.FAIL, Verdict.MISSED)
        assert [figure for _, figure in replica.past] == [timedelta(0), None, 90 * MINUTE]

    def test_what_was_compared_long_ago_is_unknown(self, scene: Scene) -> None:
        """A round that was well in the morning says nothing of the evening."""
        scene.mirrored(SITE, 5 * HOUR, timedelta(0))
        board = scene.board()
        (copy,) = of(board, SITE).copies
        assert (copy.state, copy.says) == (State.UNKNOWN, ("not looked at for 5 h",))
        assert proof(board, SITE, "git-mirror").state is State.UNKNOWN

    def test_a_round_that_runs_in_the_lab_is_not_proved_by_that(self, scene: Scene) -> None:
        """That mirrors hold when their source fails is what a drill shows, where there can be one."""
        scene.site("lab", "lab")
        for site in (SITE, "lab"):
            scene.mirrored(site, 5 * MINUTE, timedelta(0))
        assert proof(scene.board(), SITE, "git-mirror").state is State.OK
        found = proof(scene.board(), "lab", "git-mirror")
        assert (found.state, found.says) == (State.WARN, ("it runs, and was never seen to hold in a drill",))
        scene.drilled("git-mirror", "lab", DAY, Status.RECOVERED)
        assert proof(scene.board(), "lab", "git-mirror").state is State.OK

    def test_a_red_round_is_red(self, scene: Scene) -> None:
        """Mirrors that lack something, and a source that was emptied."""
        scene.mirrored(SITE, 5 * MINUTE, None, ["its source github has been emptied"])
        board = scene.board()
        assert of(board, SITE).copies[0].state is State.FAIL
        assert proof(board, SITE, "git-mirror").state is State.FAIL


class TestReadiness:
    def test_the_last_check_is_shown_without_asking_anybody(self, scene: Scene) -> None:
        """As `defib ready` found it."""
        found = Readiness(SITE, NOW - 5 * MINUTE, (Check("ttl", "www", State.OK, "60 s"),))
        assert not keep(scene.home, found)
        ready = of(scene.board(), SITE).ready
        assert (ready.state, ready.found) == (State.OK, found)

    def test_an_old_check_is_unknown(self, scene: Scene) -> None:
        """It is said what it was then, and it is not green."""
        keep(scene.home, Readiness(SITE, NOW - 2 * HOUR, (Check("ttl", "www", State.OK, "60 s"),)))
        ready = of(scene.board(), SITE).ready
        assert (ready.state, ready.why) == (State.UNKNOWN, "not checked for 2 h")

    def test_a_note_that_is_none_of_ours_is_unknown(self, scene: Scene) -> None:
        """A file that was cut off, or written by somebody else."""
        keep(scene.home, Readiness(SITE, NOW, ()))
        path = scene.home.site(SITE) / "readiness.json"
        path.write_text(path.read_text()[:20])
        ready = of(scene.board(), SITE).ready
        assert (ready.state, ready.found) == (State.UNKNOWN, None)
        assert "cannot be read" in ready.why


class TestNow:
    def test_a_run_that_is_alive_is_running(self, scene: Scene) -> None:
        """With its step, since when, and since when users are out."""
        pen = scene.begin("cdn-failover", SITE, 200 * s(1), mode=Mode.INCIDENT, since=NOW - 210 * s(1))
        samples.confirm(pen)
        began = pen.begin("prove-the-standby", Phase.DECIDE, Plane.DATA, 60)
        run = scene.keep(pen, report=False)
        with scene.alive(run):
            board = scene.board()
        site = of(board, SITE)
        (running,) = site.running
        assert (running.run, running.step, running.step_since, running.outage) == (run, "prove-the-standby", began, True)
        assert running.out_since == NOW - 210 * s(1)
        assert (site.left, proof(board, SITE, "cdn-failover").says) == ((), ("never proved",))

    def test_a_plan_that_waits_for_an_approval_is_told(self, scene: Scene) -> None:
        """Somebody is waited for: with the command, and until when; a run that is dead waits for nobody."""
        run = scene.keep(scene.begin("aws-redeploy", SITE, MINUTE, mode=Mode.INCIDENT), report=False)
        question = new_question(run, samples.PLAN, "the plan", scene.clock, Deadline.after(scene.clock, HOUR))
        (scene.home.path / "runs" / run / QUESTION).write_bytes(TypeAdapter(Question).dump_json(question))
        with scene.alive(run):
            board = scene.board()
        assert of(board, SITE).running[0].waits_until == question.until
        page = board_page(board)
        (alarm,) = page.alarms
        assert page.headline == "No service: pulse-trading"
        assert page.lead.startswith("1 plan waits for an approval. 1 run is at work.")
        assert (alarm.word, alarm.commands) == ("waits for you", (f"defib approve {run}",))
        assert not of(scene.board(), SITE).running

    def test_a_run_that_was_killed_after_a_write_is_half_way(self, scene: Scene) -> None:
        """Its change may stand, and somebody must choose."""
        run = scene.killed("dns-switch", SITE, HOUR)
        board = scene.board()
        (left,) = of(board, SITE).left
        assert (left.glance.run, left.was_killed, left.glance.standing) == (run, True, 1)
        assert (of(board, SITE).state, board.state) == (State.FAIL, State.FAIL)

    def test_users_that_were_not_brought_back_are_away(self, scene: Scene) -> None:
        """Until a failback they are where the recovery sent them."""
        run = scene.recovered("cdn-failover", SITE, 2 * DAY, mode=Mode.INCIDENT)
        away = of(scene.board(), SITE).away
        assert away is not None
        assert away.run == run
        scene.recovered("failback", SITE, DAY, mode=Mode.INCIDENT)
        assert of(scene.board(), SITE).away is None

    def test_an_outage_that_watch_sees_is_shown(self, scene: Scene) -> None:
        """For as long as the note is renewed, and no longer."""
        note_outage(scene.home.path, SITE, KnownOutage(NOW - 20 * s(1), NOW - 15 * s(1), NOW - s(3)))
        down = of(scene.board(), SITE).down
        assert down is not None
        assert (down.since, of(scene.board(), SITE).state) == (NOW - 20 * s(1), State.FAIL)
        note_outage(scene.home.path, SITE, KnownOutage(NOW - HOUR, NOW - HOUR, NOW - HOUR))
        assert of(scene.board(), SITE).down is None

    def test_a_kill_switch_is_shown(self, scene: Scene) -> None:
        """For all sites, and for one alone."""
        set_kill_switch(scene.home.path, who="ops", why="a migration", at=NOW)
        board = scene.board()
        assert board.held is not None
        assert (board.held.why, of(board, SITE).held) == ("a migration", None)


class TestDamage:
    def test_a_command_to_copy_does_one_thing(self, scene: Scene) -> None:
        """Whoever names a folder does not write what a person pastes into a terminal."""
        pen = scene.begin("cdn-failover", SITE, HOUR, run_id="x; rm -rf ~")
        pen.write(entries.ChangeIntended(1, samples.CHANGE, 7))
        scene.keep(pen, report=False)
        (alarm,) = board_page(scene.board()).alarms
        assert alarm.commands == ("defib resume 'x; rm -rf ~'", "defib rollback 'x; rm -rf ~'")

    def test_a_broken_journal_is_shown_and_is_not_green(self, scene: Scene) -> None:
        """It may have been the last run, and it may have failed."""
        scene.recovered("cdn-failover", SITE, 3 * DAY)
        run = scene.recovered("cdn-failover", SITE, DAY)
        journal = scene.home.path / "runs" / run / "journal.jsonl"
        journal.write_bytes(journal.read_bytes().replace(b'"met', b'"mot').replace(b"cloudflare", b"cloudflore"))
        board = scene.board()
        found = proof(board, SITE, "cdn-failover")
        assert found.state is State.UNKNOWN
        assert found.says[0].startswith(f"run {run} cannot be read: ")
        assert [each.run for each in of(board, SITE).unreadable] == [run]

    @pytest.mark.parametrize(
        "content", [b"not json\n", b"{}\n", b"\xff\xfe", b'{"n": 1}\n', b"[" * 100_000 + b"\n", b"0\n" * 10]
    )
    def test_nothing_in_a_journal_crashes_the_board(self, scene: Scene, content: bytes) -> None:
        """Whatever it holds."""
        folder = scene.home.path / "runs" / f"20260301-101010123-cdn-failover-{SITE}-abcd"
        folder.mkdir(parents=True)
        (folder / "journal.jsonl").write_bytes(content)
        found = proof(scene.board(), SITE, "cdn-failover")
        assert found.state is State.UNKNOWN
        assert "cannot be read" in found.says[0]

    def test_foreign_files_are_passed_over(self, scene: Scene) -> None:
        """A file among the runs, a folder without a journal, one that is named by somebody else, a torn last line."""
        runs = scene.home.path / "runs"
        runs.mkdir()
        (runs / "notes.txt").write_text("hello")
        (runs / "empty").mkdir()
        (runs / "mine").mkdir()
        (runs / "mine" / "journal.jsonl").write_bytes(b"hello\n")
        run = scene.recovered("cdn-failover", SITE, DAY)
        with (runs / run / "journal.jsonl").open("ab") as journal:
            journal.write(b'{"n": 99, "at"')
        board = scene.board()
        assert [each.run for each in board.unreadable] == ["mine"]
        assert proof(board, SITE, "cdn-failover").state is State.OK

    def test_a_site_whose_name_leads_elsewhere_is_not_followed(self, scene: Scene) -> None:
        """A journal may say anything; what is no site's name becomes neither a path nor a site."""
        pen = scene.begin("cdn-failover", SITE, DAY, site="../../etc", run_id=f"20260301-101010123-cdn-failover-{SITE}-abcd")
        pen.write(entries.Closed(Status.RECOVERED))
        scene.keep(pen, report=False)
        board = scene.board()
        assert [site.name for site in board.sites] == [SITE]
        assert board.unreadable[0].why == "its journal names no site"

    def test_a_site_file_that_is_wrong_is_red_and_stops_no_other(self, scene: Scene) -> None:
        """Its line is said."""
        (scene.runbooks / "sites" / "broken.yaml").write_text("site: broken\nnonsense: 1\n", encoding="utf-8")
        board = scene.board()
        assert of(board, "broken").state is State.FAIL
        assert "nonsense" in of(board, "broken").problem or "broken.yaml" in of(board, "broken").problem
        assert of(board, SITE).problem == ""

    def test_a_site_that_is_gone_is_still_told(self, scene: Scene) -> None:
        """Runs were made on it."""
        scene.recovered("cdn-failover", "old-shop", DAY)
        site = of(scene.board(), "old-shop")
        assert (site.is_gone, site.problem, site.state) == (True, "it has no site file any more", State.UNKNOWN)

    def test_idle_sites_of_the_lab_are_left_out(self, scene: Scene) -> None:
        """They come with the house, and are nobody's as long as nothing was run on them; their number is said."""
        scene.site("lab", "lab")
        board = scene.board()
        assert ([site.name for site in board.sites], board.hidden) == ([SITE], 1)
        scene.mirrored("lab", DAY, timedelta(0))
        assert [site.name for site in scene.board().sites] == [SITE, "lab"]

    def test_what_there_was_no_time_for_is_unknown(self, scene: Scene) -> None:
        """Not green, and not never."""
        scene.recovered("cdn-failover", SITE, DAY)
        board = Lookout(scene.home, scene.runbooks, scene.clock).board(within=timedelta(0))
        found = proof(board, SITE, "cdn-failover")
        assert found.state is State.UNKNOWN
        assert found.says[0].endswith("there was no time to read it")


def test_a_run_that_ended_meanwhile_did_not_stop_half_way(scene: Scene) -> None:
    """It is glanced at while it goes on; that its process is gone when that is asked is not taken for its death."""
    run = scene.killed("cdn-failover", SITE, DAY)
    runs = Runs(scene.home, Files())
    glance = runs.glance(run)
    assert isinstance(glance, Glance)
    assert [each.was_killed for each in left(runs, [glance])] == [True]
    path = scene.home.path / "runs" / run / "journal.jsonl"
    Journal(FileSink(path), scene.clock, str, read_journal(path)[0]).append(entries.Closed(Status.RECOVERED))
    assert list(left(runs, [glance])) == []


def test_what_changes_is_seen_by_the_same_lookout(scene: Scene) -> None:
    """Whoever keeps one and asks again sees what was done since."""
    lookout = Lookout(scene.home, scene.runbooks, scene.clock)
    assert proof(lookout.board(), SITE, "cdn-failover").state is State.UNKNOWN
    scene.recovered("cdn-failover", SITE, DAY)
    assert proof(lookout.board(), SITE, "cdn-failover").state is State.OK
    run = scene.killed("cdn-failover", SITE, HOUR)
    with scene.alive(run):
        assert len(of(lookout.board(), SITE).running) == 1
    site = of(lookout.board(), SITE)
    assert (len(site.running), len(site.left)) == (0, 1)
