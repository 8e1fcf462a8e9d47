"""Telling Flutter from any other build: the sources need its SDK, and its compiler left its program."""

from __future__ import annotations

from pathlib import Path

import pytest

from defib.building.built import Kind
from defib.building.kind import kind_of
from tests.building.workshop import PUBSPEC


def kind(tree: Path, pubspec: str, *files: str, at: str = "pubspec.yaml") -> Kind:
    """The kind of a tree with this pubspec and these files in its output."""
    output = tree / "app" / "build" / "web"
    output.mkdir(parents=True)
    (tree / at).write_text(pubspec, encoding="utf-8")
    for name in files:
        (output / name).write_text("x")
    return kind_of(tree, "app/build/web")


@pytest.mark.parametrize("file", ["flutter_bootstrap.js", "main.dart.js"])
@pytest.mark.parametrize("at", ["pubspec.yaml", "app/pubspec.yaml"])
def test_flutter(tmp_path: Path, file: str, at: str) -> None:
    """An application of Flutter, in the tree's root or in a folder of a larger repository."""
    assert kind(tmp_path, PUBSPEC, file, at=at) is Kind.FLUTTER


def test_sources_alone(tmp_path: Path) -> None:
    """A repository with a pubspec whose output is something else, such as its documentation, is a static site."""
    assert kind(tmp_path, PUBSPEC, "index.html") is Kind.STATIC


@pytest.mark.parametrize(
    "pubspec",
    ["", "[]", "dependencies:\n", "dependencies:\n  flutter: ^3.0.0\n", "dependencies: {flutter: {sdk: dart}}", "{", "\x00"],
)
def test_without_its_sdk(tmp_path: Path, pubspec: str) -> None:
    """A pubspec that does not need the SDK, or is none, makes no Flutter application."""
    assert kind(tmp_path, pubspec, "main.dart.js") is Kind.STATIC


def test_pubspec_outside(tmp_path: Path) -> None:
    """What is above the work tree is not looked at."""
    (tmp_path / "pubspec.yaml").write_text(PUBSPEC, encoding="utf-8")
    assert kind(tmp_path / "tree", "", "main.dart.js") is Kind.STATIC
