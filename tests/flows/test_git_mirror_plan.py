"""A plan of git-mirror: it tells what is wrong as a run would, and changes nothing that a run beside it depends on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from defib.errors import DefibError, Refused, StepFailed
from defib.objectives import Status
from tests.flows.mirror_stage import MirrorStage, mirror_stage, notes, seen
from tests.providers.git.repository import git
from tests.stage import PlainFile

MAIN = "refs/heads/main"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[MirrorStage]:
    """A source with five branches, mirrored."""
    with mirror_stage(tmp_path, "github", "gitlab") as made:
        source = made.at["github"]
        first = source.commit({"index.html": "1"})
        for number in range(4):
            source.commit({"index.html": f"b{number}"}, first, branch=f"b{number}")
        assert made.mirror()[1].status is Status.RECOVERED
        yield made


def mirror_is_down(stage: MirrorStage) -> None:
    """It answers with 503."""
    stage.hosts["gitlab"].status = 503


def mirror_has_diverged(stage: MirrorStage) -> None:
    """Both have a commit on the same branch that the other lacks."""
    for number, host in enumerate(("github", "gitlab")):
        stage.at[host].commit({"index.html": host}, stage.refs(host)[MAIN], at=timedelta(minutes=number))


def source_is_emptied(stage: MirrorStage) -> None:
    """It has no ref any more."""
    for ref in stage.refs("github"):
        git(stage.at["github"].folder, "update-ref", "-d", ref)


def token_has_expired(stage: MirrorStage) -> None:
    """The source takes another one now."""
    stage.hosts["github"].token = "another-one-that-is-valid"


@pytest.mark.parametrize(
    ("happens", "kind", "words"),
    [
        (mirror_is_down, StepFailed, "pulse at gitlab: unreachable.*next: see to it, and plan again"),
        (mirror_has_diverged, StepFailed, "pulse at gitlab: refs/heads/main has diverged.*next: see to it, and plan again"),
        (
            source_is_emptied,
            Refused,
            "emptied.*next: leave the mirrors alone.*git promote --site lab --repository pulse --to git",
        ),
        (token_has_expired, Refused, "denied: the token is missing, expired.*next: renew the token or key of github"),
    ],
)
def test_what_is_wrong_is_no_plan_to_do_nothing(
    stage: MirrorStage, happens: Callable[[MirrorStage], None], kind: type[DefibError], words: str
) -> None:
    """Nothing would be lost, and yet something is wrong: that is what the plan says, and not that all is well."""
    happens(stage)
    with pytest.raises(kind, match=f"(?s){words}"):
        stage.plan()


def test_what_waits_for_a_person_names_what_that_person_does(stage: MirrorStage) -> None:
    """Not the report, which says the same again, but the plan that is to be looked at."""
    stage.at["github"].commit({"README": "gone"})
    _, outcome = stage.mirror()
    assert "next: find out who did that; where it was meant: defib plan git-mirror --site lab" in outcome.reason


def test_it_is_told_once(stage: MirrorStage) -> None:
    """What was told when it was found is not told again at the end."""
    source_is_emptied(stage)
    run, _ = stage.mirror()
    assert notes(run).count("github has been emptied") == 1


def test_what_is_wrong_beside_a_plan_is_told(stage: MirrorStage) -> None:
    """Whoever decides about a loss reads what else is wrong."""
    git(stage.at["github"].folder, "update-ref", "-d", "refs/heads/b3")
    stage.hosts["gitlab"].status = 503
    run, plan = stage.plan()
    assert [change.zone for change in plan.changes] == ["pulse@local copy"]
    assert "pulse at gitlab: unreachable" in notes(run)


def test_all_is_well(stage: MirrorStage) -> None:
    """There is a plan, of nothing."""
    run, plan = stage.plan()
    assert (plan.changes, notes(run)) == ((), "")


def test_what_a_run_took_in_stays(stage: MirrorStage) -> None:
    """Plan after plan of a source that moves: the store's own refs are as the last run left them, old tips not archived."""
    store = stage.desk.home.mirrors("lab", lab=True) / "pulse.git"

    def own() -> list[str]:
        lines = git(store, "for-each-ref", "--format=%(refname) %(objectname)").splitlines()
        return [line for line in lines if not line.startswith("refs/planned/")]

    before = own()
    for text in ("gone", "gone again"):
        new = stage.at["github"].commit({"README": text}, branch="b3")
        git(stage.at["github"].folder, "update-ref", "-d", "refs/heads/b2")
        _, plan = stage.plan()
        wanted = {record.key.name: record.after for change in plan.changes for record in change.records}
        assert set(wanted) == {"refs/heads/b2", "refs/heads/b3"}
        assert wanted["refs/heads/b3"] is not None
        assert wanted["refs/heads/b3"].values == (new,)
    assert own() == before


@dataclass
class Beside:
    """A sink beside which something happens once, when the run has said what it is about to push."""

    path: Path
    happens: Callable[[], object]
    over: bool = False

    def append(self, line: bytes, *, durable: bool) -> None:
        """Write, and let it happen."""
        PlainFile(self.path).append(line, durable=durable)
        if b"RefsIntended" in line and not self.over:
            self.over = True
            self.happens()


def test_a_plan_in_the_middle_of_a_run(stage: MirrorStage) -> None:
    """What the run is about to push is not taken from under it, though the source has no such branch any more."""
    source = stage.at["github"]
    new = source.commit({"index.html": "new"}, branch="new")
    beside: list[Beside] = []

    def source_changes() -> None:
        git(source.folder, "update-ref", "-d", "refs/heads/new")
        stage.plan()

    def sink(path: Path) -> Beside:
        beside.append(Beside(path, source_changes))
        return beside[-1]

    stage.sink = sink
    run, outcome = stage.mirror()
    assert (outcome.status, outcome.reason, [each.over for each in beside]) == (Status.RECOVERED, "", [True])
    assert (stage.refs("gitlab")["refs/heads/new"], seen(run)["gitlab"].equal) == (new, 6)


def test_a_rejection_in_the_words_of_a_wait(stage: MirrorStage) -> None:
    """What a host says is no sign that a person is waited for: the run has failed, and was not refused."""
    hook = stage.at["gitlab"].folder / "hooks" / "update"
    hook.write_text("#!/bin/sh\necho 'this waits for a person'\nexit 1\n", encoding="utf-8")
    hook.chmod(0o755)
    stage.at["github"].commit({"index.html": "2"}, branch="new")
    _, outcome = stage.mirror()
    assert (outcome.status, "this waits for a person" in outcome.reason) == (Status.FAILED, True)
