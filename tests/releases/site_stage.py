"""A built site on disk and a store, for the tests of deploys."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from defib.clock import Clock, Deadline, SimulatedClock
from defib.providers.releases.memory import MemoryReleases
from defib.releases.crowd import Crowd
from defib.releases.deploy import Deployed, deploy
from defib.releases.manifest import Manifest
from defib.releases.piece import Piece
from defib.releases.plan import Before
from defib.releases.rules import Headers, headers_of, key_of
from defib.releases.store import Listed, ReleaseStore, Stored, Upload
from defib.releases.tree import files_of

FIRST = "1" * 40
SECOND = "2" * 40
THIRD = "3" * 40
BUILT = datetime(2025, 12, 31, 12, tzinfo=UTC)
RETENTION = timedelta(days=30)
TEXT = Headers("text/plain", "no-cache")
ONE = Crowd(parallel=1)
"""A simulated clock belongs to one thread."""

SITE = {
    "index.html": "<script src=main.dart.js></script>",
    "about/index.html": "<p>about</p>",
    "main.dart.js": "run()",
    "flutter_service_worker.js": "worker",
    "version.json": '{"version":"1"}',
    "assets/app.3f2a9c1b.js": "chunk one",
    "assets/canvaskit.wasm": "wasm",
}


def write(root: Path, files: dict[str, str]) -> Path:
    """A folder with these files."""
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    return root


def file_of(root: Path, path: str) -> Piece:
    """One file of a folder, as a deploy sees it."""
    content = (root / path).read_bytes()
    return Piece(path, len(content), hashlib.sha256(content).hexdigest(), headers_of(path), root)


def upload(key: str, content: bytes = b"content", headers: Headers = TEXT) -> Upload:
    """What is to be stored, made of its content."""
    return Upload(key, content, len(content), hashlib.sha256(content).hexdigest(), headers)


@dataclass
class Stage:
    """A store and its clock; `deploy` is one run."""

    clock: Clock = field(default_factory=SimulatedClock)
    crowd: Crowd = ONE

    def __post_init__(self) -> None:
        self.memory = MemoryReleases(self.clock)

    def soon(self, seconds: float = 600) -> Deadline:
        """A deadline that is far enough."""
        return Deadline.after(self.clock, timedelta(seconds=seconds))

    def deploy(
        self,
        root: Path,
        commit: str = FIRST,
        live: Manifest | None = None,
        store: ReleaseStore | None = None,
        files: Sequence[Piece] = (),
    ) -> Deployed:
        """One run, as a flow makes it."""
        self.memory.calls.clear()
        before = Before(live, RETENTION, self.clock.now())

        def read() -> Sequence[Piece]:
            return files or files_of(root, within=self.soon(), crowd=self.crowd)

        return deploy(store or self.memory, commit, read, BUILT, before, within=self.soon(), crowd=self.crowd)

    def paths(self, commit: str = FIRST) -> set[str]:
        """The paths that the store has for a release."""
        prefix = key_of(commit, "")
        return {each.key.removeprefix(prefix) for each in self.memory.list(prefix, within=self.soon())}

    def served(self, path: str, commit: str = FIRST) -> tuple[bytes, Headers]:
        """Content and headers of an object."""
        key = key_of(commit, path)
        content, head = self.memory.read(key, within=self.soon()), self.memory.head(key, within=self.soon())
        assert content is not None
        assert head is not None
        return content, head.headers


class Around:
    """A store that passes everything on, for stores that do not."""

    def __init__(self, inner: ReleaseStore) -> None:
        self.inner = inner

    @property
    def where(self) -> str:
        return self.inner.where

    def folders(self, prefix: str, *, within: Deadline) -> tuple[str, ...]:
        return self.inner.folders(prefix, within=within)

    def list(self, prefix: str, *, within: Deadline) -> tuple[Listed, ...]:
        return self.inner.list(prefix, within=within)

    def head(self, key: str, *, within: Deadline) -> Stored | None:
        return self.inner.head(key, within=within)

    def read(self, key: str, *, within: Deadline) -> bytes | None:
        return self.inner.read(key, within=within)

    def put(self, upload: Upload, *, within: Deadline) -> str:
        return self.inner.put(upload, within=within)

    def copy(self, source: str, target: str, *, within: Deadline) -> None:
        self.inner.copy(source, target, within=within)

    def delete(self, keys: Sequence[str], *, within: Deadline) -> None:
        self.inner.delete(keys, within=within)
