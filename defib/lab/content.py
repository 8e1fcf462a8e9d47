"""The site that the lab serves: a small build as Flutter's web compiler lays it out."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from defib.lab.faults import Fault

_INDEX = """<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="UTF-8">
  <base href="/">
  <meta name="build" content="{id} {built}">
  <title>Pulse Trading</title>
  <link rel="manifest" href="manifest.json">
</head>
<body>
  <noscript>Pulse Trading needs JavaScript.</noscript>
  <script src="flutter_bootstrap.js" async></script>
</body>
</html>
"""

# Flutter puts no hash into these names, so each must be asked for anew (flutter/flutter#63500).
_REVALIDATE = "no-cache"
_LONG = "public, max-age=86400"

STALE_BY = timedelta(hours=3)


@dataclass(frozen=True)
class StoredObject:
    """One object of a bucket, with the headers it is served with."""

    key: str
    body: bytes
    content_type: str
    cache_control: str

    @property
    def etag(self) -> str:
        """The entity tag S3 gives an object that was put in one piece."""
        return f'"{hashlib.md5(self.body, usedforsecurity=False).hexdigest()}"'


@dataclass(frozen=True)
class SiteBuild:
    """One build: its id (40 hexadecimal digits), when it was built, and its objects."""

    id: str
    built: datetime
    objects: tuple[StoredObject, ...]

    def get(self, key: str) -> StoredObject | None:
        """The object under `key`, None where the build has none."""
        return next((each for each in self.objects if each.key == key), None)


def make_build(built: datetime, version: str) -> SiteBuild:
    """The build `version` as compiled at `built`; the same input gives the same bytes."""
    built = built.replace(microsecond=0)
    build_id = hashlib.sha1(f"{version} {built.isoformat()}".encode(), usedforsecurity=False).hexdigest()
    stamp = built.isoformat().replace("+00:00", "Z")
    program = _filler("main.dart.js", build_id, 48_000)
    objects = (
        _text("index.html", "text/html; charset=utf-8", _INDEX.format(id=build_id, built=stamp)),
        _text("flutter_bootstrap.js", "text/javascript", f"_flutter.loader.load({{build: '{build_id}'}});\n"),
        _text("flutter_service_worker.js", "text/javascript", f"const RESOURCES = {{}}; // {build_id}\n"),
        _text("main.dart.js", "text/javascript", f"// {build_id}\n{program}"),
        _text("manifest.json", "application/json", json.dumps({"name": "Pulse Trading", "start_url": "."})),
        _text("version.json", "application/json", json.dumps({"app_name": "pulse_trading", "version": version})),
        StoredObject("canvaskit/canvaskit.wasm", _wasm(build_id), "application/wasm", _LONG),
    )
    return SiteBuild(build_id, built, objects)


def older_build(build: SiteBuild, fault: Fault) -> SiteBuild:
    """The build that a stale server still has; the option `age` says how much older it is, in seconds."""
    age = timedelta(seconds=fault.option("age", STALE_BY.total_seconds()))
    return make_build(build.built - age, "1.4.1")


def _text(key: str, content_type: str, body: str) -> StoredObject:
    return StoredObject(key, body.encode(), content_type, _REVALIDATE)


def _filler(name: str, seed: str, size: int) -> str:
    lines: list[str] = []
    while sum(len(line) for line in lines) < size:
        digest = hashlib.sha256(f"{name} {seed} {len(lines)}".encode()).hexdigest()
        lines.append(f"var a{len(lines)}='{digest * 8}';\n")
    return "".join(lines)


def _wasm(seed: str) -> bytes:
    """The magic number and version of a WebAssembly module, and a custom section as its only content."""
    section = b"\x05build" + seed.encode()
    return b"\0asm\x01\0\0\0" + b"\0" + bytes([len(section)]) + section
