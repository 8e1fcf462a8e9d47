"""The whole of failback under a simulated clock: back to where the users were, and only there, and only when it is well."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from defib import entries
from defib.errors import Denied, Refused
from defib.objectives import Status
from defib.run import PlanReady
from defib.runbook import load_runbook
from defib.timeline import timeline
from flows import failback
from tests.stage import GOOD, REFUSED, RUNBOOKS, Doing, Stage, impatient, older, seconds, steps


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """A world."""
    return Stage(tmp_path)


def test_takes_the_users_back(stage: Stage) -> None:
    """The earlier run's change the other way round, TTL included, and users never lose service."""
    forward = stage.recovered()
    run, outcome = stage.recover("failback", follows=forward.id)
    told = timeline(run.journal.records)
    assert (outcome.status, stage.record) == (Status.RECOVERED, stage.before)
    assert steps(run) == [(name, "done") for name in failback.PROCEDURE.steps]
    assert (told.rto.actual, told.lost_service) == (timedelta(0), ())
    assert "never lost service" in told.rto.why


def test_steps_are_the_runbooks() -> None:
    """Flow and runbook name the same steps in the same order."""
    load_runbook("failback", RUNBOOKS).must_match(failback.PROCEDURE.steps)


def test_waits_for_stability(stage: Stage) -> None:
    """One bad look at the primary starts the count again."""
    forward = stage.recovered()
    stage.at(2, cloudfront=REFUSED)
    stage.at(4, cloudfront=GOOD)
    run, outcome = stage.recover("failback", follows=forward.id)
    proved = next(ended for ended in run.journal.of(entries.StepEnded) if ended.step == "prove-stability")
    assert outcome.status is Status.RECOVERED
    assert proved.took >= seconds(7)


def test_standby_has_failed_meanwhile(stage: Stage) -> None:
    """Users who are down where they are can be brought back: what they had is remembered, and the quicker way is told."""
    forward = stage.recovered()
    stage.remember()
    stage.edges[stage.standby.name] = REFUSED
    run, outcome = stage.recover("failback", follows=forward.id)
    assert (outcome.status, stage.record) == (Status.RECOVERED, stage.before)
    assert any("defib rollback" in note.text for note in run.journal.of(entries.Noted))


def test_primary_fails_at_its_last_proof(stage: Stage) -> None:
    """A primary that stops serving while the plan is looked at gets no users back."""
    forward = stage.recovered()
    fails = Doing(lambda: stage.edges.update(cloudfront=REFUSED))
    _, outcome = stage.recover("failback", fails, follows=forward.id)
    assert (outcome.status, stage.record) == (Status.REFUSED, stage.after)


def test_old_copy_is_purged_once(stage: Stage) -> None:
    """What the primary cached before it failed is purged once, and users go back to the build that they have now."""
    forward = stage.recovered()
    stage.edges["cloudfront"] = older(timedelta(minutes=30))
    stage.at(1, cloudfront=GOOD)
    _, outcome = stage.recover("failback", follows=forward.id)
    assert outcome.status is Status.RECOVERED
    assert stage.cdns["cloudfront"].purged == (("/", "/index.html", *stage.site.page.warm),)


def test_copy_that_stays_old_is_refused(stage: Stage) -> None:
    """C8: users do not go back in time, whatever the vendor says of the purge, unless the operator forces it."""
    forward = stage.recovered()
    stage.edges["cloudfront"] = older(timedelta(minutes=30))
    stage.cdns["cloudfront"].failures.schedule(Denied("no right to purge"), methods=("purge",))
    run, outcome = stage.recover("failback", follows=forward.id)
    assert (outcome.status, stage.record) == (Status.REFUSED, stage.after)
    assert "0:30:00 older" in outcome.reason
    assert any("no right to purge" in note.text for note in run.journal.of(entries.Noted))
    assert stage.recover("failback", follows=forward.id, forced=True)[1].status is Status.RECOVERED


def test_plan_purges_nothing(stage: Stage) -> None:
    """A plan of a failback reads only, also where a run would purge, and shows the change."""
    forward = stage.recovered()
    stage.edges["cloudfront"] = older(timedelta(minutes=30))
    run = stage.plan("failback", follows=forward.id)
    with pytest.raises(PlanReady) as ready:
        failback.play(run)
    assert [change.records for change in ready.value.plan.changes] == [(stage.change.reversed(),)]
    assert stage.cdns["cloudfront"].purged == ()
    assert any("to be purged" in note.text for note in run.journal.of(entries.Noted))


def test_foreign_change_since(stage: Stage) -> None:
    """D1: what somebody changed after the recovery is theirs."""
    forward = stage.recovered()
    stage.change_by_hand("elsewhere.example.")
    _, outcome = stage.recover("failback", follows=forward.id)
    assert (outcome.status, stage.record.values) == (Status.REFUSED, ("elsewhere.example.",))


def test_already_back(stage: Stage) -> None:
    """D2: a failback that was done already costs no write."""
    forward = stage.recovered()
    stage.recover("failback", follows=forward.id)
    written = len(stage.writes)
    _, outcome = stage.recover("failback", follows=forward.id)
    assert (outcome.status, len(stage.writes)) == (Status.RECOVERED, written)


def test_run_that_changed_nothing(stage: Stage) -> None:
    """A run that found everything in place has nothing to take back."""
    stage.edges["cloudfront"] = REFUSED
    for resolver in stage.resolvers:
        resolver.problem = "SERVFAIL"
    stage.at(1.5, cloudfront=GOOD)
    stage.change_by_hand(stage.standby.hostname)
    for resolver in stage.resolvers:
        resolver.problem = ""
    run, outcome = stage.recover(forced=True)
    assert (outcome.status, run.changes.standing()) == (Status.RECOVERED, ())
    _, back = stage.recover("failback", follows=run.id)
    assert back.status is Status.REFUSED
    assert "nothing to take back" in back.reason


def test_only_after_a_recovery(stage: Stage) -> None:
    """A run that did not recover is resumed or rolled back, not failed back."""
    stage.edges["cloudfront"] = REFUSED
    stage.clock.at(seconds(1), stage.clock.interrupt)
    stopped, _ = stage.recover()
    stage.clock.resume()
    with pytest.raises(Refused, match="only a recovered run"):
        stage.begin("failback", follows=stopped.id)


def test_primary_fails_again_on_the_way(tmp_path: Path) -> None:
    """The primary fails right after the way back: users are sent to the standby again, and the outage is measured."""
    folder = tmp_path / "books"
    folder.mkdir()
    stage = Stage(tmp_path, runbooks=impatient(folder))
    forward = stage.recovered()
    breaks = Doing(lambda: stage.at(1, cloudfront=REFUSED))
    run, outcome = stage.recover("failback", breaks, follows=forward.id)
    assert (outcome.status, stage.record) == (Status.ROLLED_BACK, stage.after)
    assert timeline(run.journal.records).lost_service


def test_outage_on_the_way_is_told(stage: Stage) -> None:
    """A hiccup of two seconds during the failback is its RTO."""
    forward = stage.recovered()

    def hiccup() -> None:
        stage.at(2, cloudfront=REFUSED)
        stage.at(4, cloudfront=GOOD)

    run, outcome = stage.recover("failback", Doing(hiccup), follows=forward.id)
    told = timeline(run.journal.records)
    assert (outcome.status, len(told.lost_service)) == (Status.RECOVERED, 1)
    assert told.rto.actual is not None
    assert seconds(1.7) < told.rto.actual < seconds(2.5)
