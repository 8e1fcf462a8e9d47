"""The objects that a history needs are found, all of them, and what only looks like a pointer is not."""

from __future__ import annotations

import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from defib.clock import Deadline, SystemClock
from defib.errors import BudgetSpent, HomeUnwritable, InputError, NotFound, StepFailed
from defib.providers.git.command import GitCommand
from defib.providers.git.lfs_pointers import Pointer, distinct, pointers, read_pointer
from tests.providers.git.repository import Repository, git

OID = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393"
VERSION = "version https://git-lfs.github.com/spec/v1\n"
GOOD = f"{VERSION}oid sha256:{OID}\nsize 12345\n"

POINTERS = {
    "plain": GOOD,
    "pre-release": GOOD.replace("git-lfs.github", "hawser.github"),
    "alpha": GOOD.replace("https://git-lfs.github.com/spec/v1", "http://git-media.io/v/2"),
    "extension": GOOD.replace("oid", f"ext-0-foo sha256:{OID}\next-1-bar sha256:{OID}\noid", 1),
    "no last line end": GOOD.rstrip(),
    "line ends of Windows": GOOD.replace("\n", "\r\n"),
    "blank lines": "\n" + GOOD.replace("\noid", "\n\noid") + "\n",
}
LOOK_ALIKES = {
    "another version": GOOD.replace("spec/v1", "spec/v2"),
    "version in capitals": GOOD.replace("https://git-lfs", "HTTPS://git-lfs"),
    "oid in capitals": GOOD.replace(OID, OID.upper()),
    "short oid": GOOD.replace(OID, OID[:-1]),
    "long oid": GOOD.replace(OID, OID + "0"),
    "sha512": GOOD.replace("sha256", "sha512"),
    "negative size": GOOD.replace("12345", "-1"),
    "size in words": GOOD.replace("12345", "many"),
    "no size": f"{VERSION}oid sha256:{OID}\n",
    "order": f"{VERSION}size 12345\noid sha256:{OID}\n",
    "one line more": f"{GOOD}zzz 1\n",
    "text before": f"An example:\n{GOOD}",
    "text after": f"{GOOD}\nis what a pointer looks like.\n",
    "two in one": GOOD + GOOD,
    "version alone": VERSION,
    "too long": GOOD + "\n" * 1024,
    "nothing": "",
}


def within(seconds: float = 60) -> Deadline:
    """A deadline."""
    return Deadline.after(SystemClock(), timedelta(seconds=seconds))


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """An empty one."""
    return Repository.make(tmp_path / "pulse.git")


def found(repository: Repository, wanted: list[str], known: list[str] | None = None) -> tuple[Pointer, ...]:
    """The pointers."""
    return pointers(GitCommand(repository.folder), wanted, known or [], within())


def text(number: int, size: int = 7) -> str:
    """One of many pointers."""
    return f"{VERSION}oid sha256:{number:064x}\nsize {size}\n"


@pytest.mark.parametrize("case", POINTERS)
def test_pointer(case: str) -> None:
    """Each way of writing one that git-lfs reads."""
    assert Pointer(OID, 12345, "a.bin") == read_pointer(POINTERS[case].encode(), "a.bin")


@pytest.mark.parametrize("case", LOOK_ALIKES)
def test_look_alike(case: str) -> None:
    """What git-lfs leaves as it is needs no object."""
    assert read_pointer(LOOK_ALIKES[case].encode()) is None


@pytest.mark.skipif(not shutil.which("git-lfs"), reason="git-lfs is not installed")
@pytest.mark.parametrize(
    "case", [case for case in POINTERS | LOOK_ALIKES if case not in {"too long", "nothing", "two in one"}]
)
def test_git_lfs_says_the_same(case: str, tmp_path: Path) -> None:
    """The real program takes the same texts for pointers."""
    (tmp_path / "file").write_bytes((POINTERS | LOOK_ALIKES)[case].encode())
    checked = subprocess.run(
        ["git-lfs", "pointer", "--check", f"--file={tmp_path / 'file'}"], cwd=tmp_path, capture_output=True, check=False
    )
    assert (case in POINTERS) == (checked.returncode == 0)


def test_in_a_history(repository: Repository) -> None:
    """Every pointer that any commit has, also one that was removed later; nothing of large files and look-alikes."""
    first = repository.commit({"old.bin": text(1), "README.md": LOOK_ALIKES["text after"], "large": "x" * 5000})
    second = repository.commit({"a/b/new.bin": text(2), "copy.bin": text(2), "page.html": "<p>"}, first)
    side = repository.commit({"side ways.bin": text(3)}, first, branch="side")
    git(repository.folder, "tag", "-a", "-m", "a tag", "v1", side)
    tag = git(repository.folder, "rev-parse", "v1")
    assert {Pointer(f"{1:064x}", 7, "old.bin"), Pointer(f"{2:064x}", 7, "a/b/new.bin")} == set(found(repository, [second]))
    assert {f"{number:064x}" for number in (1, 2, 3)} == {each.oid for each in found(repository, [second, tag])}
    assert (Pointer(f"{2:064x}", 7, "a/b/new.bin"),) == found(repository, [second], [first])
    assert (Pointer(f"{3:064x}", 7, "side ways.bin"),) == found(repository, [tag], [second])
    assert () == found(repository, [first, second], [second])
    assert () == found(repository, [])


def test_known_to_the_other_side_alone(repository: Repository) -> None:
    """A remote may name commits that nobody here has: they take nothing away."""
    commit = repository.commit({"a.bin": text(1)})
    assert 1 == len(found(repository, [commit], ["1" * 40]))


def test_wanted_and_not_held(repository: Repository) -> None:
    """Objects of a commit that is not here cannot be told: that is said, and not an empty list given."""
    commit = repository.commit({"a.bin": text(1)})
    with pytest.raises(NotFound, match="1111111"):
        found(repository, [commit, "1" * 40])


@pytest.mark.parametrize("bad", ["--all", "main", "", "1" * 39, "1" * 40 + "\n--all"])
def test_only_ids(repository: Repository, bad: str) -> None:
    """What is no id never reaches git."""
    with pytest.raises(InputError):
        found(repository, [bad])
    with pytest.raises(InputError):
        found(repository, [], [bad])


def test_a_damaged_history(repository: Repository) -> None:
    """Where a tree is lost that is said, and no part is taken for the whole."""
    commit = repository.commit({"a/a.bin": text(1)})
    tree = git(repository.folder, "rev-parse", f"{commit}:a")
    (repository.folder / "objects" / tree[:2] / tree[2:]).unlink()
    with pytest.raises(StepFailed, match="cannot read the history"):
        found(repository, [commit])


def test_names_in_no_encoding(repository: Repository) -> None:
    """A path that is no UTF-8 is shown as well as it can be."""
    blob = git(repository.folder, "hash-object", "-w", "--stdin", given=text(1).encode())
    tree = git(repository.folder, "mktree", "-z", given=f"100644 blob {blob}\t".encode() + b"caf\xe9 1.bin\0")
    (only,) = found(repository, [repository.commit_tree(tree)])
    assert "caf\\xe9 1.bin" == only.path


def test_hundreds_of_refs(repository: Repository) -> None:
    """Many ends and many known commits, as a mirror has them; each object once."""
    tree = repository.tree({f"{number}.bin": text(number) for number in range(40)})
    lines = "".join(
        f"commit refs/heads/b{number}\ncommitter x <x> {number} +0000\ndata 1\nx\n"
        f'M 040000 {tree} ""\nM 100644 inline own.bin\ndata <<E\n{text(1000 + number)}E\n\n'
        for number in range(600)
    )
    git(repository.folder, "fast-import", "--quiet", given=lines.encode())
    tips = git(repository.folder, "for-each-ref", "--format=%(objectname)").split()
    assert 640 == len(found(repository, tips))
    new = {each.oid for each in found(repository, tips[:300], tips[300:])}
    assert 300 == len(new)
    assert new < {f"{number:064x}" for number in range(1000, 1600)}


def test_in_time(repository: Repository) -> None:
    """A spent deadline ends it, with nothing left in the repository's folder."""
    commit = repository.commit({"a.bin": text(1)})
    before = sorted(path.name for path in repository.folder.iterdir())
    with pytest.raises(BudgetSpent):
        pointers(GitCommand(repository.folder), [commit], [], within(0))
    assert before == sorted(path.name for path in repository.folder.iterdir())


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    """Where no list can be kept that is said."""
    with pytest.raises(HomeUnwritable, match="list of the objects"):
        pointers(GitCommand(tmp_path / "gone.git"), ["1" * 40], [], within())


def test_distinct() -> None:
    """Each object once, under the first of its paths; two sizes under one id are two, for one of them is wrong."""
    first, again, other = Pointer(OID, 1, "a"), Pointer(OID, 1, "b"), Pointer(OID, 2, "c")
    assert (first, other) == distinct([first, again, other])
