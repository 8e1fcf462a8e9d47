"""The stand-in for Flutter's toolchain makes a site of sources, and fails where the real one would."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from defib.lab.flutter.compiler import compile_site
from defib.lab.flutter.project import BuildFailed, release, sample

COMMIT = "c0ffee" + "0" * 34
COMMITTED = datetime(2026, 11, 22, 20, 0, 0, tzinfo=UTC)
ROOT = Path(__file__).parents[2]


def check_out(tree: Mapping[str, bytes], folder: Path) -> Path:
    """A work tree with these files."""
    for path, body in tree.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)
    return folder


def flutter(folder: Path, *more: str, commit: str = COMMIT) -> subprocess.CompletedProcess[str]:
    """Build the work tree in `folder` as a build does."""
    command = [sys.executable, "-m", "defib.lab.flutter", "build", "web", "--release", *more]
    path = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    told = {"DEFIB_COMMIT": commit, "DEFIB_COMMITTED": "2026-11-22T20:00:00Z"} if commit else {}
    around = {**path, **told}
    return subprocess.run(command, cwd=folder, env=around, capture_output=True, text=True, check=False, timeout=240)


def changed(path: str, old: str, new: str) -> dict[str, bytes]:
    """The sample with one passage changed."""
    text = sample()[path].decode()
    assert old in text
    return {**sample(), path: text.replace(old, new).encode()}


def test_the_site_is_laid_out_as_flutters() -> None:
    """Page with its build marker, bootstrap, service worker, program, manifest, version, engine and assets."""
    build = compile_site(sample(), COMMIT, COMMITTED)
    assert {each.key: each.content_type for each in build.objects} == {
        "index.html": "text/html; charset=utf-8",
        "flutter_bootstrap.js": "text/javascript",
        "flutter_service_worker.js": "text/javascript",
        "main.dart.js": "text/javascript",
        "manifest.json": "application/json",
        "version.json": "application/json",
        "canvaskit/canvaskit.js": "text/javascript",
        "canvaskit/canvaskit.wasm": "application/wasm",
        "icons/favicon.svg": "image/svg+xml",
        "assets/AssetManifest.json": "application/json",
        "assets/FontManifest.json": "application/json",
        "assets/assets/images/pulse.svg": "image/svg+xml",
        "assets/assets/markets.json": "application/json",
    }
    page = build.get("index.html")
    assert page is not None
    assert f'<meta name="build" content="{COMMIT} 2026-11-22T20:00:00Z">'.encode() in page.body
    assert b"{{" not in page.body


def test_the_program_comes_from_the_sources() -> None:
    """A changed line is in the program, and in the digests of service worker and bootstrap; a comment changes nothing."""
    first = compile_site(sample(), COMMIT, COMMITTED)
    other = compile_site(changed("lib/src/orders.dart", "quantity += 1", "quantity += 100"), COMMIT, COMMITTED)
    same = compile_site(changed("lib/src/orders.dart", "/// Where orders go.", "// Elsewhere."), COMMIT, COMMITTED)
    differing = {one.key for one, two in zip(first.objects, other.objects, strict=True) if one.body != two.body}
    assert differing == {"main.dart.js", "flutter_service_worker.js", "flutter_bootstrap.js"}
    assert same == first
    program = other.get("main.dart.js")
    assert program is not None
    assert b"setState(()=>quantity+=100)" in program.body


def test_a_commit_without_changes_changes_the_page_alone() -> None:
    """What is the same is the same bytes, so that a second upload has little to do."""
    first, second = (compile_site(sample(), commit, COMMITTED) for commit in (COMMIT, "f" * 40))
    differing = {one.key for one, two in zip(first.objects, second.objects, strict=True) if one.body != two.body}
    assert differing == {"index.html", "flutter_service_worker.js", "flutter_bootstrap.js"}


def test_the_service_worker_lists_every_file_by_its_digest() -> None:
    """As Flutter's does: MD5 of each file, but of itself and the bootstrap."""
    build = compile_site(sample(), COMMIT, COMMITTED)
    worker = build.get("flutter_service_worker.js")
    assert worker is not None
    listed = json.loads(worker.body.decode().partition("RESOURCES = ")[2].strip().rstrip(";"))
    digests = {each.key: hashlib.md5(each.body).hexdigest() for each in build.objects}
    own = {"flutter_service_worker.js", "flutter_bootstrap.js"}
    assert listed == {key: digest for key, digest in digests.items() if key not in own} | {"/": digests["index.html"]}


def test_the_version_is_that_of_the_sources() -> None:
    """`pubspec.yaml` decides."""
    version = compile_site(release(sample(), "1.6.0+50"), COMMIT, COMMITTED).get("version.json")
    assert version is not None
    told = json.loads(version.body)
    assert (told["version"], told["build_number"], told["app_name"]) == ("1.6.0", "50", "pulse_trading")


@pytest.mark.parametrize(
    ("path", "old", "new", "message"),
    [
        (
            "lib/main.dart",
            "'Pulse Trading'));",
            "'Pulse Trading');",
            "Expected a declaration, but got '}'",
        ),
        ("lib/main.dart", "void main()", "void start()", "No 'main' method found"),
        ("lib/main.dart", "'src/app.dart'", "'src/gone.dart'", "Error when reading 'lib/src/gone.dart'"),
        ("lib/src/app.dart", "'theme.dart';", "'theme.dart'", r"lib/src/app\.dart:5:20: Error: Expected ';' after this"),
        ("lib/src/orders.dart", "/v2/orders'", "/v2/orders", "String starting with ' must end with '"),
        ("lib/src/orders.dart", "int quantity = 1;", "int quantity = 1", "Expected ';' after this"),
        ("lib/src/orders.dart", "$quantity", "${quantity", "String starting with ' must end with '"),
        ("lib/src/quotes.dart", "/// One market", "/* One market", "must end with '\\*/'"),
        ("lib/src/quotes.dart", "factory", "fac\N{SECTION SIGN}tory", "isn't allowed"),
        ("pubspec.yaml", "    sdk: flutter", "    sdk: dart", "dependencies: flutter"),
        ("pubspec.yaml", "assets/markets.json", "assets/gone.json", "No file or variants found for asset: assets/gone.json"),
        ("pubspec.yaml", "name: pulse", "name: [pulse", "Error detected in pubspec.yaml"),
    ],
)
def test_wrong_sources_do_not_build(path: str, old: str, new: str, message: str) -> None:
    """R4: a syntax error, a missing import, asset or entry point: told where, and no site comes of it."""
    with pytest.raises(BuildFailed, match=message):
        compile_site(changed(path, old, new), COMMIT, COMMITTED)


@pytest.mark.parametrize("path", ["pubspec.yaml", "web/index.html", "lib/main.dart"])
def test_what_is_no_project_does_not_build(path: str) -> None:
    """R4: without its description, its page or its program there is nothing to build."""
    with pytest.raises(BuildFailed):
        compile_site({name: body for name, body in sample().items() if name != path}, COMMIT, COMMITTED)


def test_dart_that_looks_wrong_and_is_right_builds() -> None:
    """Nested comments, raw and multi-line strings, interpolations with strings and braces inside."""
    odd = r"""
/* outer /* inner */ still outer */
const raw = r'\ no escape $';
const long = '''It's "long", ${[1, 2].map((e) => '{${e + 1}}').join(')')}''';
final joined = 'a' 'b';
final chosen = [if (long is String) 'x' else "y\"", 0x1F, 1.5e-3];
"""
    compile_site({**sample(), "lib/src/theme.dart": sample()["lib/src/theme.dart"] + odd.encode()}, COMMIT, COMMITTED)


def test_a_pointer_in_place_of_an_image_goes_through() -> None:
    """R5: Flutter copies assets as they are, also where Git LFS left its pointer, so the deployment must look."""
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n"
    build = compile_site({**sample(), "assets/images/pulse.svg": pointer}, COMMIT, COMMITTED)
    image = build.get("assets/assets/images/pulse.svg")
    assert image is not None
    assert image.body == pointer


def test_the_command_makes_the_same_files(tmp_path: Path) -> None:
    """`flutter build web --release` in a work tree gives what the compiler gives, and nothing that was there before."""
    folder = check_out(sample(), tmp_path)
    (folder / "build" / "web").mkdir(parents=True)
    (folder / "build" / "web" / "left-over.js").write_text("old")
    ended = flutter(folder)
    assert (ended.returncode, ended.stderr) == (0, "")
    made = {
        file.relative_to(folder / "build" / "web").as_posix(): file.read_bytes()
        for file in (folder / "build" / "web").rglob("*")
        if file.is_file()
    }
    assert made == {each.key: each.body for each in compile_site(sample(), COMMIT, COMMITTED).objects}


def test_the_command_fails_without_a_commit(tmp_path: Path) -> None:
    """A page whose marker would be empty is not built."""
    ended = flutter(check_out(sample(), tmp_path), commit="")
    assert ended.returncode == 1
    assert "Missing web-define variable: DEFIB_COMMIT, DEFIB_COMMITTED" in ended.stderr
    assert not (tmp_path / "build").exists()


def test_the_command_fails_on_wrong_sources(tmp_path: Path) -> None:
    """R4: exit code 1 and the place of the error."""
    ended = flutter(check_out(changed("lib/main.dart", "'src/app.dart';", "'src/app.dart'"), tmp_path))
    assert ended.returncode == 1
    assert "lib/main.dart:3:22: Error: Expected ';' after this." in ended.stderr


def test_the_command_is_as_slow_as_asked(tmp_path: Path) -> None:
    """It says so while it takes its time."""
    ended = flutter(check_out(sample(), tmp_path), "--slow", "0.2")
    assert ended.returncode == 0
    assert "Still compiling" in ended.stdout
