"""Repositories that mean harm: fetched, they are refused or harmless; written out, they run nothing and stay in place."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from defib.errors import NotFound, StepFailed
from defib.providers.git.command import GitCommand
from defib.redeploy.offer import Trouble
from tests.providers.git.git_stage import GitStage, stage
from tests.providers.git.repository import Repository, git

__all__ = ["stage"]

HOOK = "#!/bin/sh\ntouch {marker}\n"
CONFIG = '[core]\n\tfsmonitor = {program}\n\thooksPath = {hooks}\n[filter "evil"]\n\tsmudge = {program}\n\trequired = true\n'


def _dot_git(repository: Repository) -> str:
    return repository.tree({".git/config": "[core]\n\tfsmonitor = touch /tmp/x\n", "index.html": "1"})


def _dot_git_in_capitals(repository: Repository) -> str:
    return repository.tree({"assets/.GIT/config": "[core]\n"})


def _dot_git_of_windows(repository: Repository) -> str:
    return repository.tree({"git~1/config": "[core]\n"})


def _dot_git_of_macos(repository: Repository) -> str:
    return repository.tree({".g\u200cit/config": "[core]\n"})


def _link_named_dot_git(repository: Repository) -> str:
    return repository.tree({".git": "/etc"}, mode="120000")


def _modules_by_link(repository: Repository) -> str:
    return repository.tree({".gitmodules": "/etc/passwd"}, mode="120000")


def _option_as_submodule(repository: Repository) -> str:
    return repository.tree({".gitmodules": '[submodule "x"]\n\tpath = x\n\turl = --upload-pack=touch\n'})


def _up(repository: Repository) -> str:
    return repository.tree({"../outside": "1"})


def _twice(repository: Repository) -> str:
    """The same name as a link to a folder outside, and as a folder with a file in it."""
    link = git(repository.folder, "hash-object", "-w", "--stdin", given=b"../outside")
    inside = repository.tree({"file": "1"})
    raw = b"120000 a\0" + bytes.fromhex(link) + b"40000 a\0" + bytes.fromhex(inside)
    return git(repository.folder, "hash-object", "-w", "--literally", "-t", "tree", "--stdin", given=raw)


EVIL: list[Callable[[Repository], str]] = [
    _dot_git,
    _dot_git_in_capitals,
    _dot_git_of_windows,
    _dot_git_of_macos,
    _link_named_dot_git,
    _modules_by_link,
    _option_as_submodule,
    _up,
    _twice,
]


@pytest.mark.parametrize("evil", EVIL)
def test_evil_trees_are_not_fetched(stage: GitStage, evil: Callable[[Repository], str]) -> None:
    """A tree that would write where it must not takes away its remote; the other one is the source."""
    honest = stage.on_gitlab.commit({"index.html": "1"})
    stage.on_github.take(stage.on_gitlab, honest)
    stage.on_github.commit_tree(evil(stage.on_github), honest)
    choice = stage.choose(honest)
    assert (choice.source, choice.commit, choice.refused[0].name) == ("gitlab", honest, "github")
    assert stage.trouble("github")[0] is Trouble.DAMAGED


HARMLESS = [_option_as_submodule, _twice]
"""Refused when fetched, and nothing but files and folders when written out."""


@pytest.mark.parametrize("evil", [evil for evil in EVIL if evil not in HARMLESS])
def test_evil_trees_are_not_written_out(stage: GitStage, evil: Callable[[Repository], str]) -> None:
    """Not every git looks through a bundle: what came in by it is refused, at the latest when it is written out."""
    commit = bundled(stage, evil)
    before = sorted(stage.folder.glob("*"))
    with pytest.raises((StepFailed, NotFound)):
        stage.export(commit)
    assert sorted(stage.folder.glob("*")) == before


@pytest.mark.parametrize("evil", HARMLESS)
def test_odd_trees_stay_in_their_folder(stage: GitStage, evil: Callable[[Repository], str]) -> None:
    """What git does write out of a bundle stays in the folder, and is no link through which something was written."""
    commit = bundled(stage, evil)
    before = {path.name for path in stage.folder.iterdir()}
    with suppress(NotFound):  # a git that looks through bundles does not take it
        stage.export(commit)
    assert {path.name for path in stage.folder.iterdir()} - before <= {"tree"}
    assert not [path for path in (stage.folder / "tree").rglob("*") if path.is_symlink() or path.name == ".git"]


def bundled(stage: GitStage, evil: Callable[[Repository], str]) -> str:
    """A commit that is nowhere but in the bundle, which was asked."""
    commit = stage.on_github.commit_tree(evil(stage.on_github))
    stage.bundle = stage.on_github.bundle(stage.folder / "pulse.bundle")
    stage.github.status = stage.gitlab.status = 503
    bundle = stage.ask().bundle
    assert bundle is not None
    assert bundle.trouble in {None, Trouble.DAMAGED}
    return commit


def test_submodule_by_command(stage: GitStage) -> None:
    """A submodule whose URL is a command is an empty folder here, and the command does not run."""
    marker = stage.folder / "ran"
    blob = git(
        stage.on_github.folder,
        "hash-object",
        "-w",
        "--stdin",
        given=f'[submodule "x"]\n\tpath = x\n\turl = ext::touch {marker}\n'.encode(),
    )
    inner = stage.on_gitlab.commit({"a": "1"})
    listing = f"100644 blob {blob}\t.gitmodules\n160000 commit {inner}\tx\n"
    tree = git(stage.on_github.folder, "mktree", "--missing", given=listing.encode())
    commit = stage.on_github.commit_tree(tree)
    assert stage.offer().trouble is None
    folder = stage.export(commit)
    assert [".gitmodules", "x"] == sorted(path.name for path in folder.rglob("*"))
    assert not marker.exists()


def test_our_own_surroundings(stage: GitStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the operator's configuration nor variables for git of whoever started us decide what runs here."""
    marker, home = stage.folder / "ran", stage.folder / "operator"
    hooks = home / "templates" / "hooks"
    hooks.mkdir(parents=True)
    for name in ("post-checkout", "reference-transaction", "post-index-change", "fsmonitor-watchman"):
        (hooks / name).write_text(HOOK.format(marker=marker))
        (hooks / name).chmod(0o755)
    (home / ".gitconfig").write_text(CONFIG.format(program=hooks / "post-checkout", hooks=hooks))
    (home / ".netrc").write_text("machine 127.0.0.1 login git password stolen-from-netrc\n")
    for name, value in {
        "HOME": str(home),
        "GIT_TEMPLATE_DIR": str(home / "templates"),
        "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"),
        "GIT_DIR": str(home),
        "GIT_WORK_TREE": str(home),
        "GIT_TRACE_CURL": str(home / "trace"),
        "GIT_ASKPASS": str(hooks / "post-checkout"),
        "GIT_ALLOW_PROTOCOL": "ext:file:http",
        "GIT_CONFIG_PARAMETERS": f"'core.fsmonitor'='{hooks / 'post-checkout'}'",
    }.items():
        monkeypatch.setenv(name, value)
    stage.remotes[1] = stage.remotes[1].model_copy(update={"token": None})
    commit = stage.on_github.commit({".gitattributes": "* filter=evil\n", "index.html": "1"})
    stage.on_gitlab.take(stage.on_github, commit)
    github, gitlab = stage.ask().offers
    assert (github.trouble, gitlab.trouble) == (None, Trouble.DENIED)
    assert (stage.export(commit) / "index.html").read_text() == "1"
    assert not marker.exists()
    assert not (home / "trace").exists()
    assert [""] == sorted(set(stage.gitlab.logins))


def test_hooks_of_the_local_copy(stage: GitStage) -> None:
    """A hook that somebody put into the local copy does not run."""
    commit = stage.on_github.commit({"index.html": "1"})
    stage.ask()
    hooks = stage.store / "hooks"
    hooks.mkdir(exist_ok=True)
    marker = stage.folder / "ran"
    for name in ("post-checkout", "reference-transaction", "post-index-change"):
        (hooks / name).write_text(HOOK.format(marker=marker))
        (hooks / name).chmod(0o755)
    stage.on_github.commit({"index.html": "2"}, commit)
    stage.ask()
    stage.export(commit)
    assert not marker.exists()


@pytest.mark.parametrize("url", ["ext::sh -c touch% x", "file:///etc", "git://127.0.0.1/x", "ssh://127.0.0.1/x"])
def test_other_protocols(stage: GitStage, url: str) -> None:
    """Even where such a URL came past the site file's check, git speaks no protocol but the one it was allowed."""
    finished = GitCommand(stage.on_github.folder).run("ls-remote", url, within=stage.within(), protocol="https")
    assert (finished.status, "not allowed" in finished.output) == (128, True)


def test_links_are_written_as_they_are(stage: GitStage) -> None:
    """A link that leads outside is a link in the tree, never followed; whether it may be deployed is judged later."""
    commit = stage.on_github.commit_tree(stage.on_github.tree({"out": "/etc/passwd", "up": "../.."}, mode="120000"))
    assert stage.offer().trouble is None
    folder = stage.export(commit)
    assert {"out": Path("/etc/passwd"), "up": Path("../..")} == {path.name: path.readlink() for path in folder.iterdir()}
