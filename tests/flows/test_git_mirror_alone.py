"""A repository that has one remote and no mirror: its local copy and its bundle are what is left when that is lost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from defib.board.sites import is_for
from defib.clock import Deadline
from defib.objectives import Status, Verdict
from defib.providers.open import open_sources
from defib.redeploy.offer import BUNDLE
from defib.redeploy.source import choose
from defib.runbook import load_runbook
from defib.sites.site import load_site
from defib.timeline import timeline
from tests.flows.mirror_stage import MirrorStage, mirror_stage, seen
from tests.providers.git.repository import git
from tests.stage import RUNBOOKS

MAIN = "refs/heads/main"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[MirrorStage]:
    """A source with four branches and a tag, and nobody else."""
    with mirror_stage(tmp_path, "github") as made:
        first = made.at["github"].commit({"index.html": "1"})
        for number in range(3):
            made.at["github"].commit({"index.html": f"b{number}"}, first, branch=f"b{number}")
        git(made.at["github"].folder, "tag", "v1", first)
        yield made


def test_its_bundle_is_kept_and_compared(stage: MirrorStage) -> None:
    """The local copy is what is compared with the source, and how far it was behind is the recovery point."""
    stage.mirror()
    stage.clock.ahead = timedelta(minutes=90)
    stage.at["github"].commit({"index.html": "2"}, stage.refs("github")[MAIN], at=timedelta(days=3650))
    run, outcome = stage.mirror()
    told = timeline(run.journal.records)
    assert (outcome.status, outcome.reason) == (Status.RECOVERED, "")
    (mirror,) = seen(run).values()
    assert (mirror.place, mirror.refs, mirror.equal, mirror.behind) == ("local copy", 5, 5, timedelta(0))
    assert (told.rpo.verdict, told.rpo.actual is not None and told.rpo.actual >= timedelta(minutes=90)) == (
        Verdict.MISSED,
        True,
    )
    assert seen(stage.mirror()[0])["local copy"].was == timedelta(0)


def test_it_is_mirrored_and_has_nothing_to_promote(stage: MirrorStage) -> None:
    """The board expects the one of it, and not the other."""
    site = load_site(stage.site_path)
    assert is_for(load_runbook("git-mirror", RUNBOOKS), site)
    assert not is_for(load_runbook("git-promote", RUNBOOKS), site)


@pytest.mark.parametrize("lost", ["down", "emptied", "pushed over"])
def test_it_is_built_from_its_bundle_when_its_remote_is_lost(stage: MirrorStage, lost: str) -> None:
    """The run is red, nothing is lost by it, and the commit that users had is built from the bundle."""
    assert stage.mirror()[1].status is Status.RECOVERED
    had = stage.refs("github")[MAIN]
    if lost == "down":
        stage.hosts["github"].status = 503
    else:
        for ref in stage.refs("github"):
            git(stage.at["github"].folder, "update-ref", "-d", ref)
    if lost == "pushed over":
        stage.at["github"].commit({"README": "gone"})
    run, outcome = stage.mirror()
    assert (outcome.status, seen(run)["local copy"].problems != ()) == (Status.REFUSED, True)
    sources = open_sources(load_site(stage.site_path), stage.desk.home.path, stage.tokens.__getitem__)
    assert sources is not None
    told = sources.ask([had], within=Deadline.after(stage.clock, timedelta(seconds=60)))
    choice = choose(told.offers, told.bundle, told.deployed)
    assert (choice.source, choice.commit) == (BUNDLE, had)
