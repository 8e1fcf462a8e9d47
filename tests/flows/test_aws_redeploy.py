"""The whole of aws-redeploy under a simulated clock: from whoever holds the sources to users on a release of its own."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from defib import entries
from defib.clock import Deadline
from defib.errors import Unavailable
from defib.objectives import Status, Verdict
from defib.ports import RecordChange, RecordSet
from defib.redeploy import groundwork, pointer
from defib.redeploy.offer import Offer
from defib.run import PlanReady
from defib.timeline import timeline
from flows import aws_redeploy
from tests.flows.redeploy_stage import (
    DISTRIBUTION,
    NEWER,
    OLD,
    ON_AWS,
    STRANGE,
    USERS_HAD,
    RedeployStage,
    redeploy_stage,
    tip,
)
from tests.stage import BUILD, GOOD, REFUSED, START, steps


@pytest.fixture
def stage(tmp_path: Path) -> RedeployStage:
    """The lab's site with a last resort on AWS, everything else down."""
    return redeploy_stage(tmp_path)


class TestRedeploy:
    """From everything down to users on AWS."""

    def test_users_are_served_what_they_had(self, stage: RedeployStage) -> None:
        """R1: GitHub is dead, GitLab holds the commit that users had: built, uploaded, served, and users are sent there."""
        run, outcome = stage.recover("aws-redeploy", since=stage.clock.now())
        told = timeline(run.journal.records)
        assert (outcome.status, outcome.reason) == (Status.RECOVERED, "")
        assert (stage.stands(), stage.serves()) == (ON_AWS, USERS_HAD)
        assert steps(run) == [(name, "done") for name in aws_redeploy.PROCEDURE.steps]
        assert (told.rto.verdict, told.rpo.verdict, told.rpo.actual) == (Verdict.MET, Verdict.MET, timedelta(0))
        assert "not from github: connection refused" in stage.notes()

    def test_newer_commit_that_descends_is_taken(self, stage: RedeployStage) -> None:
        """The newest commit of the line that users were on wins."""
        stage.sources.offers["github"] = Offer("github", tip(NEWER, USERS_HAD, OLD, minutes=10))
        _, outcome = stage.recover("aws-redeploy")
        assert (outcome.status, stage.serves()) == (Status.RECOVERED, NEWER)

    def test_commit_that_a_person_insists_on(self, stage: RedeployStage) -> None:
        """A person's word goes before what is newest; the journal keeps it, with the doubt."""
        stage.sources.offers["github"] = Offer("github", tip(NEWER, USERS_HAD, OLD, minutes=10))
        stage.sources.offers["gitlab"] = Offer("gitlab", tip(OLD, minutes=24 * 60))
        run, outcome = stage.recover("aws-redeploy", commit=OLD)
        opened = next(record.entry for record in run.journal.records if isinstance(record.entry, entries.Opened))
        assert (outcome.status, stage.serves(), opened.commit) == (Status.RECOVERED, OLD, OLD)
        assert "because a person insists on it" in stage.notes()

    def test_commit_that_nobody_holds(self, stage: RedeployStage) -> None:
        """Who insists on a commit that nobody offers is told what there is."""
        _, outcome = stage.recover("aws-redeploy", commit=NEWER)
        assert (outcome.status, f"nobody offers {NEWER}" in outcome.reason) == (Status.REFUSED, True)

    def test_mirror_that_is_behind(self, stage: RedeployStage) -> None:
        """R2: nobody holds more than an older commit: it is deployed, its age is shown, and the RPO is missed."""
        stage.sources.offers["gitlab"] = Offer("gitlab", tip(OLD, minutes=24 * 60))
        run, outcome = stage.recover("aws-redeploy")
        rpo = timeline(run.journal.records).rpo
        assert (outcome.status, outcome.reason) == (Status.RECOVERED, "")
        assert (stage.serves(), rpo.verdict, rpo.actual) == (OLD, Verdict.MISSED, BUILD.built - (START - timedelta(days=1)))
        assert "made 1 day" in stage.notes()

    def test_one_plan_for_release_and_names(self, stage: RedeployStage) -> None:
        """The release and the record sets are approved together, by one digest, and put back together."""
        before = (stage.memory.records, stage.pointer.records)
        run, _ = stage.recover("aws-redeploy")
        planned = next(run.journal.of(entries.Planned))
        assert [change.vendor for change in planned.changes] == [pointer.VENDOR, "route53"]
        stage.rollback(run.id)
        assert (stage.memory.records, stage.pointer.records) == before

    def test_release_that_is_live_is_not_uploaded_again(self, stage: RedeployStage) -> None:
        """What is there already costs no upload, and no flip."""
        run, _ = stage.recover("aws-redeploy")
        stage.rollback(run.id)
        stage.clock.sleep(timedelta(seconds=5))  # until no resolver sends users to AWS any more
        _, outcome = stage.recover("aws-redeploy")
        assert (outcome.status, outcome.reason) == (Status.RECOVERED, "")
        assert "0 uploaded" in stage.notes()

    def test_failback_takes_users_back(self, stage: RedeployStage) -> None:
        """When the host is well again, users go back, and the pointer stands as it did."""
        before = stage.memory.records
        run, _ = stage.recover("aws-redeploy")
        stage.origin = GOOD
        stage.edges.update(dict.fromkeys(stage.edges, GOOD))
        _, outcome = stage.recover("failback", follows=run.id)
        assert (outcome.status, outcome.reason) == (Status.RECOVERED, "")
        assert (stage.memory.records, stage.serves()) == (before, OLD)


class TestGround:
    """What the last resort is made of."""

    def test_what_is_missing_is_made_first(self, stage: RedeployStage) -> None:
        """The bucket is a change of the approved plan, made before anything is brought there; and it stays."""
        stage.ground.lacks(groundwork.BUCKET)
        run, outcome = stage.recover("aws-redeploy")
        planned = next(run.journal.of(entries.Planned))
        assert (outcome.status, outcome.reason) == (Status.RECOVERED, "")
        assert [change.vendor for change in planned.changes] == [groundwork.VENDOR, pointer.VENDOR, "route53"]
        stage.origin = GOOD
        stage.edges.update(dict.fromkeys(stage.edges, GOOD))
        assert stage.recover("failback", follows=run.id)[1].status is Status.RECOVERED
        assert len(stage.ground.zone.records) == 1

    def test_distribution_is_not_there(self, stage: RedeployStage) -> None:
        """What would get an id that no site file names is refused, with what is to be done before."""
        stage.ground.lacks(groundwork.DISTRIBUTION)
        _, outcome = stage.recover("aws-redeploy")
        assert (outcome.status, "standby-prepare" in outcome.reason) == (Status.REFUSED, True)


class TestRefusals:
    """What is refused or fails, with users where they are."""

    @pytest.fixture(autouse=True)
    def nothing_changed(self, stage: RedeployStage) -> Any:
        """Neither a name nor the release is changed."""
        yield
        assert (stage.memory.applied, stage.serves()) == ((), OLD)

    def test_backup_host_serves(self, stage: RedeployStage) -> None:
        """Where a backup host serves the site, it is quicker to send users there."""
        stage.edges["netlify"] = GOOD
        _, outcome = stage.recover("aws-redeploy")
        assert (outcome.status, "defib plan dns-switch" in outcome.reason) == (Status.REFUSED, True)

    def test_mirror_that_was_pushed_over(self, stage: RedeployStage) -> None:
        """R3: a remote whose branch is another line is refused by its name."""
        stage.sources.offers["gitlab"] = Offer("gitlab", tip(STRANGE))
        _, outcome = stage.recover("aws-redeploy")
        assert (outcome.status, "gitlab" in outcome.reason) == (Status.REFUSED, True)

    def test_build_fails(self, stage: RedeployStage) -> None:
        """R4: a build that fails switches nothing, and nothing is uploaded."""
        stage.bench.fails = True
        _, outcome = stage.recover("aws-redeploy")
        assert (outcome.status, "the build failed" in outcome.reason) == (Status.FAILED, True)
        assert USERS_HAD not in str(stage.store.list("", within=Deadline.after(stage.clock, timedelta(seconds=1))))

    def test_upload_fails(self, stage: RedeployStage) -> None:
        """R6: a store that refuses leaves the release incomplete, and users where they are."""
        stage.store.failures.schedule(Unavailable("slow down"), calls=99, methods={"put"})
        _, outcome = stage.recover("aws-redeploy")
        assert outcome.status is Status.FAILED

    def test_distribution_keeps_serving_the_old_release(self, stage: RedeployStage) -> None:
        """C13: the pointer moved and the edges do not follow: waited for within the budget, then told, and put back."""
        stage.view = lambda observer, aim, at: (
            REFUSED if aim.connect_to.startswith("d3pulse") else stage.see(observer, aim, at)
        )
        _, outcome = stage.recover("aws-redeploy")
        assert (outcome.status, "does not serve the release" in outcome.reason) == (Status.ROLLED_BACK, True)


def test_plan_builds_and_changes_nothing(stage: RedeployStage) -> None:
    """A plan shows the release and the record sets before and after."""
    run = stage.plan("aws-redeploy")
    with pytest.raises(PlanReady) as ready:
        aws_redeploy.play(run)
    first = ready.value.plan.changes[0]
    after = pointer.pointing_at(DISTRIBUTION, pointer.path_of(USERS_HAD))
    assert first.records == (RecordChange(_pointing(OLD), after),)
    assert (stage.memory.applied, stage.serves()) == ((), OLD)


def _pointing(commit: str) -> RecordSet:
    return pointer.pointing_at(DISTRIBUTION, pointer.path_of(commit))


class TestReleaseRollback:
    """Users are on AWS, and what they get is bad."""

    @pytest.fixture
    def on_aws(self, stage: RedeployStage) -> RedeployStage:
        """Users are on a release on AWS."""
        stage.recover("aws-redeploy")
        stage.live(USERS_HAD)
        stage.store.calls.clear()
        return stage

    def test_release_before_is_served(self, on_aws: RedeployStage) -> None:
        """R17: one write flips back to the release before, nothing is uploaded, and users have it within seconds."""
        flips = len(on_aws.pointer.applied)
        begun = on_aws.clock.now()
        _, outcome = on_aws.recover("release-rollback")
        assert (outcome.status, outcome.reason) == (Status.RECOVERED, "")
        assert (on_aws.serves(), len(on_aws.pointer.applied)) == (OLD, flips + 1)
        assert on_aws.store.calls.get("put", 0) == 0
        assert on_aws.clock.now() - begun < timedelta(seconds=60)
        assert on_aws.stands() == ON_AWS

    def test_and_forward_again(self, on_aws: RedeployStage) -> None:
        """What was rolled back can be put back as any change."""
        run, _ = on_aws.recover("release-rollback")
        on_aws.rollback(run.id)
        assert on_aws.serves() == USERS_HAD

    def test_no_release_before(self, stage: RedeployStage) -> None:
        """With the live one alone there is nothing to go back to."""
        _, outcome = stage.recover("release-rollback")
        assert (outcome.status, "no complete release but the live one" in outcome.reason) == (Status.REFUSED, True)

    def test_incomplete_release_is_not_taken(self, on_aws: RedeployStage) -> None:
        """R8: a release that lacks an object is no release to go back to."""
        within = Deadline.after(on_aws.clock, timedelta(seconds=9))
        on_aws.store.delete([f"releases/{OLD}/index.html"], within=within)
        _, outcome = on_aws.recover("release-rollback")
        assert (outcome.status, on_aws.serves()) == (Status.FAILED, USERS_HAD)
