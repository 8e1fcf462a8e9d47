"""Names in a build's output: what becomes a key is a key that S3 gives back as it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from defib.building.names import LONGEST_KEY, PREFIX, fault_of, is_git, is_hidden, shown


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("index.html", ""),
        ("assets/Währung 100 %+.svg", ""),
        ("a//b", "has an empty segment, or one of dots"),
        ("/a", "has an empty segment, or one of dots"),
        ("a/", "has an empty segment, or one of dots"),
        ("a/../b", "has an empty segment, or one of dots"),
        ("./a", "has an empty segment, or one of dots"),
        ("a\\b", "has a backslash"),
        ("a\nb", "has a control character"),
        ("a\x7f", "has a control character"),
        ("a\x85", "has a control character"),
        ("a\ufffe", "has a character that cannot stand in the XML of a listing"),
        ("a\udcff", "is not UTF-8"),
        ("x" * (LONGEST_KEY - PREFIX), ""),
        ("ä" * (LONGEST_KEY - PREFIX), "is longer than 950 bytes"),
    ],
)
def test_keys(path: str, fault: str) -> None:
    """A name that a key cannot carry is refused, and only such a one."""
    assert fault == fault_of(path)


@pytest.mark.parametrize(
    ("path", "hidden"),
    [
        (".env", True),
        ("a/.env", True),
        (".cache/a", True),
        (".well-known/assetlinks.json", False),
        (".well-known/.a", False),
        ("a/.well-known/b", True),
        (".well-known2/a", True),
        ("a.b/c..d", False),
    ],
)
def test_hidden(path: str, hidden: bool) -> None:
    """R14: what begins with a dot is passed over, but for what is asked for at ``/.well-known/``."""
    assert hidden is is_hidden(path)


@pytest.mark.parametrize(("name", "git"), [(".git", True), (".GIT", True), (".gitignore", False), ("git", False)])
def test_git(name: str, git: bool) -> None:
    """R14: a repository is one in any case of its letters."""
    assert git is is_git(name)


@given(st.binary(min_size=1, max_size=12))
def test_shown(name: bytes) -> None:
    """Whatever a file is called, what a person reads is one printable line, and can be written as UTF-8."""
    text = shown(name.decode("utf-8", "surrogateescape"))
    assert text.isprintable()
    assert text.encode()
