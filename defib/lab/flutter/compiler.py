"""From the sources of a Flutter project to the files of its site, laid out as ``flutter build web`` lays them out."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from datetime import datetime
from functools import cache

from defib.lab.flutter.dart import compile_program
from defib.lab.flutter.project import BuildFailed, Pubspec, Tree, read_pubspec
from defib.lab.sitebuild import SiteBuild, StoredObject

ENGINE = "36335019a8eab588c3c2ea783c618d90505be233"
"""The revision of the engine that the stand-in has instead of one: it decides what comes with the SDK."""

ENTRY = "lib/main.dart"
_FRAMEWORK_SIZE = 48_000
_LFS = b"version https://git-lfs.github.com/spec/"


def compile_site(tree: Tree, commit: str, committed: datetime) -> SiteBuild:
    """The site that `tree` makes; the same sources give the same bytes, and the page alone names `commit`.

    :class:`BuildFailed` says what is wrong with the sources.
    """
    committed = committed.replace(microsecond=0)
    stamp = committed.isoformat().replace("+00:00", "Z")
    files = compile_files(tree, {"DEFIB_COMMIT": commit, "DEFIB_COMMITTED": stamp})
    objects = tuple(StoredObject.of_file(path, body) for path, body in files.items())
    return SiteBuild(commit, committed, objects)


def compile_files(tree: Tree, defined: dict[str, str]) -> dict[str, bytes]:
    """The files of the site by their paths; `defined` are the words for ``{{…}}`` in ``web/``."""
    pubspec = read_pubspec(tree)
    if "web/index.html" not in tree:
        raise BuildFailed(
            "This project is not configured for the web.\nTo configure this project for the web, run flutter create ."
        )
    files = {
        "main.dart.js": _program(tree, pubspec),
        "version.json": _json(
            {
                "app_name": pubspec.name,
                "version": pubspec.version.partition("+")[0],
                "build_number": pubspec.number,
                "package_name": pubspec.name,
            }
        ),
        "canvaskit/canvaskit.wasm": _wasm(ENGINE),
        "canvaskit/canvaskit.js": f"// {ENGINE}\nvar CanvasKitInit=function(o){{return fetch(o.locateFile)}};\n".encode(),
        **dict(_assets(tree, pubspec)),
        **{path.removeprefix("web/"): _placed(tree[path], path, defined) for path in tree if path.startswith("web/")},
    }
    files["flutter_service_worker.js"] = _service_worker(files)
    files["flutter_bootstrap.js"] = _bootstrap(files["flutter_service_worker.js"])
    return dict(sorted(files.items()))


def _program(tree: Tree, pubspec: Pubspec) -> bytes:
    """What dart2js makes: the framework first, then the libraries of the application in one file."""
    lines = [f"// Compiled from package:{pubspec.name}/main.dart.", "(function dartProgram(){var $L={};"]
    lines += _framework()
    for library in compile_program(tree, pubspec.name, ENTRY):
        uri = f"package:{pubspec.name}/{library.path.removeprefix('lib/')}"
        lines.append(f"$L[{json.dumps(uri)}]={json.dumps(library.program)};")
    return ("\n".join([*lines, "})();"]) + "\n").encode()


@cache
def _framework() -> tuple[str, ...]:
    """As much text as makes the program weigh something: what the framework is in a real one."""
    lines: list[str] = []
    size = 0
    while size < _FRAMEWORK_SIZE:
        digest = hashlib.sha256(f"{ENGINE} {len(lines)}".encode()).hexdigest()
        lines.append(f"var a{len(lines)}='{digest * 8}';")
        size += len(lines[-1]) + 1
    return tuple(lines)


def _assets(tree: Tree, pubspec: Pubspec) -> Iterator[tuple[str, bytes]]:
    """The files that ``flutter: assets:`` names, singly or by folder, and the list of them."""
    chosen: list[str] = []
    for name in pubspec.assets:
        found = [path for path in tree if path == name or (name.endswith("/") and path.rpartition("/")[0] + "/" == name)]
        if not found:
            raise BuildFailed(f"Error detected in pubspec.yaml:\nNo file or variants found for asset: {name}.")
        chosen += found
    yield from ((f"assets/{path}", tree[path]) for path in sorted(set(chosen)))
    yield "assets/AssetManifest.json", _json({path: [path] for path in sorted(set(chosen))})
    yield "assets/FontManifest.json", _json([])


def _placed(body: bytes, path: str, defined: dict[str, str]) -> bytes:
    """A file of ``web/`` with its placeholders filled in, as ``--web-define`` does; one that is not defined is an error."""
    if not path.endswith(".html") or body.startswith(_LFS):
        return body
    text = body.decode().replace("$FLUTTER_BASE_HREF", "/")
    missing = sorted({name for name in re.findall(r"\{\{(\w+)\}\}", text) if not defined.get(name)})
    if missing:
        raise BuildFailed(
            f"Error: Missing web-define variable: {', '.join(missing)}\n{path} names it, and nothing defines it."
        )
    return re.sub(r"\{\{(\w+)\}\}", lambda match: defined[match[1]], text).encode()


def _service_worker(files: dict[str, bytes]) -> bytes:
    """The list of resources with their MD5, as Flutter writes it."""
    listed = {path: hashlib.md5(body, usedforsecurity=False).hexdigest() for path, body in sorted(files.items())}
    listed["/"] = listed["index.html"]
    return f"'use strict';\nconst CACHE_NAME = 'flutter-app-cache';\nconst RESOURCES = {json.dumps(listed)};\n".encode()


def _bootstrap(worker: bytes) -> bytes:
    version = int.from_bytes(hashlib.sha256(worker).digest()[:4]) or 1
    build = json.dumps({"engineRevision": ENGINE, "builds": [{"compileTarget": "dart2js", "mainJsPath": "main.dart.js"}]})
    return (
        f"_flutter.buildConfig = {build};\n"
        f'_flutter.loader.load({{serviceWorkerSettings: {{serviceWorkerVersion: "{version}"}}}});\n'
    ).encode()


def _wasm(seed: str) -> bytes:
    """The magic number and version of a WebAssembly module, and a custom section as its only content."""
    section = b"\x05build" + seed.encode()
    return b"\0asm\x01\0\0\0" + b"\0" + bytes([len(section)]) + section


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
