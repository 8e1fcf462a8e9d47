"""The sources of a Flutter project: what the sample holds, and what ``pubspec.yaml`` says of any."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, cast

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

Tree = Mapping[str, bytes]
"""Files by their path from the root of the project, with ``/`` between folders."""

PUBSPEC = "pubspec.yaml"


class BuildFailed(Exception):
    """The sources cannot be built; the text is what the toolchain prints."""


@dataclass(frozen=True)
class Pubspec:
    """What the toolchain needs of ``pubspec.yaml``: `hosted` are packages that come from a registry."""

    name: str
    version: str
    assets: tuple[str, ...]
    hosted: tuple[str, ...]

    @property
    def number(self) -> str:
        """The build number behind the ``+`` of the version; "1" where there is none, as Flutter has it."""
        return self.version.partition("+")[2] or "1"


@cache
def sample() -> Tree:
    """The sources of Pulse Trading, as they are at the head of the lab's history."""
    return dict(_files(resources.files("defib.lab.flutter") / "sample", ""))


def _files(folder: Traversable, path: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for each in sorted(folder.iterdir(), key=lambda entry: entry.name):
        found += _files(each, f"{path}{each.name}/") if each.is_dir() else [(path + each.name, each.read_bytes())]
    return found


def release(tree: Tree, version: str) -> Tree:
    """The sources with another version in their ``pubspec.yaml``."""
    lines = tree[PUBSPEC].decode().splitlines(keepends=True)
    told = [f"version: {version}\n" if line.startswith("version:") else line for line in lines]
    return {**tree, PUBSPEC: "".join(told).encode()}


def read_pubspec(tree: Tree) -> Pubspec:
    """Read ``pubspec.yaml``; :class:`BuildFailed` where there is none, or it is not of a Flutter project."""
    if PUBSPEC not in tree:
        raise BuildFailed(
            "Error: No pubspec.yaml file found.\nThis command should be run from the root of your Flutter project."
        )
    try:
        held = YAML(typ="safe", pure=True).load(tree[PUBSPEC].decode())
    except (YAMLError, UnicodeDecodeError) as error:
        raise BuildFailed(f"Error detected in pubspec.yaml:\n{error}") from error
    dependencies = _part(held, "dependencies")
    if _part(dependencies, "flutter").get("sdk") != "flutter":
        raise BuildFailed('Error: Expected "dependencies: flutter: sdk: flutter" in pubspec.yaml.')
    return Pubspec(
        name=str(_part(held).get("name", "")),
        version=str(_part(held).get("version", "1.0.0+1")),
        assets=tuple(str(each) for each in _part(held, "flutter").get("assets") or ()),
        hosted=tuple(name for name, source in dependencies.items() if not isinstance(source, dict)),
    )


def _part(held: Any, *names: str) -> dict[str, Any]:
    for name in names:
        held = held.get(name) if isinstance(held, dict) else None
    return cast("dict[str, Any]", held) if isinstance(held, dict) else {}
