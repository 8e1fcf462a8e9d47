"""The whole of git-mirror over real Git servers: what every mirror has afterwards, and what none ever loses."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from defib import copyentries
from defib.clock import Deadline
from defib.errors import InputError
from defib.objectives import Status, Verdict
from defib.providers.open import open_sources
from defib.redeploy.offer import BUNDLE
from defib.redeploy.source import choose
from defib.sites.site import load_site
from defib.timeline import timeline
from tests.flows.mirror_stage import MirrorStage, mirror_stage, notes, seen
from tests.providers.git.repository import NOON, git

MAIN = "refs/heads/main"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[MirrorStage]:
    """The source has two branches and a tag; its mirrors have nothing yet."""
    with mirror_stage(tmp_path) as made:
        source = made.at["github"]
        first = source.commit({"index.html": "1"})
        second = source.commit({"index.html": "2"}, first, at=timedelta(minutes=1))
        source.commit({"index.html": "3"}, first, branch="feature")
        git(source.folder, "tag", "v1", second)
        yield made


class TestMirroring:
    """What goes to the mirrors."""

    def test_everything_goes_everywhere(self, stage: MirrorStage) -> None:
        """Heads and tags are equal at every mirror, by their own answers, and the bundle holds them."""
        run, outcome = stage.mirror()
        assert (outcome.status, outcome.reason) == (Status.RECOVERED, "")
        assert stage.heads("gitlab") == stage.heads("codeberg") == stage.heads("github")
        assert {place: (told.refs, told.equal, told.behind) for place, told in seen(run).items()} == {
            "gitlab": (3, 3, timedelta(0)),
            "codeberg": (3, 3, timedelta(0)),
        }
        assert stage.bundle.is_file()

    def test_nothing_new(self, stage: MirrorStage) -> None:
        """G16: the second run sends nothing, and its recovery point is now."""
        stage.mirror()
        run, outcome = stage.mirror()
        told = timeline(run.journal.records)
        assert outcome.status is Status.RECOVERED
        assert "sent to" not in notes(run)
        assert (told.rto.verdict, told.rpo.verdict, told.rpo.actual) == (Verdict.MET, Verdict.MET, timedelta(0))

    def test_a_new_commit(self, stage: MirrorStage) -> None:
        """A branch that advanced is advanced everywhere; its lag is counted from the last look that did not see it."""
        stage.mirror()
        stage.clock.ahead = timedelta(minutes=90)
        tip = stage.refs("github")[MAIN]
        new = stage.at["github"].commit({"index.html": "4"}, tip, at=stage.clock.now() - timedelta(minutes=5) - NOON)
        run, outcome = stage.mirror()
        told = timeline(run.journal.records)
        assert (outcome.status, stage.refs("gitlab")[MAIN]) == (Status.RECOVERED, new)
        assert told.rpo.actual is not None
        assert timedelta(minutes=5) <= told.rpo.actual < timedelta(minutes=6)

    def test_a_commit_from_the_future(self, stage: MirrorStage) -> None:
        """A date that has not come yet says nothing: what is new then waits since the last look."""
        stage.mirror()
        stage.clock.ahead = timedelta(minutes=90)
        stage.at["github"].commit({"index.html": "4"}, stage.refs("github")[MAIN], at=timedelta(days=3650))
        told = timeline(stage.mirror()[0].journal.records)
        assert told.rpo.verdict is Verdict.MISSED
        assert told.rpo.actual is not None
        assert told.rpo.actual >= timedelta(minutes=90)

    def test_a_mirror_that_was_down(self, stage: MirrorStage) -> None:
        """What it lacked meanwhile counts from the look before: the RPO is missed though all is well in the end."""
        stage.mirror()
        stage.hosts["gitlab"].status = 503
        stage.at["github"].commit({"index.html": "4"}, stage.refs("github")[MAIN], at=timedelta(minutes=2))
        assert stage.mirror()[1].status is Status.FAILED
        stage.clock.ahead = timedelta(hours=2)
        stage.hosts["gitlab"].status = 0
        run, outcome = stage.mirror()
        told = timeline(run.journal.records)
        assert (outcome.status, told.rpo.verdict, seen(run)["gitlab"].behind) == (
            Status.RECOVERED,
            Verdict.MISSED,
            timedelta(0),
        )
        assert told.rpo.actual is not None
        assert told.rpo.actual >= timedelta(hours=2)
        assert seen(run)["gitlab"].worst is None
        assert seen(stage.mirror()[0])["codeberg"].worst is not None


def test_everybody_is_gone(stage: MirrorStage) -> None:
    """The newest commit that was ever mirrored can be built with no remote alive, each time that one came."""
    for number in range(3):
        stage.mirror()
        new = stage.at["github"].commit({"index.html": f"after {number}"}, stage.refs("github")[MAIN])
    stage.mirror()
    for host in stage.hosts.values():
        host.status = 503
    sources = open_sources(load_site(stage.site_path), stage.desk.home.path, stage.tokens.__getitem__)
    assert sources is not None
    told = sources.ask([new], within=Deadline.after(stage.clock, timedelta(seconds=60)))
    choice = choose(told.offers, told.bundle, told.deployed)
    assert (choice.source, choice.commit, choice.warnings) == (BUNDLE, new, ())


def test_one_repository_whose_store_is_broken(stage: MirrorStage) -> None:
    """One repository that cannot be worked on is red, and keeps no other from its mirrors."""
    other = {"name": "other", "remotes": stage.remotes()}
    stage.write(others=[other])
    stage.mirror()
    store = stage.desk.home.mirrors("lab", lab=True) / "pulse.git"
    shutil.rmtree(store)
    store.write_text("no folder", encoding="utf-8")
    run, outcome = stage.mirror()
    told = {(each.repository, each.place): each for each in run.journal.of(copyentries.MirrorSeen)}
    assert outcome.status in {Status.FAILED, Status.REFUSED}
    assert told["pulse", "gitlab"].behind is None
    assert (told["other", "gitlab"].equal, told["other", "gitlab"].behind) == (3, timedelta(0))


def test_what_was_behind_cannot_be_read(stage: MirrorStage) -> None:
    """A damaged note of one repository is told and left as it is; every repository is mirrored all the same."""
    stage.mirror()
    known = stage.desk.home.mirrors("lab", lab=True) / "pulse.json"
    known.write_text("{torn", encoding="utf-8")
    new = stage.at["github"].commit({"index.html": "4"}, stage.refs("github")[MAIN], at=timedelta(minutes=2))
    for _ in range(2):
        _, outcome = stage.mirror()
        assert (outcome.status, str(known) in outcome.reason) == (Status.FAILED, True)
        assert (stage.refs("gitlab")[MAIN], known.read_text(encoding="utf-8")) == (new, "{torn")
    known.unlink()
    assert stage.mirror()[1].status is Status.RECOVERED


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"source": "gitea"}, "no remote is named 'gitea'"),
        ({"most_lost": 2}, "less than or equal to 1"),
        ({"others": [{"name": "pulse", "remotes": [{"name": "a", "url": "https://a.test/x.git"}]}]}, "stands twice"),
        (
            {
                "bundle": "x.bundle",
                "others": [{"name": "o", "bundle": "x.bundle", "remotes": [{"name": "a", "url": "https://a.test/o"}]}],
            },
            "another repository has this bundle",
        ),
        (
            {"remotes": [{"name": "a", "url": "https://a.test/x.git"}, {"name": "b", "url": "https://A.test/x/"}]},
            "it is where 'a' is: a mirror must be another repository",
        ),
        ({"remotes": [{"name": "a", "url": "ssh://git.test/x.git"}]}, "a private key is needed"),
        ({"remotes": [{"name": "a", "url": "ssh://git@git.test/x.git"}]}, "a URL without user"),
    ],
    ids=["unknown-source", "share", "twice", "one-bundle", "one-place", "no-key", "user-in-url"],
)
def test_a_site_file_with_a_mistake(stage: MirrorStage, more: dict[str, object], words: str) -> None:
    """E14: refused at load, in the words of what is wrong."""
    stage.write(**more)
    with pytest.raises(InputError, match=words):
        stage.mirror()
