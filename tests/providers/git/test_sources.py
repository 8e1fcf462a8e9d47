"""Remotes asked over real Git and HTTP: who answers what, who is in which trouble, and how long that takes."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from defib.errors import BudgetSpent, InputError, Interrupted
from defib.redeploy.offer import BUNDLE, Offer, Offers, Tip, Trouble
from defib.redeploy.source import choose
from tests.providers.git.git_stage import GitStage, everything_in, stage
from tests.providers.git.repository import NOON, git

__all__ = ["stage"]

HOUR = timedelta(hours=1)


def history(stage: GitStage, commits: int = 3) -> list[str]:
    """A line of commits on GitHub, an hour apart; the oldest first."""
    made: list[str] = []
    for number in range(commits):
        made.append(stage.on_github.commit({"index.html": f"build {number}"}, *made[-1:], at=number * HOUR))
    return made


def processes() -> list[str]:
    """The command lines of all git processes."""
    found: list[str] = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        found.append(line)
    return [line for line in found if "git" in line]


def test_everybody_answers(stage: GitStage) -> None:
    """Each remote's tip, its committer date, and which of the commits in question it holds."""
    first, second, third = history(stage)
    stage.on_gitlab.take(stage.on_github, second)
    answers = stage.ask(first)
    assert answers.offers == (
        Offer("github", Tip(third, NOON + 2 * HOUR, frozenset({first, second, third}))),
        Offer("gitlab", Tip(second, NOON + HOUR, frozenset({first, second}))),
    )
    assert answers.deployed is not None
    assert (answers.deployed.tip, answers.deployed.held) == (Tip(first, NOON, frozenset({first})), True)


def test_r1_github_refuses_connections(stage: GitStage) -> None:
    """R1: GitHub is down from the start, the same commit is fetched from GitLab, and the tree is that commit's."""
    *_, last = history(stage)
    stage.on_gitlab.take(stage.on_github, last)
    stage.remotes[0] = stage.remotes[0].model_copy(update={"url": "http://127.0.0.1:1/pulse.git"})
    choice = stage.choose(last)
    assert (choice.source, choice.commit, choice.behind) == ("gitlab", last, timedelta(0))
    assert "github: unreachable" in str(choice.refused[0])
    assert (stage.export(last) / "index.html").read_text() == "build 2"


def test_r2_mirror_is_behind(stage: GitStage) -> None:
    """R2: GitHub was seen with 90 minutes more before it died; GitLab's commit is taken, and the loss told."""
    first = stage.on_github.commit({"index.html": "1"})
    second = stage.on_github.commit({"index.html": "2"}, first, at=1.5 * HOUR)
    stage.on_gitlab.take(stage.on_github, first)
    stage.ask()
    stage.github.status = 503
    for deployed in (first, second):
        choice = stage.choose(deployed)
        assert (choice.source, choice.commit, choice.behind) == ("gitlab", first, 1.5 * HOUR)


def test_r2_on_a_machine_that_never_asked_before(stage: GitStage) -> None:
    """R2: nobody holds what users had any more; an earlier release proves the line, and the date they had it the loss."""
    first, second, lost = history(stage)
    stage.on_gitlab.take(stage.on_github, second)
    stage.github.status = 503
    answers = stage.ask(lost, first, users_had=NOON + 2 * HOUR)
    choice = choose(answers.offers, answers.bundle, answers.deployed)
    assert (choice.source, choice.commit, choice.behind) == ("gitlab", second, HOUR)


def test_r3_forced_push(stage: GitStage) -> None:
    """R3: GitHub's branch was force-pushed to a README dated next year: refused by name, GitLab's commit is taken."""
    *_, last = history(stage)
    stage.on_gitlab.take(stage.on_github, last)
    stage.ask()
    stage.on_github.commit({"README.md": "moved"}, at=10_000 * HOUR)
    choice = stage.choose(last)
    assert (choice.source, choice.commit) == ("gitlab", last)
    assert [("github", True)] == [(each.name, "force-pushed" in each.why) for each in choice.refused]


def test_short_ids_are_placed(stage: GitStage) -> None:
    """A build that names its commit by twelve characters is as good as one that names it in full."""
    first, _, last = history(stage)
    assert stage.choose(first[:12]).commit == last


def test_builds_that_name_no_commit(stage: GitStage) -> None:
    """The id of a build that can be no commit says nothing of the line; one deployed before it does."""
    first, _, last = history(stage)
    assert stage.ask("2026.3-beta").deployed is None
    answers = stage.ask("2026.3-beta", first)
    assert answers.deployed is not None
    assert answers.deployed.tip.commit == first
    assert choose(answers.offers, None, answers.deployed).commit == last


def test_emptied(stage: GitStage) -> None:
    """A remote without a branch and one without this branch are told apart, and what they held last is remembered."""
    *_, last = history(stage)
    stage.on_gitlab.take(stage.on_github, last)
    stage.ask()
    git(stage.on_github.folder, "update-ref", "-d", "refs/heads/main")
    git(stage.on_gitlab.folder, "branch", "-m", "main", "trunk")
    github, gitlab = stage.ask(last).offers
    assert (github.trouble, github.stands) == (Trouble.EMPTY, None)
    assert (gitlab.trouble, gitlab.stands) == (Trouble.NO_BRANCH, None)
    assert github.tip is not None
    assert github.tip.commit == last


def test_branch_with_the_end_of_another_name(stage: GitStage) -> None:
    """A branch whose name only ends like ours is not ours."""
    stage.on_github.commit({"index.html": "no"}, branch="feature/refs/heads/main")
    assert stage.trouble()[0] is Trouble.NO_BRANCH


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (401, Trouble.DENIED),
        (403, Trouble.DENIED),
        (404, Trouble.NO_REPOSITORY),
        (410, Trouble.NO_REPOSITORY),
        (429, Trouble.UNREACHABLE),
        (500, Trouble.UNREACHABLE),
        (503, Trouble.UNREACHABLE),
    ],
)
def test_what_the_host_answers(stage: GitStage, status: int, expected: Trouble) -> None:
    """Statuses that people act on differently are told apart."""
    history(stage)
    stage.github.status = status
    assert stage.trouble()[0] is expected


def test_tokens(stage: GitStage) -> None:
    """An expired token and one that cannot be had take away their remote alone; the right one opens it."""
    *_, last = history(stage)
    stage.tokens["env:GITHUB"] = "ghp_expiredexpiredexpired"
    assert stage.trouble()[0] is Trouble.DENIED
    del stage.tokens["env:GITHUB"]
    trouble, problem = stage.trouble()
    assert (trouble, "env:GITHUB" in problem) == (Trouble.DENIED, True)
    stage.tokens["env:GITHUB"] = stage.github.token
    offer = stage.offer()
    assert offer.stands is not None
    assert offer.stands.commit == last


def test_no_such_repository(stage: GitStage) -> None:
    """A repository that is not there is not an empty one."""
    stage.remotes[0] = stage.remotes[0].model_copy(update={"url": stage.github.at("other.git")})
    assert stage.trouble()[0] is Trouble.NO_REPOSITORY


def test_moved(stage: GitStage) -> None:
    """A redirect is not followed: the token would be sent on to wherever it leads."""
    history(stage)
    stage.github.status, stage.github.location = 301, stage.gitlab.at("pulse.git/info/refs?service=git-upload-pack")
    trouble, problem = stage.trouble()
    assert (trouble, "write its new URL" in problem) == (Trouble.NO_REPOSITORY, True)
    assert not any(stage.gitlab.allows(login) is False and login for login in stage.gitlab.logins)


@pytest.mark.parametrize("hang_at", [b"/info/refs", b"command=ls-refs", b"command=fetch"])
def test_hang(stage: GitStage, hang_at: bytes) -> None:
    """A remote that accepts and says nothing costs its own deadline, not the others', and leaves no process."""
    *_, last = history(stage)
    stage.on_gitlab.take(stage.on_github, last)
    stage.github.hang_at = hang_at
    stage.answer_within = stage.fetch_within = timedelta(seconds=2)
    began = stage.clock.monotonic()
    choice = stage.choose(last)
    assert (choice.source, choice.refused[0].name) == ("gitlab", "github")
    assert stage.clock.monotonic() - began < timedelta(seconds=40)
    assert not [line for line in processes() if stage.github.url in line]


def test_deadline_of_all(stage: GitStage) -> None:
    """Of the time of the whole a part is kept, so that a remote that hangs does not spoil what another one brought."""
    *_, last = history(stage)
    stage.on_gitlab.take(stage.on_github, last)
    stage.github.hang_at = b""
    github, gitlab = stage.sources().ask((), within=stage.within(16)).offers
    assert (github.trouble, gitlab.trouble) == (Trouble.UNREACHABLE, None)
    with pytest.raises(BudgetSpent):
        stage.sources().ask((), within=stage.within(0))
    assert not [line for line in processes() if stage.github.url in line]


def test_interruption(stage: GitStage) -> None:
    """A signal ends the asking at once, and leaves no process."""
    history(stage)
    stage.github.hang_at = b""
    threading.Timer(0.5, stage.clock.interrupt).start()
    with pytest.raises(Interrupted):
        stage.ask()
    assert not [line for line in processes() if stage.github.url in line]


def test_connection_breaks_off(stage: GitStage) -> None:
    """Half a pack is no commit; the next asking brings the whole, over what the first one left behind."""
    *_, last = history(stage)
    stage.github.cut_at = b"command=fetch"
    offer = stage.offer()
    assert (offer.trouble, offer.tip) == (Trouble.UNREACHABLE, None)
    stage.github.cut_at = None
    (stage.store / "objects" / "pack" / "tmp_pack_left").write_bytes(b"half")
    offer = stage.offer()
    assert (offer.trouble, offer.tip and offer.tip.commit) == (None, last)
    assert not list(stage.store.glob("objects/pack/tmp_*"))


def test_nothing_new_is_not_fetched_again(stage: GitStage) -> None:
    """A remote that holds what it held is asked for its refs alone."""
    history(stage)
    stage.ask()
    stage.github.hang_at = b"command=fetch"
    assert stage.offer().trouble is None


def test_shallow_remote(stage: GitStage) -> None:
    """A remote that lacks its own history can prove nothing, is told as damaged, and cuts nobody else's history."""
    first, _, last = history(stage)
    git(stage.folder, "clone", "--quiet", "--bare", "--depth=1", f"file://{stage.on_github.folder}", "gitlab/shallow.git")
    stage.remotes[1] = stage.remotes[1].model_copy(update={"url": stage.gitlab.at("shallow.git")})
    stage.github.status = 503
    trouble, problem = stage.trouble("gitlab")
    assert (trouble, "shallow" in problem) == (Trouble.DAMAGED, True)
    stage.github.status = 0
    github = stage.ask(first).offers[0]
    assert github.tip is not None
    assert {first, last} == github.tip.contains


def test_bundle(stage: GitStage) -> None:
    """With every remote dead the bundle gives the commit, and its tree."""
    first, _, last = history(stage)
    stage.bundle = stage.on_github.bundle(stage.folder / "mirrors" / "pulse.bundle")
    stage.github.status = stage.gitlab.status = 503
    choice = stage.choose(first)
    assert (choice.source, choice.commit) == (BUNDLE, last)
    assert ["github", "gitlab"] == [each.name for each in choice.refused]
    assert (stage.export(last) / "index.html").read_text() == "build 2"


def test_bundle_is_unpacked_once(stage: GitStage) -> None:
    """A bundle whose commit is held already costs no room, however often it is asked."""
    history(stage)
    stage.bundle = stage.on_github.bundle(stage.folder / "pulse.bundle")
    packs = []
    for status in (0, 503, 503):
        stage.github.status = status
        bundle = stage.ask().bundle
        assert bundle is not None
        assert bundle.stands is not None
        packs.append(len(list(stage.store.glob("objects/pack/*.pack"))))
    assert [1, 1, 1] == packs


def _cut(bundle: Path) -> None:
    bundle.write_bytes(bundle.read_bytes()[:-30])


def _flip(bundle: Path) -> None:
    whole = bytearray(bundle.read_bytes())
    whole[-30] ^= 1
    bundle.write_bytes(whole)


def _overwrite(bundle: Path) -> None:
    bundle.write_bytes(b"not a bundle")


def _remove(bundle: Path) -> None:
    bundle.unlink()


@pytest.mark.parametrize(
    ("harm", "expected"),
    [(_cut, Trouble.DAMAGED), (_flip, Trouble.DAMAGED), (_overwrite, Trouble.DAMAGED), (_remove, Trouble.NO_REPOSITORY)],
)
def test_bundle_that_is_none(stage: GitStage, harm: Callable[[Path], None], expected: Trouble) -> None:
    """A bundle that is cut, changed, no bundle or not there is said to be so, also while a remote makes it needless."""
    history(stage)
    stage.bundle = stage.on_github.bundle(stage.folder / "mirrors" / "pulse.bundle")
    harm(stage.bundle)
    bundle = stage.ask().bundle
    assert bundle is not None
    assert (bundle.trouble, bundle.tip) == (expected, None)


def test_bundle_of_changes_only(stage: GitStage) -> None:
    """A bundle that needs commits which are nowhere is damaged, not a source."""
    first, _, _ = history(stage)
    stage.bundle = stage.folder / "pulse.bundle"
    git(stage.on_github.folder, "bundle", "create", "--quiet", str(stage.bundle), f"{first}..main")
    stage.github.status = 503
    bundle = stage.ask().bundle
    assert bundle is not None
    assert (bundle.trouble, bundle.tip) == (Trouble.DAMAGED, None)


def test_bundle_of_another_branch(stage: GitStage) -> None:
    """A bundle without our branch is said to be so."""
    stage.on_github.commit({"index.html": "1"}, branch="other")
    stage.bundle = stage.on_github.bundle(stage.folder / "pulse.bundle", "other")
    bundle = stage.ask().bundle
    assert bundle is not None
    assert bundle.trouble is Trouble.NO_BRANCH


def test_secrets_stay_secret(stage: GitStage) -> None:
    """The token is in no list of processes, no file and no message, also where the host repeats it to us."""
    *_, last = history(stage)
    stage.on_gitlab.take(stage.on_github, last)
    stage.github.status, stage.github.says = 500, f"your token {stage.github.token} of {stage.gitlab.token}"
    stage.gitlab.hang_at = b"command=fetch"
    stage.fetch_within = timedelta(seconds=3)
    stage.answer_within = timedelta(seconds=3)
    answers: list[Offers] = []
    asking = threading.Thread(target=lambda: answers.append(stage.ask()))
    asking.start()
    deadline = stage.within(10)
    while not (lines := [line for line in processes() if stage.gitlab.url in line]) and not deadline.expired():
        stage.clock.sleep(timedelta(milliseconds=5))
    asking.join()
    header = stage.github.logins[0].removeprefix("Basic ")
    told = f"{lines} {answers}"
    assert lines
    assert ("your token" in told, "[redacted]" in told) == (True, True)
    for secret in (stage.github.token, header):
        assert secret not in told
        assert secret.encode() not in everything_in(stage.folder / "home")


def test_two_ask_at_once(stage: GitStage) -> None:
    """Two runs that keep the same copy do not get into each other's way, from the first fetch on."""
    *_, last = history(stage)
    stage.on_gitlab.take(stage.on_github, last)
    answers: list[Offers] = []
    threads = [threading.Thread(target=lambda: answers.append(stage.ask(last))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [[None, None]] * 3 == [[offer.trouble for offer in each.offers] for each in answers]


@pytest.mark.parametrize("name", ["a..b", "x.lock", "with space", "star*", "-"])
def test_names_that_git_does_not_allow(stage: GitStage, name: str) -> None:
    """A branch that could be read as something else is the site file's mistake."""
    if name == "-":
        assert stage.sources(name).ask((), within=stage.within()).offers[0].trouble is Trouble.EMPTY
        return
    with pytest.raises(InputError):
        stage.sources(name).ask((), within=stage.within())


def test_other_branches_do_not_come_along(stage: GitStage) -> None:
    """Only our branch is brought, and no tag."""
    *_, last = history(stage)
    git(stage.on_github.folder, "tag", "v1", last)
    secret = stage.on_github.commit({"x": "1"}, branch="elsewhere")
    stage.ask()
    refs = git(stage.store, "for-each-ref", "--format=%(refname)")
    assert refs == "refs/remotes/github/main"
    held = subprocess.run(["git", "cat-file", "-e", secret], cwd=stage.store, capture_output=True, check=False)
    assert held.returncode != 0
