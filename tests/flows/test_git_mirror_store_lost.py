"""The local copy is lost, or moved away because it was damaged: what only its bundle holds is not lost with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from defib.objectives import Status
from tests.flows.mirror_stage import MirrorStage, mirror_stage, notes
from tests.providers.git.repository import git

MAIN = "refs/heads/main"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[MirrorStage]:
    """A source with five branches and a mirror; one of the branches was deleted, and so archived. Then the store is lost."""
    with mirror_stage(tmp_path, "github", "gitlab", lab=False) as made:
        first = made.at["github"].commit({"index.html": "1"})
        for number in range(4):
            made.at["github"].commit({"index.html": f"b{number}"}, first, branch=f"b{number}")
        assert made.mirror()[1].status is Status.RECOVERED
        git(made.at["github"].folder, "update-ref", "-d", "refs/heads/b3")
        assert made.mirror()[1].status is Status.RECOVERED
        made.at["github"].commit({"index.html": "2"}, made.refs("github")[MAIN])
        assert made.mirror()[1].status is Status.RECOVERED
        yield made


def store_of(stage: MirrorStage) -> Path:
    """The local copy."""
    return stage.desk.home.mirrors("lab") / "pulse.git"


def refs(store: Path) -> dict[str, str]:
    """What a store has, beside what was taken in."""
    lines = git(store, "for-each-ref", "--format=%(refname) %(objectname)", "refs/heads", "refs/archive").splitlines()
    return dict(line.split(" ", 1) for line in lines)


def test_it_is_what_it_was(stage: MirrorStage) -> None:
    """Branches and old tips are there again, those of what was added to the bundle as well, and the next bundle has them."""
    had = refs(store_of(stage))
    assert any(ref.startswith("refs/archive/") for ref in had)
    store_of(stage).rename(stage.home / "away.git")
    _, outcome = stage.mirror()
    assert (outcome.status, outcome.reason, refs(store_of(stage))) == (Status.RECOVERED, "", had)
    stage.at["github"].commit({"index.html": "new"}, branch="new")
    git(stage.at["github"].folder, "update-ref", "-d", "refs/heads/b2")
    assert stage.mirror()[1].status is Status.RECOVERED
    listed = git(stage.bundle.parent, "bundle", "list-heads", str(stage.bundle))
    assert all(ref in listed for ref in had if ref.startswith("refs/archive/"))


def test_a_source_that_was_pushed_over_meanwhile_waits_for_a_person(stage: MirrorStage) -> None:
    """A store that begins anew does not take the loss for the truth: neither the mirror nor the bundle follows."""
    had = refs(store_of(stage))[MAIN]
    store_of(stage).rename(stage.home / "away.git")
    stage.at["github"].commit({"README": "gone"})
    run, outcome = stage.mirror()
    assert (outcome.status, "waits for a person" in notes(run)) == (Status.REFUSED, True)
    assert (refs(store_of(stage))[MAIN], stage.refs("gitlab")[MAIN]) == (had, had)


def test_a_damaged_bundle_is_not_written_over(stage: MirrorStage) -> None:
    """Nobody knows what it held: it stays, that is said, and the mirror has all the same what is new."""
    store_of(stage).rename(stage.home / "away.git")
    torn = stage.bundle.read_bytes()[:-30]
    stage.bundle.write_bytes(torn)
    new = stage.at["github"].commit({"index.html": "3"}, stage.refs("github")[MAIN])
    for _ in range(2):
        run, outcome = stage.mirror()
        assert (outcome.status, f"{stage.bundle} cannot be taken for it" in notes(run)) == (Status.FAILED, True)
        assert (stage.bundle.read_bytes(), stage.refs("gitlab")[MAIN]) == (torn, new)
    stage.bundle.unlink()
    stage.bundle.with_name(f"{stage.bundle.name}.added").unlink(missing_ok=True)
    assert stage.mirror()[1].status is Status.RECOVERED
