"""What made a build's output, told from the sources and from what came out."""

from __future__ import annotations

from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from defib.building.built import Kind

_LEFT_BY_FLUTTER = ("flutter_bootstrap.js", "main.dart.js")
"""The first since Flutter 3.22, the second by every build that is not for WebAssembly alone."""


def kind_of(tree: Path, output: str) -> Kind:
    """Flutter, where a ``pubspec.yaml`` above the output needs its SDK and the output has what its compiler leaves."""
    folder = tree / output
    if not any((folder / name).is_file() for name in _LEFT_BY_FLUTTER):
        return Kind.STATIC
    above = [each for each in (folder, *folder.parents) if each.is_relative_to(tree)]
    return Kind.FLUTTER if any(_needs_flutter(each / "pubspec.yaml") for each in above) else Kind.STATIC


def _needs_flutter(pubspec: Path) -> bool:
    """Whether it says so (https://dart.dev/tools/pub/dependencies#sdk); one that cannot be read does not."""
    try:
        document = YAML(typ="safe", pure=True).load(pubspec.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, YAMLError, RecursionError):
        return False
    dependencies = document.get("dependencies") if isinstance(document, dict) else None
    flutter = dependencies.get("flutter") if isinstance(dependencies, dict) else None
    return isinstance(flutter, dict) and flutter.get("sdk") == "flutter"
