"""What every store of releases promises, in memory and at S3."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from defib.clock import Clock, Deadline
from defib.errors import Conflict, NotFound, Unavailable
from defib.releases.rules import Headers
from defib.releases.store import ReleaseStore, Stored, Upload

HEADERS = Headers("text/javascript; charset=utf-8", "public, max-age=31536000, immutable")
ODD = "releases/a/assets/a b%20c[id]~ä#?&+'=.js"
"""A name with all that URLs, signatures and Flutter's own encoding of asset names could trip over."""


@dataclass(frozen=True)
class StoreWorld:
    """A store that is empty, and its clock."""

    store: ReleaseStore
    clock: Clock

    def soon(self, seconds: float = 30) -> Deadline:
        """A deadline that is far enough."""
        return Deadline.after(self.clock, timedelta(seconds=seconds))

    def put(self, key: str, content: bytes = b"content", headers: Headers = HEADERS) -> str:
        """Store something."""
        return self.store.put(upload(key, content, headers), within=self.soon())


def upload(key: str, content: bytes = b"content", headers: Headers = HEADERS, source: Path | None = None) -> Upload:
    """What is to be stored, made of its content."""
    return Upload(key, source or content, len(content), hashlib.sha256(content).hexdigest(), headers)


class ReleaseStoreContract:
    """Subclasses give a `world`."""

    def test_nothing(self, world: StoreWorld) -> None:
        """What is not there is told as such, and is no error."""
        within = world.soon()
        assert () == world.store.list("releases/a/", within=within)
        assert () == world.store.folders("releases/", within=within)
        assert None is world.store.head("releases/a/x", within=within)
        assert None is world.store.read("releases/a/x", within=within)
        world.store.delete(["releases/a/x"], within=within)

    @pytest.mark.parametrize("key", ["releases/a/index.html", "releases/a/no-extension", "releases/a/.well-known/x", ODD])
    def test_what_was_put_is_there(self, world: StoreWorld, key: str) -> None:
        """Content, headers, hash and ETag come back as they were given, whatever the name."""
        etag = world.put(key)
        listed = world.store.list("releases/a/", within=world.soon())
        assert [(key, 7, etag)] == [(each.key, each.size, each.etag) for each in listed]
        expected = Stored(key, 7, etag, hashlib.sha256(b"content").hexdigest(), HEADERS)
        assert expected == world.store.head(key, within=world.soon())
        assert b"content" == world.store.read(key, within=world.soon())

    def test_an_empty_file(self, world: StoreWorld) -> None:
        """A file of no bytes is an object like any other."""
        world.put("releases/a/.nojekyll", b"")
        assert [0] == [each.size for each in world.store.list("releases/a/", within=world.soon())]
        assert b"" == world.store.read("releases/a/.nojekyll", within=world.soon())

    def test_putting_again(self, world: StoreWorld) -> None:
        """The later one holds, with its headers; the ETag tells contents apart."""
        first = world.put("releases/a/x", b"one")
        second = world.put("releases/a/x", b"two", Headers("text/plain", "no-cache"))
        found = world.store.head("releases/a/x", within=world.soon())
        assert found is not None
        assert first != second
        assert (second, Headers("text/plain", "no-cache")) == (found.etag, found.headers)

    def test_a_prefix_is_a_folder(self, world: StoreWorld) -> None:
        """One commit's listing holds nothing of another whose name begins the same."""
        for key in ("releases/abc/x", "releases/abcd/x", "releases/abc/sub/x", "status.json"):
            world.put(key)
        listed = world.store.list("releases/abc/", within=world.soon())
        assert ["releases/abc/sub/x", "releases/abc/x"] == [each.key for each in listed]
        assert ("releases/abc/", "releases/abcd/") == world.store.folders("releases/", within=world.soon())

    def test_a_file_from_disk(self, world: StoreWorld, tmp_path: Path) -> None:
        """A file is stored as its bytes are."""
        source = tmp_path / "file"
        source.write_bytes(b"from disk")
        world.store.put(upload("releases/a/x", b"from disk", source=source), within=world.soon())
        assert b"from disk" == world.store.read("releases/a/x", within=world.soon())

    def test_a_file_that_changed(self, world: StoreWorld, tmp_path: Path) -> None:
        """A file that was written to after it was hashed is not stored."""
        source = tmp_path / "file"
        source.write_bytes(b"from disC")
        with pytest.raises(Conflict):
            world.store.put(upload("releases/a/x", b"from disk", source=source), within=world.soon())
        assert () == world.store.list("releases/a/", within=world.soon())

    def test_copying(self, world: StoreWorld) -> None:
        """A copy has content, headers and hash of the original."""
        world.put(ODD)
        world.store.copy(ODD, "releases/b/copy.js", within=world.soon())
        copy, original = (world.store.head(key, within=world.soon()) for key in ("releases/b/copy.js", ODD))
        assert copy is not None
        assert original is not None
        assert (original.sha256, original.headers, original.size) == (copy.sha256, copy.headers, copy.size)

    def test_copying_what_is_not_there(self, world: StoreWorld) -> None:
        """NotFound, and nothing is stored."""
        with pytest.raises(NotFound):
            world.store.copy("releases/a/gone", "releases/b/x", within=world.soon())
        assert () == world.store.list("releases/b/", within=world.soon())

    def test_deleting(self, world: StoreWorld) -> None:
        """What is named goes, what is gone already is no error, and the rest stays."""
        for key in ("releases/a/x", ODD, "releases/a/z"):
            world.put(key)
        for _ in range(2):
            world.store.delete(["releases/a/x", ODD], within=world.soon())
        assert ["releases/a/z"] == [each.key for each in world.store.list("releases/a/", within=world.soon())]

    def test_a_spent_deadline(self, world: StoreWorld) -> None:
        """Unavailable, and nothing is sent."""
        spent = world.soon(0)
        with pytest.raises(Unavailable):
            world.store.put(upload("releases/a/x"), within=spent)
        with pytest.raises(Unavailable):
            world.store.list("releases/a/", within=spent)
        assert () == world.store.list("releases/a/", within=world.soon())
