"""What a source loses, its mirrors keep: archived before they follow, above a threshold only by a person, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from defib.approval import ByDigest
from defib.errors import Refused, StepFailed
from defib.objectives import Status
from tests.flows.mirror_stage import MirrorStage, mirror_stage, notes, seen
from tests.providers.git.repository import git

MAIN = "refs/heads/main"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[MirrorStage]:
    """A source with ten branches, mirrored."""
    with mirror_stage(tmp_path, "github", "gitlab") as made:
        source = made.at["github"]
        first = source.commit({"index.html": "1"})
        source.commit({"index.html": "2"}, first)
        for number in range(9):
            source.commit({"index.html": f"b{number}"}, first, branch=f"b{number}")
        assert made.mirror()[1].status is Status.RECOVERED
        yield made


def delete(stage: MirrorStage, host: str, *refs: str) -> None:
    """Delete refs in a repository."""
    for ref in refs:
        git(stage.at[host].folder, "update-ref", "-d", ref)


def archived(stage: MirrorStage, host: str) -> set[str]:
    """The commits that stand under archive refs."""
    return {commit for ref, commit in stage.refs(host).items() if ref.startswith("refs/archive/")}


class TestEmptied:
    """G1: the source has nothing any more."""

    def test_the_mirror_keeps_every_ref(self, stage: MirrorStage) -> None:
        """The run is red, names the source, and nothing is touched: not the mirror, not the local copy, not the bundle."""
        before, bundle = stage.refs("gitlab"), stage.bundle.read_bytes()
        delete(stage, "github", *stage.refs("github"))
        run, outcome = stage.mirror()
        assert (outcome.status, "github has been emptied" in outcome.reason) == (Status.REFUSED, True)
        assert (stage.refs("gitlab"), stage.bundle.read_bytes()) == (before, bundle)
        assert seen(run)["gitlab"].behind is None

    def test_nobody_can_approve_that(self, stage: MirrorStage) -> None:
        """There is no plan to approve: an emptied source is no source."""
        delete(stage, "github", *stage.refs("github"))
        with pytest.raises(Refused, match="github has been emptied"):
            stage.plan()


class TestForcePushed:
    """G2: a branch was pushed over."""

    def push_over(self, stage: MirrorStage, branch: str = "main") -> tuple[str, str]:
        """The branch leads to another history: its old and its new commit."""
        old = stage.refs("github")[f"refs/heads/{branch}"]
        return old, stage.at["github"].commit({"README": "gone"}, branch=branch)

    def test_the_branch_that_is_built_waits_for_a_person(self, stage: MirrorStage) -> None:
        """Unattended nothing follows, and the run says what to do; what is new goes all the same."""
        old, _ = self.push_over(stage)
        new = stage.at["github"].commit({"index.html": "new"}, branch="new")
        run, outcome = stage.mirror()
        assert (outcome.status, "waits for a person" in outcome.reason) == (Status.REFUSED, True)
        assert (stage.refs("gitlab")[MAIN], stage.refs("gitlab")["refs/heads/new"]) == (old, new)
        assert "defib run git-mirror --site lab --approve" in notes(run)
        assert git(stage.bundle.parent, "bundle", "list-heads", str(stage.bundle), MAIN).split()[0] == old

    def test_approved_it_is_archived_first(self, stage: MirrorStage) -> None:
        """Approved by its digest: the old tip stands under a dated ref at the mirror, and only then the branch moves."""
        old, new = self.push_over(stage)
        _, plan = stage.plan()
        run, outcome = stage.mirror(ByDigest(plan.digest(), "somebody", "defib run git-mirror"))
        assert (outcome.status, outcome.reason) == (Status.RECOVERED, "")
        assert stage.refs("gitlab")[MAIN] == new
        assert archived(stage, "gitlab") == {old}
        day = f"{stage.clock.now():%Y-%m-%d}"
        assert stage.refs("gitlab")[f"refs/archive/{day}/heads/main/{old[:12]}"] == old
        assert stage.rollback(run.id).status is Status.ROLLED_BACK
        assert stage.refs("gitlab")[MAIN] == old
        assert archived(stage, "gitlab") == {old, new}

    def test_moved_there_and_back_on_one_day(self, stage: MirrorStage) -> None:
        """What is archived already is no hindrance: the branch is pushed over, put back, and pushed over again."""
        old, new = self.push_over(stage, "b3")
        for tip in (new, old, new):
            git(stage.at["github"].folder, "update-ref", "refs/heads/b3", tip)
            assert stage.mirror()[1].status is Status.RECOVERED
            assert stage.refs("gitlab")["refs/heads/b3"] == tip
        assert archived(stage, "gitlab") == {old, new}

    def test_a_mirror_that_refuses_to_follow(self, stage: MirrorStage) -> None:
        """Archived and then refused, as a protected branch is: told again in each run with its reason, until it is let."""
        old, new = self.push_over(stage, "b3")
        git(stage.at["gitlab"].folder, "config", "receive.denyNonFastForwards", "true")
        for _ in range(2):
            _, outcome = stage.mirror()
            assert (outcome.status, "denying non-fast-forward" in outcome.reason) == (Status.FAILED, True)
            assert stage.refs("gitlab")["refs/heads/b3"] == old
        git(stage.at["gitlab"].folder, "config", "receive.denyNonFastForwards", "false")
        assert stage.mirror()[1].status is Status.RECOVERED
        assert stage.refs("gitlab")["refs/heads/b3"] == new

    def test_a_mirror_that_knows_no_atomic_push(self, stage: MirrorStage) -> None:
        """It says so in git's words, and follows all the same: ref by ref, each only from where it was seen."""
        git(stage.at["gitlab"].folder, "config", "receive.advertiseAtomic", "false")
        tips = [self.push_over(stage, branch) for branch in ("b3", "b4")]
        _, outcome = stage.mirror()
        assert (outcome.status, outcome.reason) == (Status.RECOVERED, "")
        assert [stage.refs("gitlab")[f"refs/heads/{branch}"] for branch in ("b3", "b4")] == [new for _, new in tips]
        assert archived(stage, "gitlab") == {old for old, _ in tips}

    def test_what_waited_for_a_person_is_not_forgotten(self, stage: MirrorStage) -> None:
        """A tip that was held back and is pushed over in its turn stays in the local store under a dated ref."""
        _, second = self.push_over(stage)
        stage.mirror()
        third = stage.at["github"].commit({"README": "gone again"}, branch="main")
        stage.mirror()
        store = stage.desk.home.mirrors("lab", lab=True) / "pulse.git"
        kept = git(store, "for-each-ref", "--format=%(objectname)", "refs/archive").split()
        assert (second in kept, third in kept) == (True, False)

    def test_another_branch_follows_by_itself(self, stage: MirrorStage) -> None:
        """One branch of many is everyday work: archived and followed, and told."""
        old, new = self.push_over(stage, "b3")
        _, outcome = stage.mirror()
        assert (outcome.status, stage.refs("gitlab")["refs/heads/b3"]) == (Status.RECOVERED, new)
        assert archived(stage, "gitlab") == {old}

    def test_a_moved_tag_is_archived(self, stage: MirrorStage) -> None:
        """A tag that leads elsewhere is a loss as a branch is."""
        source = stage.at["github"].folder
        git(source, "tag", "v1", "b1")
        stage.mirror()
        old = stage.refs("gitlab")["refs/tags/v1"]
        git(source, "tag", "-f", "v1", "b2")
        _, outcome = stage.mirror()
        assert (outcome.status, archived(stage, "gitlab")) == (Status.RECOVERED, {old})
        assert stage.refs("gitlab")["refs/tags/v1"] == stage.refs("github")["refs/tags/v1"]

    def test_a_mirror_that_was_down_follows_later(self, stage: MirrorStage) -> None:
        """What the local copy followed while a mirror was down is archived and followed there when it is back."""
        old, new = self.push_over(stage, "b3")
        stage.hosts["gitlab"].status = 503
        assert stage.mirror()[1].status is Status.FAILED
        stage.hosts["gitlab"].status = 0
        _, outcome = stage.mirror()
        assert (outcome.status, stage.refs("gitlab")["refs/heads/b3"]) == (Status.RECOVERED, new)
        assert archived(stage, "gitlab") == {old}


class TestDeleted:
    """G3: branches were deleted."""

    def test_one_in_ten_is_archived(self, stage: MirrorStage) -> None:
        """It goes, and stays under its dated ref."""
        old = stage.refs("github")["refs/heads/b3"]
        delete(stage, "github", "refs/heads/b3")
        _, outcome = stage.mirror()
        assert (outcome.status, "refs/heads/b3" in stage.refs("gitlab")) == (Status.RECOVERED, False)
        assert archived(stage, "gitlab") == {old}

    def test_a_branch_that_became_a_folder_of_branches(self, stage: MirrorStage) -> None:
        """What stood in the way goes under its dated ref first, and in the same run the new one has its place; and back."""
        source, old = stage.at["github"], stage.refs("github")["refs/heads/b3"]
        delete(stage, "github", "refs/heads/b3")
        below = source.commit({"index.html": "below"}, old, branch="b3/below", at=timedelta(minutes=1))
        _, outcome = stage.mirror()
        assert (outcome.status, outcome.reason) == (Status.RECOVERED, "")
        assert (stage.heads("gitlab"), archived(stage, "gitlab")) == (stage.heads("github"), {old})
        delete(stage, "github", "refs/heads/b3/below")
        git(source.folder, "update-ref", "refs/heads/b3", old)
        _, outcome = stage.mirror()
        assert (outcome.status, outcome.reason) == (Status.RECOVERED, "")
        assert (stage.heads("gitlab"), archived(stage, "gitlab")) == (stage.heads("github"), {old, below})

    def test_six_in_ten_wait_for_a_person(self, stage: MirrorStage) -> None:
        """None of them goes."""
        delete(stage, "github", *(f"refs/heads/b{number}" for number in range(6)))
        before = stage.refs("gitlab")
        _, outcome = stage.mirror()
        assert (outcome.status, "6 of 10 refs" in outcome.reason) == (Status.REFUSED, True)
        assert stage.refs("gitlab") == before

    def test_a_renamed_master_is_followed_here_as_well(self, stage: MirrorStage) -> None:
        """Git would not delete what the local store's HEAD names; that is no branch of ours."""
        source = stage.at["github"].folder
        git(source, "branch", "master", "b1")
        stage.mirror()
        git(source, "update-ref", "-d", "refs/heads/master")
        _, outcome = stage.mirror()
        assert (outcome.status, outcome.reason) == (Status.RECOVERED, "")

    def test_a_deleted_main_waits_for_a_person(self, stage: MirrorStage) -> None:
        """The branch that the site is built from never goes by itself."""
        delete(stage, "github", MAIN)
        _, outcome = stage.mirror()
        assert (outcome.status, MAIN in stage.refs("gitlab")) == (Status.REFUSED, True)


class TestDiverged:
    """G8: a mirror has what its source never had."""

    def test_nothing_is_overwritten(self, stage: MirrorStage) -> None:
        """A commit that somebody pushed to the mirror stays, whatever the source has, and the run is red."""
        there = stage.at["gitlab"]
        own = there.commit({"index.html": "fix"}, stage.refs("gitlab")[MAIN], at=timedelta(minutes=5))
        stage.at["github"].commit({"index.html": "3"}, stage.refs("github")[MAIN], at=timedelta(minutes=6))
        _, outcome = stage.mirror()
        assert (outcome.status, "refs/heads/main has diverged" in outcome.reason) == (Status.FAILED, True)
        assert stage.refs("gitlab")[MAIN] == own
        with pytest.raises(StepFailed, match="refs/heads/main has diverged"):
            stage.plan()

    def test_a_branch_of_the_mirror_alone_is_left(self, stage: MirrorStage) -> None:
        """A ref that the source never had is told, and is nobody's loss."""
        own = stage.at["gitlab"].commit({"index.html": "own"}, branch="own")
        run, outcome = stage.mirror()
        assert (outcome.status, stage.refs("gitlab")["refs/heads/own"]) == (Status.RECOVERED, own)
        assert "gitlab has 1 refs of its own, left alone: refs/heads/own" in notes(run)
