"""What a site has before it of its drills, from the folders of its runs: missed, due, changed since, and proved."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from defib import drillentries
from defib.alerts.alert import AlertKind
from defib.clock import Deadline
from defib.drills.agenda import agenda, alone, calendar_of, settle
from defib.drills.calendar import Due, Ending
from defib.drills.history import drill_lines, past_drills
from defib.drills.order import DrillOrder, open_drill, record_missed, skip
from defib.drills.proofs import Proof, changed_since, last_proof, proofs, read_drill
from defib.errors import InputError, Refused
from defib.objectives import Status
from defib.runbook import load_runbook
from defib.sites.site import load_site
from tests.drills.drill_stage import DrillStage

TUESDAY = datetime(2026, 1, 13, 9, tzinfo=UTC)
"""Ten o'clock in Berlin, on the second Tuesday of the month."""


@pytest.fixture
def stage(tmp_path: Path) -> DrillStage:
    """A world on the first day of a year; its calendar is known from then on."""
    made = DrillStage(tmp_path)
    assert agenda(made.desk, made.stage.site).due is None
    return made


def proof_of(stage: DrillStage, procedure: str = "cdn-failover") -> Proof | None:
    """The last proof, with all the time in the world."""
    return last_proof(stage.desk.home, stage.site, procedure, Deadline.after(stage.clock, timedelta(minutes=1)))


def changed(stage: DrillStage) -> tuple[str, ...]:
    """What has changed since the last proof."""
    proof = proof_of(stage)
    assert proof is not None
    runbook = load_runbook("cdn-failover", stage.desk.runbooks)
    return changed_since(stage.desk.home, proof, load_site(stage.stage.site_path), runbook)


def test_a_drill_is_due_until_it_was_held(stage: DrillStage) -> None:
    """From its hour on; once it was held, the next one is that of the other procedure, on the next day."""
    site = stage.stage.site
    stage.go_to(TUESDAY)
    assert agenda(stage.desk, site).due == Due("cdn-failover", "monthly", TUESDAY, TUESDAY)
    stage.drill()
    before = agenda(stage.desk, site)
    assert (before.due, before.missed, before.next["dns-switch"]) == (None, (), TUESDAY + timedelta(days=1))
    assert [each.ending for each in past_drills(stage.desk.home, stage.site)] == [Ending.DONE]


def test_what_was_missed_is_told_once(stage: DrillStage) -> None:
    """A folder and an alert for it, and never again; its procedure is due at its next chance."""
    site, path = stage.stage.site, stage.stage.site_path
    stage.go_to(TUESDAY + timedelta(hours=8))
    before = agenda(stage.desk, site)
    (missed,) = before.missed
    assert before.due is None
    runbook = load_runbook(missed.procedure, stage.desk.runbooks)
    order = stage.order("monthly", missed.occasion)
    record_missed(stage.desk, runbook, site, path, order, before.calendar.said(missed))
    assert agenda(stage.desk, site).missed == ()
    settle(stage.desk.home, site, before.calendar, before.at)
    (alert,) = stage.chat.sent
    assert "It was missed: nobody was there at Tue 2026-01-13 10:00 CET" in alert.text
    assert "tried again on Thu 2026-01-15 10:00 CET" in alert.text  # Wednesday is the other procedure's
    ((line,), _) = drill_lines(stage.desk.home, stage.site)
    assert (line.ending, line.due, line.score, line.rto) == (Ending.MISSED, TUESDAY, None, None)
    stage.go_to(TUESDAY + timedelta(days=1, hours=8))
    assert [each.procedure for each in agenda(stage.desk, site).missed] == ["dns-switch"]
    stage.go_to(TUESDAY + timedelta(days=2))
    due = agenda(stage.desk, site).due
    assert due is not None
    assert (due.procedure, due.occasion, due.chance) == ("cdn-failover", TUESDAY, TUESDAY + timedelta(days=2))


def test_a_calendar_that_is_changed_has_no_past(stage: DrillStage) -> None:
    """Other days are due by a new rule; nobody missed them."""
    stage.go_to(TUESDAY + timedelta(days=10))
    stage.day = "20"
    path = stage.site_file()
    assert agenda(stage.desk, load_site(path)).missed == ()
    assert agenda(stage.desk, load_site(path)).due is None


def test_two_at_once(stage: DrillStage) -> None:
    """A second process finds the first at work, and touches nothing."""
    with (
        alone(stage.desk.home, stage.site),
        pytest.raises(Refused, match="another process"),
        alone(stage.desk.home, stage.site),
    ):
        raise AssertionError("both are alone")
    with alone(stage.desk.home, stage.site):
        pass


def test_a_site_without_a_calendar(stage: DrillStage) -> None:
    """Said with what is missing."""
    without = stage.stage.site.model_copy(update={"drills": None})
    with pytest.raises(InputError, match="has no calendar of drills"):
        calendar_of(without)


class TestProofs:
    def test_a_drill_that_ended_well(self, stage: DrillStage) -> None:
        """The drill is named, with what it came to; another procedure was never proved."""
        drill_id = stage.drill()
        proof = proof_of(stage)
        assert proof is not None
        assert (proof.drill, proof.by, proof.rto.actual is not None) == (drill_id, drill_id, True)
        assert proof_of(stage, "dns-switch") is None
        every = proofs(stage.desk.home, stage.stage.site, Deadline.after(stage.clock, timedelta(minutes=1)))
        assert [name for name, found in every.items() if found] == ["cdn-failover"]
        assert set(every) == {"cdn-failover", "dns-switch", "aws-redeploy", "git-mirror", "replication-check"}

    def test_a_drill_that_failed_takes_its_run_with_it(self, stage: DrillStage) -> None:
        """Its run recovered, and the drill left a trace: nothing is proved, and what was proved before still is."""
        first = stage.drill()
        stage.drill(status=Status.FAILED, reason="the drill left a trace: 1 line(s)")
        proof = proof_of(stage)
        assert proof is not None
        assert proof.drill == first

    def test_a_run_in_earnest(self, stage: DrillStage) -> None:
        """It recovered users, so it is a proof of its own."""
        stage.drill()
        run = stage.stage.recovered()
        proof = proof_of(stage)
        assert proof is not None
        assert (proof.run, proof.drill, proof.by) == (run.id, "", run.id)

    def test_no_time_to_look(self, stage: DrillStage) -> None:
        """Nothing is said of what could not be read in time: that is not never."""
        stage.drill()
        assert proofs(stage.desk.home, stage.stage.site, Deadline.after(stage.clock, timedelta(0))) == {}

    def test_an_edited_journal_proves_nothing(self, stage: DrillStage) -> None:
        """And it is told where drills are listed."""
        journal = stage.desk.home.run(stage.drill()) / "journal.jsonl"
        journal.write_text(journal.read_text(encoding="utf-8").replace("monthly", "mostly"), encoding="utf-8")
        assert proof_of(stage) is None
        lines, broken = drill_lines(stage.desk.home, stage.site)
        assert (lines, [each.why for each in broken]) == ((), ["this entry was edited"])


class TestChangedSince:
    def test_nothing(self, stage: DrillStage) -> None:
        """Nor by a comment, another title, another calendar or other people to tell."""
        stage.drill()
        stage.site_file(
            **{"title: Pulse Trading": "title: Another", "owner: Pulse": "owner: Other", "\nalerts:": "\n# x\nalerts:"}
        )
        assert changed(stage) == ()

    @pytest.mark.parametrize(
        ("old", "new", "part"),
        [
            ("hostname: d2pulsetrading", "hostname: d3pulsetrading", "cdns"),
            ("ttl: 3s\n\ncdns", "ttl: 4s\n\ncdns", "steering"),
            ("load_within: 3s", "load_within: 2s", "page"),
            ("rto: 4h", "rto: 3h", "the objectives"),
            ("quorum: 2", "quorum: 3", "detection"),
        ],
    )
    def test_a_part_that_it_depends_on(self, stage: DrillStage, old: str, new: str, part: str) -> None:
        """By its name."""
        stage.drill()
        stage.site_file(**{old: new})
        assert changed(stage)[0].startswith(part)

    def test_a_part_of_other_procedures(self, stage: DrillStage) -> None:
        """Where the sources are is nothing to a change of CDN."""
        stage.drill()
        stage.site_file(**{"bundle: mirrors/": "bundle: copies/", "output: build/web": "output: build/site"})
        assert changed(stage) == ()

    def test_it_is_due_on_the_next_working_day(self, stage: DrillStage) -> None:
        """Until a drill was held with everything as it is now, also where that failed: people are at work on it."""
        stage.drill()
        stage.site_file(**{"load_within: 3s": "load_within: 2s"})
        site = load_site(stage.stage.site_path)
        friday = datetime(2026, 1, 2, 9, tzinfo=UTC)
        stage.go_to(friday)
        due = agenda(stage.desk, site).due
        assert due is not None
        assert (due.procedure, due.why) == ("cdn-failover", "changed since it was proved: page: in the site file")
        stage.drill(status=Status.FAILED, reason="a defect", order=replace(stage.order(due.why)))
        stage.go_to(friday + timedelta(days=3))
        assert agenda(stage.desk, site).due is None


def test_a_skipped_drill_has_its_reason_and_its_alert(stage: DrillStage) -> None:
    """What was seen is in its journal, and whoever is to be told is told; by hand nobody is."""
    seen = (
        drillentries.PreconditionSeen("nothing under way", met=True, text="none"),
        drillentries.PreconditionSeen(
            "no blackout", met=False, text="blackout until the end of 2026-12-02: the sales weeks"
        ),
    )
    told = read_drill(stage.desk.home, stage.desk.home.run(stage.drill(order=stage.order("monthly", TUESDAY, *seen))))
    assert (told.ending, told.reason) == (Ending.SKIPPED, "skipped: blackout until the end of 2026-12-02: the sales weeks")
    assert (told.preconditions, told.forward) == (seen, None)
    assert [each.outcome for _, each in told.told] == ["sent"]
    (alert,) = stage.chat.sent
    assert (alert.title, alert.kind.value) == ("[drill] Pulse Trading, in the lab: drill of cdn-failover", "failed")
    assert "Owner: Pulse Trading, site reliability" in alert.text
    stage.drill(order=replace(stage.order(DrillOrder().why), preconditions=lambda: seen))
    assert len(stage.chat.sent) == 1


def test_a_site_that_is_not_in_the_lab_asks_a_person(stage: DrillStage) -> None:
    """Nobody moves users by a schedule: it counts as skipped until somebody has, and that counts as held."""
    runbook = load_runbook("cdn-failover", stage.desk.runbooks)
    stage.go_to(TUESDAY)
    order = stage.order("monthly", TUESDAY)
    _, journal = open_drill(stage.desk, runbook, stage.stage.site, stage.stage.site_path, (), order)
    skip(journal, order, "only a person moves users in earnest: defib drill …", AlertKind.DECISION)
    (alert,) = stage.chat.sent
    assert (alert.kind, "defib drill …" in alert.text) == (AlertKind.DECISION, True)
    assert agenda(stage.desk, stage.stage.site).due is None
    stage.stage.recover(live=True)
    lines, _ = drill_lines(stage.desk.home, stage.site)
    assert [(line.ending, line.live) for line in lines] == [(Ending.SKIPPED, False), (Ending.DONE, True)]
    stage.go_to(TUESDAY + timedelta(days=2))
    due = agenda(stage.desk, stage.stage.site).due
    assert due is not None
    assert due.procedure == "dns-switch"
