"""The manifest of a release: what is in it, as it was when everything had been listed back. It marks the release complete.

It is an object beside the others, and as public as they are: it names what is served anyway.

Each object stands in it with the ETag and the time of its last change as the store listed them. An object that is still
listed so has not been written since, for even a write of headers alone changes that time. So a later run knows from one
listing what is as it should be, and asks only for the rest. S3's times are whole seconds: a write of headers alone in the
very second of our own would go unseen, and is what the lease of a site keeps away.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from defib.releases.rules import Headers, headers
from defib.releases.store import Listed

_FORMAT = 1


class ManifestBroken(ValueError):
    """What was read is no manifest that this version understands; the release counts as incomplete."""


class Entry(NamedTuple):
    """One object: `path` in the site, what it must be, and how it was listed.

    `carried` is None for a file of the build. A file that an earlier release had under a name that says its content, and
    that this build no longer has, is carried on for those who still hold a page that names it, since the time given.
    """

    path: str
    size: int
    sha256: str
    headers: Headers
    etag: str
    modified: datetime
    carried: datetime | None = None

    def listed_as(self, listed: Listed) -> bool:
        """Whether nobody has written the object since."""
        return (self.size, self.etag, self.modified) == (listed.size, listed.etag, listed.modified)


@dataclass(frozen=True)
class Manifest:
    """One complete release. `built` is the build's time, `deployed` when it had been listed back."""

    commit: str
    built: datetime
    deployed: datetime
    entries: tuple[Entry, ...]

    @property
    def total(self) -> int:
        """Bytes of all objects."""
        return sum(entry.size for entry in self.entries)

    @property
    def digest(self) -> str:
        """SHA-256 over all paths, contents and headers: two releases with the same digest serve the same."""
        told = hashlib.sha256()
        for entry in sorted(self.entries, key=lambda each: each.path):
            parts = (entry.path, entry.sha256, entry.headers.content_type, entry.headers.cache_control)
            told.update("\0".join(parts).encode() + b"\n")
        return told.hexdigest()

    def by_path(self) -> dict[str, Entry]:
        """The entries under their paths."""
        return {entry.path: entry for entry in self.entries}


def encode(manifest: Manifest) -> bytes:
    """The manifest as it is stored: JSON, the same bytes for the same manifest."""
    tree = {
        "format": _FORMAT,
        "commit": manifest.commit,
        "built": manifest.built.isoformat(),
        "deployed": manifest.deployed.isoformat(),
        "count": len(manifest.entries),
        "total": manifest.total,
        "digest": manifest.digest,
        "objects": [_row(entry) for entry in manifest.entries],
    }
    return json.dumps(tree, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def decode(content: bytes) -> Manifest:
    """The manifest again; :class:`ManifestBroken` where it was cut, edited, or is of another kind."""
    try:
        tree = json.loads(content)
        if tree["format"] != _FORMAT:
            raise ManifestBroken(f"format {tree['format']!r}, not {_FORMAT}")
        entries = tuple(_entry(row) for row in tree["objects"])
        manifest = Manifest(tree["commit"], _time(tree["built"]), _time(tree["deployed"]), entries)
        said = (tree["count"], tree["total"], tree["digest"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ManifestBroken(str(error)) from error
    if said != (len(entries), manifest.total, manifest.digest):
        raise ManifestBroken("its objects are not those that it counts")
    return manifest


def _row(entry: Entry) -> list[object]:
    return [
        entry.path,
        entry.size,
        entry.sha256,
        entry.headers.content_type,
        entry.headers.cache_control,
        entry.etag,
        entry.modified.isoformat(),
        entry.carried.isoformat() if entry.carried else None,
    ]


def _entry(row: list[Any]) -> Entry:
    path, size, sha256, kind, cache, etag, modified, carried = row
    when = _time(carried) if carried is not None else None
    return Entry(str(path), int(size), str(sha256), headers(str(kind), str(cache)), str(etag), _time(modified), when)


def _time(text: str) -> datetime:
    when = datetime.fromisoformat(text)
    if when.tzinfo is None:
        raise ManifestBroken(f"a time without zone: {text}")
    return when
