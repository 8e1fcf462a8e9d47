"""What hosts do to a mirror: hidden refs, protected branches, limits, tokens that end, repositories that move, and death."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from defib.clock import Deadline
from defib.objectives import Status
from defib.providers.open import open_mirrors
from defib.sites.site import load_site
from tests.flows.mirror_stage import MirrorStage, mirror_stage, notes, seen
from tests.providers.git.git_stage import everything_in
from tests.providers.git.repository import git

MAIN = "refs/heads/main"
UPDATE = "#!/bin/sh\n[ \"$1\" = refs/heads/{branch} ] && {{ echo 'GL-HOOK-ERR: protected branch'; exit 1; }}\nexit 0\n"
LARGE = """#!/bin/sh
while read old new ref; do
  if git ls-tree -r "$new" | grep -q big.bin; then
    echo "error: File big.bin is 120.00 MB; this exceeds the file size limit of 100.00 MB"; exit 1
  fi
done
exit 0
"""


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[MirrorStage]:
    """A source with three branches; its mirror has nothing yet."""
    with mirror_stage(tmp_path, "github", "gitlab") as made:
        first = made.at["github"].commit({"index.html": "1"})
        for branch in ("one", "two"):
            made.at["github"].commit({"index.html": branch}, first, branch=branch)
        yield made


def hook(stage: MirrorStage, host: str, name: str, text: str) -> None:
    """A program that the host runs when it is pushed to."""
    path = stage.at[host].folder / "hooks" / name
    path.write_text(text, encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_refs_of_the_host_are_left_alone(stage: MirrorStage) -> None:
    """G4: pull and merge requests are the host's own; they are not pushed, and branches are equal."""
    source = stage.at["github"].folder
    tip = stage.refs("github")[MAIN]
    for ref in ("refs/pull/1/head", "refs/merge-requests/2/head", "refs/github-services/x"):
        git(source, "update-ref", ref, tip)
    git(stage.at["gitlab"].folder, "config", "receive.hideRefs", "refs/pull")
    _, outcome = stage.mirror()
    assert (outcome.status, outcome.reason) == (Status.RECOVERED, "")
    assert stage.refs("gitlab") == stage.heads("github")


def test_a_name_with_a_wide_space(stage: MirrorStage) -> None:
    """White space that only Unicode calls so is part of a name: such a branch is mirrored, not lost sight of."""
    stage.at["github"].commit({"index.html": "wide"}, branch="a\u3000b")
    _, outcome = stage.mirror()
    assert (outcome.status, stage.heads("gitlab")) == (Status.RECOVERED, stage.heads("github"))
    assert any("\u3000" in ref for ref in stage.heads("gitlab"))


def test_notes_go_where_they_are_wanted(stage: MirrorStage) -> None:
    """Notes are mirrored where the site file says so."""
    git(stage.at["github"].folder, "notes", "add", "-m", "reviewed", MAIN)
    stage.mirror()
    assert "refs/notes/commits" not in stage.refs("gitlab")
    stage.write(notes=True)
    assert stage.mirror()[1].status is Status.RECOVERED
    assert stage.refs("gitlab")["refs/notes/commits"] == stage.refs("github")["refs/notes/commits"]


def test_one_protected_branch(stage: MirrorStage) -> None:
    """G5: the ref that the mirror rejects is named with its words, all others go, and the run is red."""
    hook(stage, "gitlab", "update", UPDATE.format(branch="one"))
    run, outcome = stage.mirror()
    assert outcome.status is Status.FAILED
    assert "refs/heads/one was rejected: hook declined" in outcome.reason
    assert set(stage.refs("gitlab")) == {MAIN, "refs/heads/two"}
    assert (seen(run)["gitlab"].equal, seen(run)["gitlab"].refs) == (2, 3)


def test_a_file_that_is_too_large(stage: MirrorStage) -> None:
    """G12: the host declines a whole push for the sake of one file; the branch with it is named, the others go."""
    stage.at["github"].commit({"big.bin": "x"}, branch="large")
    hook(stage, "gitlab", "pre-receive", LARGE)
    _, outcome = stage.mirror()
    assert (outcome.status, "refs/heads/large was rejected" in outcome.reason) == (Status.FAILED, True)
    assert set(stage.refs("gitlab")) == {MAIN, "refs/heads/one", "refs/heads/two"}


def test_a_host_that_is_stricter_than_we_are(stage: MirrorStage) -> None:
    """It refuses a whole push for the sake of one flaw of an old tool, in words of its own; all other refs go."""
    source = stage.at["github"].folder
    tree, who = git(source, "rev-parse", "main^{tree}").strip(), "somebody <a@b.test> 1700000000 +051800"
    flawed = f"tree {tree}\nauthor {who}\ncommitter {who}\n\nof an old tool\n".encode()
    commit = git(source, "hash-object", "-t", "commit", "-w", "--stdin", "--literally", given=flawed).strip()
    git(source, "update-ref", "refs/heads/old", commit)
    git(stage.at["gitlab"].folder, "config", "receive.fsckObjects", "true")
    _, outcome = stage.mirror()
    assert (outcome.status, "refs/heads/old was rejected" in outcome.reason) == (Status.FAILED, True)
    assert "badTimezone" in outcome.reason
    assert set(stage.refs("gitlab")) == {MAIN, "refs/heads/one", "refs/heads/two"}


@pytest.mark.parametrize("host", ["github", "gitlab"])
def test_a_token_that_has_expired(stage: MirrorStage, host: str) -> None:
    """G6: red with the word denied, at the source as at the mirror; never skipped."""
    stage.mirror()
    stage.hosts[host].token = "another-one-that-is-valid"
    run, outcome = stage.mirror()
    assert outcome.status in {Status.FAILED, Status.REFUSED}
    assert "denied: the token is missing, expired" in notes(run)
    assert seen(run)["gitlab"].behind is None


def test_who_does_not_let_us_in_is_told_from_who_says_so(stage: MirrorStage) -> None:
    """A log-in that fails is a denial; a gateway that fails and speaks of one is not, so its repository may be lost."""
    mirrors = open_mirrors(load_site(stage.site_path), stage.desk.home, stage.tokens.__getitem__)
    assert mirrors is not None
    soon = Deadline.after(stage.clock, timedelta(seconds=20))
    stage.hosts["github"].status, stage.hosts["github"].says = 503, "denied by the gateway"
    stage.hosts["gitlab"].token = "another-one-that-is-valid"
    told = mirrors.repositories[0].ask(within=soon)
    assert "denied by the gateway" in told["github"].problem
    assert (told["github"].denied, told["gitlab"].denied) == (False, True)


def test_a_repository_that_was_renamed(stage: MirrorStage) -> None:
    """G7: a redirect is told, and not followed with our token."""
    stage.mirror()
    stage.hosts["github"].status, stage.hosts["github"].location = 301, stage.hosts["gitlab"].at("pulse.git")
    run, outcome = stage.mirror()
    assert (outcome.status, "it has moved: write its new URL into the site file" in notes(run)) == (Status.REFUSED, True)


def test_a_shallow_source(stage: MirrorStage) -> None:
    """G13: a shallow clone is no source: refused, and nothing of it goes on."""
    source = stage.at["github"].folder
    tip = stage.at["github"].commit({"index.html": "2"}, stage.refs("github")[MAIN])
    (source / "shallow").write_text(f"{tip}\n", encoding="utf-8")
    run, outcome = stage.mirror()
    assert (outcome.status, "cannot be taken in: damaged" in notes(run)) == (Status.REFUSED, True)
    assert stage.refs("gitlab") == {}


def test_killed_while_it_fetched(stage: MirrorStage) -> None:
    """G14: what a fetch that was killed left behind keeps nobody from anything, and the store is whole."""
    stage.mirror()
    store = stage.desk.home.mirrors("lab", lab=True) / "pulse.git"
    stage.at["github"].commit({"index.html": "2"}, stage.refs("github")[MAIN])
    for left in ("refs/incoming/heads/main.lock", "packed-refs.lock", "objects/pack/tmp_pack_x", "shallow.lock"):
        (store / left).parent.mkdir(parents=True, exist_ok=True)
        (store / left).write_bytes(b"half")
    _, outcome = stage.mirror()
    assert (outcome.status, stage.heads("gitlab")) == (Status.RECOVERED, stage.heads("github"))
    git(store, "fsck", "--full", "--strict")
    assert not list(store.rglob("*.lock"))[1:]


def test_many_refs_are_one_push(stage: MirrorStage) -> None:
    """G15: 2,000 refs go in one push, not in one each."""
    tip = stage.refs("github")[MAIN]
    lines = "".join(f"create refs/heads/many/{number} {tip}\n" for number in range(2000))
    git(stage.at["github"].folder, "update-ref", "--stdin", given=lines.encode())
    stage.hosts["gitlab"].logins.clear()
    run, outcome = stage.mirror()
    assert (outcome.status, seen(run)["gitlab"].equal) == (Status.RECOVERED, 2003)
    assert len(stage.hosts["gitlab"].logins) < 10


def test_a_large_push_goes_in_steps(stage: MirrorStage) -> None:
    """G11: where a host limits what one push may bring, the history goes in steps that fit."""
    source, parent = stage.at["github"], stage.refs("github")[MAIN]
    for number in range(6):
        parent = source.commit({f"{number}.bin": os.urandom(40_000).hex()}, parent)
    git(stage.at["gitlab"].folder, "config", "receive.maxInputSize", "200000")
    assert stage.mirror()[1].status is Status.FAILED
    stage.write(push_limit=150_000)
    _, outcome = stage.mirror()
    assert (outcome.status, outcome.reason, stage.refs("gitlab")[MAIN]) == (Status.RECOVERED, "", parent)


def test_a_submodule_that_nobody_mirrors(stage: MirrorStage) -> None:
    """G17: what the site needs from a repository outside of the mirrors is told, in each run, for as long as it needs it."""
    modules = '[submodule "lib"]\n\tpath = lib\n\turl = https://github.com/your-org/private-lib.git\n'
    stage.at["github"].commit({".gitmodules": modules, "index.html": "2"}, stage.refs("github")[MAIN])
    for _ in range(2):
        run, outcome = stage.mirror()
        assert outcome.status is Status.RECOVERED
        assert "the submodule https://github.com/your-org/private-lib.git, which is not mirrored" in notes(run)
    stage.at["github"].commit({"index.html": "3"}, stage.refs("github")[MAIN])
    assert "is not mirrored" not in notes(stage.mirror()[0])


def test_tokens_stand_nowhere(stage: MirrorStage) -> None:
    """G18: neither in the journal, nor in the store's configuration, nor among the processes."""
    tokens = [host.token for host in stage.hosts.values()]
    stage.mirror()
    stage.hosts["github"].status, stage.hosts["github"].says = 500, f"no entry with {tokens[0]}"
    stage.mirror()
    kept = everything_in(stage.desk.home.path)
    assert not [token for token in tokens if token.encode() in kept]


def test_a_hostile_source_runs_nothing(stage: MirrorStage) -> None:
    """Hooks, attributes and configuration that a repository brings are data."""
    files = {".gitattributes": "* filter=evil diff=evil", "hooks/post-checkout": "#!/bin/sh\ntouch /tmp/evil", "x": "1"}
    stage.at["github"].commit(files, stage.refs("github")[MAIN])
    store = stage.desk.home.mirrors("lab", lab=True) / "pulse.git"
    assert stage.mirror()[1].status is Status.RECOVERED
    assert not (store / "hooks").exists()
