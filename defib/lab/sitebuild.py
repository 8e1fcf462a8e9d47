"""What a build of the lab's site is, wherever it was made."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePosixPath

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".wasm": "application/wasm",
}
# Flutter puts no hash into its names, so each must be asked for anew (flutter/flutter#63500) but what comes with the SDK.
_REVALIDATE = "no-cache"
_LONG = "public, max-age=86400"
_OF_SDK = "canvaskit/"


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

    @classmethod
    def of_file(cls, key: str, body: bytes) -> StoredObject:
        """A file of a build, as the hosts of the lab serve it."""
        kind = _TYPES.get(PurePosixPath(key).suffix, "application/octet-stream")
        return cls(key, body, kind, _LONG if key.startswith(_OF_SDK) else _REVALIDATE)


@dataclass(frozen=True)
class SiteBuild:
    """One build: its id (40 hexadecimal digits: the commit), when that was committed, and its objects.

    `earlier` are builds of commits before it, the newest first.
    """

    id: str
    built: datetime
    objects: tuple[StoredObject, ...]
    earlier: tuple[SiteBuild, ...] = field(default=(), repr=False, compare=False)

    def get(self, key: str) -> StoredObject | None:
        """The object under `key`, None where the build has none."""
        return next((each for each in self.objects if each.key == key), None)
