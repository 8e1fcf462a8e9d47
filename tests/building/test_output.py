"""Checking a build's output: what must not be served is refused by name, what is left out is told, all else is listed."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from defib.building.built import BuiltFile, Output, Skipped
from defib.building.output import check_output
from defib.clock import Deadline, SystemClock
from defib.errors import BudgetSpent, Interrupted, Refused
from defib.observe.page import LONGEST_PAGE
from tests.building.workshop import COMMIT, COMMITTED, INDEX, PAGE

OTHER = "0a" * 20
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 120000\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A good output with an index and an asset."""
    folder = tmp_path / "out"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text(INDEX)
    (folder / "assets" / "logo.svg").write_text("<svg/>")
    return folder


def check(tree: Path, seconds: float = 30) -> Output:
    """The output of that folder."""
    return check_output(tree, PAGE, COMMIT, Deadline.after(SystemClock(), timedelta(seconds=seconds)))


def refusal(tree: Path) -> str:
    """What is told of an output that is refused."""
    with pytest.raises(Refused, match="must not be served") as caught:
        check(tree)
    assert caught.value.where == str(tree)
    return caught.value.seen


def paths(output: Output) -> list[str]:
    """The files that would be served."""
    return [file.path for file in output.files]


def test_good(tree: Path) -> None:
    """Every file is listed with size and SHA-256, in the order of paths, and the build is read from the page."""
    output = check(tree)
    logo = BuiltFile("assets/logo.svg", 6, hashlib.sha256(b"<svg/>").hexdigest())
    index = BuiltFile("index.html", len(INDEX), hashlib.sha256(INDEX.encode()).hexdigest())
    assert (logo, index) == output.files
    assert (COMMIT, COMMITTED) == (output.build.id, output.build.built)
    assert ((), ()) == (output.skipped, output.notes)


def test_no_folder(tmp_path: Path) -> None:
    """R4: a build that left nothing is refused."""
    with pytest.raises(Refused, match="left no output"):
        check(tmp_path / "none")


def test_no_index(tree: Path) -> None:
    """R4: without index.html nothing is served, whatever else there is."""
    (tree / "index.html").rename(tree / "Index.html")
    assert refusal(tree) == "there is no index.html"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "index.html is empty"),
        ("<title>Parked</title>", "index.html is not the page: expected text missing"),
        ("<title>Pulse Trading</title>", "index.html is not the page: build marker missing"),
        (INDEX.replace("00Z", "00"), "index.html is not the page: build marker has no time zone: '2026-01-01T10:00:00'"),
        (INDEX.replace(COMMIT, OTHER), f"index.html says that it was built from {OTHER}, not from {COMMIT}"),
        (INDEX + " " * LONGEST_PAGE, "index.html is longer than 16 MiB, which is as far as a page is read"),
    ],
)
def test_index_that_is_not_the_page(tree: Path, text: str, why: str) -> None:
    """R4: an index that observers would call bad, or that another commit made, is refused before it is uploaded."""
    (tree / "index.html").write_text(text)
    assert why == refusal(tree)


def test_marker_that_is_no_commit(tree: Path) -> None:
    """A marker that is a version cannot be compared with the commit, and that is told."""
    page = PAGE.model_copy(update={"build": r'content="(?P<id>\S+) (?P<built>[^"]+)"'})
    (tree / "index.html").write_text(INDEX.replace(COMMIT, "1.4.2"))
    output = check_output(tree, page, COMMIT, Deadline.after(SystemClock(), timedelta(seconds=9)))
    assert output.build.id == "1.4.2"
    note = f"the build marker is '1.4.2', which is no commit: that it was built from {COMMIT} cannot be read from it"
    assert (note,) == output.notes


@pytest.mark.parametrize("first", [POINTER, POINTER.replace("git-lfs.github", "hawser.github")])
def test_lfs_pointer(tree: Path, first: str) -> None:
    """R5: the text that stands for an image, and not the image, is refused by name."""
    (tree / "assets" / "chart.png").write_text(first.format("ab" * 32))
    assert refusal(tree) == "assets/chart.png is a Git LFS pointer, not the file that it stands for"


def test_text_about_lfs(tree: Path) -> None:
    """R5: a page that speaks of pointers is none."""
    (tree / "about.txt").write_text("A pointer begins with " + POINTER)
    (tree / "long.txt").write_text(POINTER + "x" * 1024)
    assert paths(check(tree)) == ["about.txt", "assets/logo.svg", "index.html", "long.txt"]


@pytest.mark.parametrize("where", [".git/HEAD", "assets/.GIT/HEAD", ".git", ".cache/deep/.git/HEAD"])
def test_repository(tree: Path, where: str) -> None:
    """R14: a repository in the output is refused, in any case, at any depth, and also where it is a file or hidden."""
    (tree / where).parent.mkdir(parents=True, exist_ok=True)
    (tree / where).write_text("gitdir: /srv/secret")
    path = where.removesuffix("/HEAD")
    assert f"{path} is a Git repository, with all that was ever in it" == refusal(tree)


def test_hidden(tree: Path) -> None:
    """R14: hidden files and folders are passed over and told, also through a link; ``.well-known`` is served."""
    for name in (".env", ".cache/a/b", "assets/.DS_Store", ".well-known/assetlinks.json"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text("x")
    (tree / "env.txt").symlink_to(".env")
    output = check(tree)
    rule = "hidden: its name begins with a dot"
    assert output.skipped == (
        Skipped(".cache/", rule),
        Skipped(".env", rule),
        Skipped("assets/.DS_Store", rule),
        Skipped("env.txt", "hidden: a link to .env"),
    )
    assert paths(output) == [".well-known/assetlinks.json", "assets/logo.svg", "index.html"]


def test_links_inside(tree: Path) -> None:
    """R14: links that stay inside are followed, to files and to folders."""
    (tree / "en").symlink_to("assets")
    (tree / "icon.svg").symlink_to(tree / "en" / "logo.svg")
    output = check(tree)
    assert paths(output) == ["assets/logo.svg", "en/logo.svg", "icon.svg", "index.html"]
    assert len({file.sha256 for file in output.files}) == 2


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("/etc/passwd", "is a link that leaves the output, to /etc/passwd"),
        ("../secret", "is a link that leaves the output, to {}/secret"),
        ("..", "is a link that leaves the output, to {}"),
        ("../out2/index.html", "is a link that leaves the output, to {}/out2/index.html"),
        ("nowhere", "is a link that leads nowhere"),
        ("index.html/x", "is a link that leads nowhere"),
        ("link", "is a link that loops: it leads to itself"),
        (".", "is a link that loops: it leads to a folder that it is in"),
    ],
)
def test_links_that_are_refused(tree: Path, target: str, why: str) -> None:
    """R14: a link that leaves the output, loops or leads nowhere is refused by name and with its target."""
    (tree.parent / "secret").write_text("x")
    (tree.parent / "out2").mkdir()
    (tree.parent / "out2" / "index.html").write_text("x")
    (tree / "link").symlink_to(target)
    assert f"link {why.format(tree.parent.resolve())}" == refusal(tree)


def test_loop_of_two(tree: Path) -> None:
    """R14: folders that lead into each other end the walk, each named where it closes the loop."""
    for here, there in (("a", "b"), ("b", "a")):
        (tree / here).mkdir()
        (tree / here / "to").symlink_to(tree / there)
    loops = "is a link that loops: it leads to a folder that it is in"
    assert refusal(tree) == f"a/to/to {loops}; b/to/to {loops}"


def test_links_that_multiply(tree: Path) -> None:
    """R14: twenty folders that become a million by links, none of them a loop, are refused and not served."""
    for level in range(20):
        (tree / f"{level}").mkdir()
        for name in ("a", "b"):
            (tree / f"{level}" / name).symlink_to(tree / f"{level + 1}")
    (tree / "20").mkdir()
    with pytest.raises(Refused, match="in more than 100 ways"):
        check(tree)


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(path.parent)  # the names of sockets are short
        try:
            server.bind(path.name)
        finally:
            os.chdir(here)


@pytest.mark.parametrize(("make", "kind"), [(_fifo, "a pipe"), (_socket, "a socket")])
def test_special_files(tree: Path, make: Callable[[Path], None], kind: str) -> None:
    """R14: what is no file is refused without being opened, also through a link."""
    make(tree / "special")
    (tree / "zlink").symlink_to("special")
    assert refusal(tree) == f"special is {kind}; zlink is {kind}"


def test_device(tree: Path) -> None:
    """R14: nor is a device served, which only a privileged build can leave."""
    if os.geteuid() != 0:
        pytest.skip("only root makes devices")
    os.mknod(tree / "null", 0o20600, os.makedev(1, 3))
    assert refusal(tree) == "null is a device"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        (b"a\xff", r"a\udcff is not UTF-8"),
        (b"a\nb", r"a\nb has a control character"),
        (b"a\\b", r"a\b has a backslash"),
    ],
)
def test_names(tree: Path, name: bytes, why: str) -> None:
    """A name that no key can carry is refused, and shown so that a terminal survives it."""
    (Path(os.fsdecode(os.fsencode(tree) + b"/" + name))).write_text("x")
    assert why == refusal(tree)


def test_all_is_told_at_once(tree: Path) -> None:
    """Five problems are named and the others counted: one look, not one build for each."""
    for number in range(7):
        (tree / f"{number}").symlink_to("nowhere")
    seen = refusal(tree)
    assert seen.count("leads nowhere") == 5
    assert seen.endswith("; and 2 more")


def test_file_that_cannot_be_read(tree: Path) -> None:
    """What cannot be read cannot be uploaded."""
    if os.geteuid() == 0:
        pytest.skip("root reads all")
    (tree / "closed").write_text("x")
    (tree / "closed").chmod(0)
    assert "closed cannot be read" in refusal(tree)


def test_interruption(tree: Path) -> None:
    """E3: whoever stops the run does not wait for gigabytes to be read."""
    clock = SystemClock()
    clock.interrupt()
    with pytest.raises(Interrupted):
        check_output(tree, PAGE, COMMIT, Deadline.after(clock, timedelta(minutes=1)))


def test_time(tree: Path) -> None:
    """A check ends with its time, however much there is to read."""
    with pytest.raises(BudgetSpent):
        check(tree, 0)
