"""GitHub and GitLab of the lab are real Git over HTTP, and break as the real ones do."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from defib.errors import InputError
from defib.lab.content import STALE_BY, older_build
from defib.lab.faults import Fault
from defib.lab.flutter.__main__ import read_tree
from defib.lab.flutter.compiler import compile_site
from defib.lab.history import write_history
from defib.lab.toolchain import write_toolchain
from defib.lab.world import BUILT_BEFORE_START
from tests.lab.lab_stage import Stage, running_world

USERS = {"github": "x-access-token", "gitlab": "oauth2"}


@pytest.fixture(scope="module")
def world() -> Iterator[Stage]:
    """One world for the module."""
    with running_world() as running:
        yield running


@pytest.fixture
def stage(world: Stage) -> Iterator[Stage]:
    """The world, healed after each test."""
    yield world
    world.heal()


@pytest.fixture(params=["github", "gitlab"])
def vendor(request: pytest.FixtureRequest) -> str:
    """Each vendor."""
    return str(request.param)


def url(stage: Stage, vendor: str, token: str | None = None) -> str:
    """The repository, with user and token in the URL."""
    given = getattr(stage.keys.git, vendor) if token is None else token
    return stage.world.git[vendor].url.replace("://", f"://{USERS[vendor]}:{given}@")


def git(*command: str, cwd: Path | None = None, within: float = 120) -> subprocess.CompletedProcess[str]:
    """Git as a client that asks nobody and has no configuration of its own."""
    own = {"PATH": os.environ["PATH"], "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_GLOBAL": os.devnull, "LC_ALL": "C"}
    who = {f"GIT_{role}_{part}": "x@example.org" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    return subprocess.run(
        ["git", *command], cwd=cwd, env=own | who, capture_output=True, text=True, check=False, timeout=within
    )


def refs(stage: Stage, vendor: str) -> dict[str, str]:
    """What a client sees there."""
    listed = git("ls-remote", "--heads", "--tags", url(stage, vendor))
    assert (listed.returncode, listed.stderr) == (0, "")
    return {name: commit for commit, name in (line.split() for line in listed.stdout.splitlines())}


def test_both_have_the_history_that_is_live(stage: Stage, vendor: str, tmp_path: Path) -> None:
    """A clone has every commit; the newest is the live build's id and time, and building it gives what is served."""
    cloned = git("clone", "--quiet", url(stage, vendor), str(tmp_path / "tree"))
    assert (cloned.returncode, cloned.stderr) == (0, "")
    log = git("log", "--format=%H %ct", cwd=tmp_path / "tree").stdout.split()
    commits = stage.world.history.commits
    assert log == [part for each in commits for part in (each.id, str(int(each.committed.timestamp())))]
    build = stage.world.build
    assert (build.id, build.built) == (commits[0].id, commits[0].committed)
    assert compile_site(read_tree(tmp_path / "tree"), build.id, build.built) == build


def test_the_history_is_as_old_as_the_build(stage: Stage) -> None:
    """The head is a quarter of an hour old at the start; the same date gives the same ids."""
    committed = stage.world.history.head.committed
    assert timedelta(0) <= stage.world.clock.now() - BUILT_BEFORE_START - committed < timedelta(minutes=5)


def test_the_same_date_gives_the_same_history(stage: Stage, tmp_path: Path) -> None:
    """Nothing but the date decides about the ids, so that a finding can be repeated."""
    again = write_history(tmp_path / "again.git", stage.world.history.head.committed)
    assert (again.commits, again.unrelated) == (stage.world.history.commits, stage.world.history.unrelated)


def test_older_builds_are_of_older_commits(stage: Stage) -> None:
    """What a stale server and the hosts' older deployments have is a commit of the history, with its sources' version."""
    stale = older_build(stage.world.build, Fault("stale-build"))
    (commit,) = [each for each in stage.world.history.commits if each.id == stale.id]
    assert stage.world.build.built - commit.committed == STALE_BY
    assert stale == commit.build()
    for api in (stage.world.hosting.vercel, stage.world.hosting.netlify):
        ids = [deployed.build.id for deployed in api.project.deployments]
        assert ids == [each.id for each in stage.world.history.commits if each.id in ids]


def test_a_push_arrives_and_shows_in_the_fingerprint(stage: Stage, vendor: str, tmp_path: Path) -> None:
    """A mirror can be written to; what was pushed is state, and taking it away leaves no trace."""
    before = stage.world.fingerprint()
    git("clone", "--quiet", url(stage, vendor), str(tmp_path / "tree"))
    pushed = git("push", "--quiet", "origin", "HEAD:refs/heads/fix", cwd=tmp_path / "tree")
    assert (pushed.returncode, pushed.stderr) == (0, "")
    assert refs(stage, vendor)["refs/heads/fix"] == stage.world.build.id
    assert stage.world.fingerprint() != before
    git("push", "--quiet", "origin", ":refs/heads/fix", cwd=tmp_path / "tree")
    assert stage.world.fingerprint() == before


@pytest.mark.parametrize("wrong", ["", "nonsense"])
def test_who_has_no_token_is_refused(stage: Stage, vendor: str, wrong: str) -> None:
    """Without the token there is nothing, not even the list of branches; and none of the other vendor's counts."""
    for token in (wrong, getattr(stage.keys.git, "gitlab" if vendor == "github" else "github")):
        told = git("ls-remote", url(stage, vendor, token))
        assert told.returncode == 128
        assert "Authentication failed" in told.stderr or "could not read" in told.stderr
    assert httpx.get(f"{stage.world.git[vendor].url}/info/refs?service=git-upload-pack").status_code == 401


def test_another_repository_is_not_found(stage: Stage, vendor: str) -> None:
    """A wrong name, and a way out of the folder."""
    base = url(stage, vendor).removesuffix("pulse-trading.git")
    for name in ("other.git", "pulse-trading.git/../../history.git"):
        told = git("ls-remote", base + name)
        assert (told.returncode, "not found" in told.stderr) == (128, True)


def test_a_host_that_is_down_refuses(stage: Stage, vendor: str) -> None:
    """R1: one is unreachable, the other has the same commit."""
    stage.break_(vendor, "refuse")
    assert "Failed to connect" in git("ls-remote", url(stage, vendor)).stderr
    other = "gitlab" if vendor == "github" else "github"
    assert refs(stage, other)["refs/heads/main"] == stage.world.build.id


def test_a_hanging_host_never_answers(stage: Stage, vendor: str) -> None:
    """It accepts, and that is all."""
    stage.break_(vendor, "hang")
    with pytest.raises(subprocess.TimeoutExpired):
        git("ls-remote", url(stage, vendor), within=0.5)


def test_a_slow_host_answers_late(stage: Stage, vendor: str) -> None:
    """As late as it was told, each time."""
    stage.break_(vendor, "slow", delay=0.4)
    with pytest.raises(subprocess.TimeoutExpired):
        git("ls-remote", url(stage, vendor), within=0.3)
    assert refs(stage, vendor)["refs/heads/main"] == stage.world.build.id


def test_a_failing_host_says_so(stage: Stage, vendor: str) -> None:
    """With the status that was asked for, as often as was asked for."""
    stage.break_(vendor, "5xx", status=502, times=1)
    assert "502" in git("ls-remote", url(stage, vendor)).stderr
    assert refs(stage, vendor)["refs/heads/main"] == stage.world.build.id


def test_an_expired_token_is_refused(stage: Stage, vendor: str) -> None:
    """The right token counts for nothing."""
    stage.break_(vendor, "expired-token")
    told = git("ls-remote", url(stage, vendor))
    assert (told.returncode, "Authentication failed" in told.stderr) == (128, True)


def test_an_emptied_repository_has_no_refs(stage: Stage, vendor: str) -> None:
    """It is there and has nothing, until it is healed."""
    before = stage.world.fingerprint(), refs(stage, vendor)
    stage.break_(vendor, "emptied")
    assert refs(stage, vendor) == {}
    stage.heal()
    assert (stage.world.fingerprint(), refs(stage, vendor)) == before


def test_a_force_pushed_branch_is_unrelated(stage: Stage, vendor: str, tmp_path: Path) -> None:
    """R3: main leads to a README without ancestors, and back to the old commit when healed."""
    stage.break_(vendor, "force-pushed")
    git("clone", "--quiet", url(stage, vendor), str(tmp_path / "tree"))
    assert sorted(path.name for path in (tmp_path / "tree").iterdir()) == [".git", "README.md"]
    head, *ancestors = git("rev-list", "HEAD", cwd=tmp_path / "tree").stdout.split()
    assert (head, ancestors) == (stage.world.history.unrelated, [])
    stage.heal()
    assert refs(stage, vendor)["refs/heads/main"] == stage.world.build.id


@pytest.mark.parametrize(("options", "place"), [({}, 1), ({"commits": 2}, 2), ({"commits": 99}, -1)])
def test_a_host_that_is_behind_has_an_older_commit(stage: Stage, vendor: str, options: dict[str, float], place: int) -> None:
    """R2: one commit, ninety minutes, unless told otherwise; tags of what is missing are missing, too."""
    stage.break_(vendor, "behind", **options)
    commits = stage.world.history.commits
    seen = refs(stage, vendor)
    assert seen["refs/heads/main"] == commits[place].id
    assert "refs/tags/v1.5.0" not in seen
    assert commits[0].committed - commits[1].committed == timedelta(minutes=90)


def test_one_fault_takes_the_place_of_another(stage: Stage, vendor: str) -> None:
    """The refs that were there before the first are those that come back after the last."""
    before = refs(stage, vendor)
    stage.break_(vendor, "emptied")
    stage.break_(vendor, "behind")
    assert refs(stage, vendor)["refs/heads/main"] == stage.world.history.commits[1].id
    stage.break_(vendor, "refuse")
    stage.heal()
    assert refs(stage, vendor) == before


def build(stage: Stage, tree: Path) -> subprocess.CompletedProcess[str]:
    """Build a work tree with the lab's toolchain, in an environment without anything of ours."""
    script = write_toolchain(tree.parent / "bin", stage.world.registry.url)
    env = {"PATH": os.environ["PATH"], "DEFIB_COMMIT": stage.world.build.id, "DEFIB_COMMITTED": "2026-11-22T20:00:00Z"}
    command = [str(script), "build", "web", "--release"]
    return subprocess.run(command, cwd=tree, env=env, capture_output=True, text=True, check=False, timeout=240)


@pytest.mark.parametrize(("fault", "told"), [("refuse", "socket error"), ("500", "version solving failed")])
def test_a_build_needs_the_registry(stage: Stage, tmp_path: Path, fault: str, told: str) -> None:
    """R18: the registry of packages down, the build fails and says whose fault it is; healed, it builds."""
    git("clone", "--quiet", url(stage, "github"), str(tmp_path / "tree"))
    stage.break_("pub", fault)
    failed = build(stage, tmp_path / "tree")
    assert (failed.returncode, told in failed.stderr, "intl" in failed.stderr) == (1, True, True)
    assert not (tmp_path / "tree" / "build").exists()
    stage.heal()
    assert (build(stage, tmp_path / "tree").returncode, (tmp_path / "tree/build/web/index.html").is_file()) == (0, True)


def test_a_package_that_nobody_has_does_not_resolve(stage: Stage, tmp_path: Path) -> None:
    """R4: a dependency that the registry does not know is named."""
    git("clone", "--quiet", url(stage, "gitlab"), str(tmp_path / "tree"))
    pubspec = tmp_path / "tree" / "pubspec.yaml"
    pubspec.write_text(pubspec.read_text().replace("intl: ^0.19.0", "left_pad: ^1.0.0"))
    failed = build(stage, tmp_path / "tree")
    assert (failed.returncode, "left_pad, which could not be found" in failed.stderr) == (1, True)


def test_states_take_no_count(stage: Stage, vendor: str) -> None:
    """What would be ignored is refused."""
    with pytest.raises(InputError, match="no option of emptied"):
        stage.break_(vendor, "emptied", times=3)
