"""``python -m defib.lab.flutter build web --release``: build the project in the working folder to ``build/web``.

The commit and its date come from ``DEFIB_COMMIT`` and ``DEFIB_COMMITTED``, which fill the placeholders of the page. Where
``PUB_HOSTED_URL`` names a registry of packages, it must have those that the project needs.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from datetime import timedelta
from pathlib import Path

from defib.clock import SystemClock
from defib.lab.flutter.compiler import ENTRY, compile_files
from defib.lab.flutter.project import BuildFailed, read_pubspec
from defib.lab.flutter.pub import get_packages

OUTPUT = Path("build") / "web"
DEFINED = ("DEFIB_COMMIT", "DEFIB_COMMITTED")
_SOURCES = ("lib", "web", "assets")
_TICK = timedelta(seconds=1)


def main() -> None:
    """Exit 0 when the site is there, 1 when the sources do not build, 2 for a wrong command."""
    given = _arguments()
    tree = read_tree(Path())
    try:
        if registry := os.environ.get("PUB_HOSTED_URL"):
            sys.stdout.write("Resolving dependencies...\n")
            get_packages(registry, read_pubspec(tree).hosted)
        sys.stdout.write(f"Compiling {ENTRY} for the Web...\n")
        _wait(timedelta(seconds=given.slow))
        files = compile_files(tree, {name: os.environ.get(name, "") for name in DEFINED})
    except BuildFailed as error:
        sys.stderr.write(f"{error}\nError: Failed to compile application for the Web.\n")
        raise SystemExit(1) from error
    write(files, OUTPUT)
    sys.stdout.write(f"Compiled {len(files)} files.\nBuilt {OUTPUT}\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="flutter")
    parser.add_argument("command", choices=["build"])
    parser.add_argument("platform", choices=["web"])
    parser.add_argument("--release", action="store_true", required=True, help="the only mode there is")
    parser.add_argument(
        "--slow", type=float, default=0, metavar="SECONDS", help="take so much longer, and say so each second"
    )
    return parser.parse_args()


def _wait(left: timedelta) -> None:
    clock = SystemClock()
    while left > timedelta(0):
        sys.stdout.write(f"Still compiling, {left.total_seconds():.0f} s to go...\n")
        sys.stdout.flush()
        clock.sleep(min(left, _TICK))
        left -= _TICK


def read_tree(root: Path) -> dict[str, bytes]:
    """The sources of the project in `root`."""
    found = {file.name: file.read_bytes() for file in root.glob("pubspec.yaml")}
    for folder in _SOURCES:
        for file in sorted((root / folder).rglob("*")):
            if file.is_file():
                found[file.relative_to(root).as_posix()] = file.read_bytes()
    return found


def write(files: dict[str, bytes], output: Path) -> None:
    """Put the site in place of what an earlier build left."""
    shutil.rmtree(output, ignore_errors=True)
    for path, body in files.items():
        file = output / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)


if __name__ == "__main__":
    main()
