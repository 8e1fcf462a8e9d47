"""A bucket in memory that keeps versions as S3 does, with replication that happens when it is told to."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from defib.clock import Clock, Deadline
from defib.errors import Denied, NotFound, ProviderError, Unavailable
from defib.replication.port import NULL, Cursor, Details, Original, Page, Status, Version
from defib.replication.rules import BucketSettings


@dataclass(frozen=True)
class Kept:
    """One version with all that it tells."""

    version: Version
    content: bytes = b""
    status: Status = Status.NONE
    plain: bool = True
    checksums: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    frozen: str = ""


class MemoryBucket:
    """Fulfils :class:`defib.replication.port.WritableBucket`. `failing` is raised by every call while it is set."""

    def __init__(self, name: str, region: str, clock: Clock, settings: BucketSettings, page_size: int = 1000) -> None:
        self._name, self._region, self._clock, self._page_size = name, region, clock, page_size
        self._settings = settings
        self._held: dict[str, list[Kept]] = {}
        self._number = 0
        self.failing: ProviderError | None = None
        self.beside: dict[str, MemoryBucket] = {name: self}
        """The buckets that it may copy from."""

    @property
    def name(self) -> str:
        return self._name

    @property
    def where(self) -> str:
        return f"memory://{self._name} ({self._region})"

    def keep(self, kept: Kept) -> None:
        """Hold one version as it is, in the place that its time gives it; it replaces one of the same id."""
        others = [each for each in self._held.get(kept.version.key, []) if each.version.id != kept.version.id]
        self._held[kept.version.key] = sorted(
            [kept, *others], key=lambda each: (each.version.modified, each is kept), reverse=True
        )

    def kept(self, key: str, version: str = "") -> Kept | None:
        """One version, or what the key holds now."""
        for each in self._held.get(key, []):
            if version in ("", each.version.id or NULL):
                return each
        return None

    def change(self, key: str, version: str, **parts: object) -> None:
        """Let one version tell something else."""
        found = self.kept(key, version)
        if found is None:
            raise NotFound("no such version", where=self.where, seen=f"{key} {version}")
        held = self._held[key]
        held[held.index(found)] = replace(found, **parts)  # type: ignore[arg-type] # the fields of Kept

    def configure(self, settings: BucketSettings) -> None:
        """From now on it is configured so."""
        self._settings = settings

    def page(self, cursor: Cursor, *, within: Deadline) -> Page:
        self._answer(within)
        found: list[Version] = []
        for key in sorted(self._held):
            if not key.startswith(cursor.prefix) or key < cursor.after or (key == cursor.after and not cursor.version):
                continue
            if cursor.until and key > cursor.until:
                break
            for version in self._listed(key, cursor):
                if len(found) == self._page_size:
                    last = found[-1]
                    onwards = replace(cursor, after=last.key, version=last.id if cursor.versions else "")
                    return Page(found, onwards)
                found.append(version)
        return Page(found, None)

    def _listed(self, key: str, cursor: Cursor) -> list[Version]:
        listed = [each.version._replace(latest=number == 0) for number, each in enumerate(self._held[key])]
        if not cursor.versions:
            return [version._replace(id="") for version in listed[:1] if not version.marker]
        if key == cursor.after:
            ids = [version.id for version in listed]
            return listed[ids.index(cursor.version) + 1 :]
        return listed

    def folders(self, prefix: str, *, within: Deadline) -> tuple[str, ...]:
        self._answer(within)
        rest = (key.removeprefix(prefix) for key in self._held if key.startswith(prefix))
        return tuple(sorted({f"{prefix}{each.partition('/')[0]}/" for each in rest if "/" in each}))

    def details(self, key: str, version: str, *, within: Deadline) -> Details | None:
        self._answer(within)
        found = self.kept(key, version)
        if found is None or found.version.marker:
            return None
        told = found.version
        return Details(
            told.size,
            told.etag,
            told.modified,
            found.status,
            found.plain,
            told.id,
            found.checksums,
            found.headers,
            len(found.tags),
            found.frozen,
            found.frozen,
        )

    def tags(self, key: str, version: str, *, within: Deadline) -> Mapping[str, str]:
        self._answer(within)
        return self.must(key, version).tags

    def digest(self, key: str, version: str, *, within: Deadline) -> str:
        self._answer(within)
        return hashlib.sha256(self.must(key, version).content).hexdigest()

    def settings(self, *, within: Deadline) -> BucketSettings:
        self._answer(within)
        return self._settings

    def put(self, key: str, content: bytes, *, within: Deadline) -> str:
        self._answer(within)
        return self._new(key, Kept(self._version(key, content), content))

    def copy(self, original: Original, *, within: Deadline) -> str:
        self._answer(within)
        key = original.key
        found = self.beside[original.bucket].must(key, original.version)
        if found.frozen:
            raise Denied("the version is archived", where=self.where, seen=f"{key}: {found.frozen}")
        return self._new(
            key,
            Kept(self._version(key, found.content), found.content, headers=found.headers, tags=found.tags),
        )

    def mark_deleted(self, key: str, *, within: Deadline) -> str:
        self._answer(within)
        return self._new(key, Kept(self._version(key, b"")._replace(marker=True, etag="")))

    def remove(self, key: str, version: str, *, within: Deadline) -> None:
        self._answer(within)
        left = [each for each in self._held.get(key, []) if each.version.id != version]
        self._held[key] = left
        if not left:
            del self._held[key]

    def _new(self, key: str, kept: Kept) -> str:
        self._held.setdefault(key, []).insert(0, kept)
        return kept.version.id

    def _version(self, key: str, content: bytes) -> Version:
        self._number += 1
        etag = hashlib.md5(content, usedforsecurity=False).hexdigest()
        # S3 stamps to the second: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ObjectVersion.html
        now = self._clock.now().replace(microsecond=0)
        return Version(key, f"{self._name}-{self._number:06}", len(content), etag, now, marker=False, latest=True)

    def must(self, key: str, version: str) -> Kept:
        """One version that is no marker; :class:`NotFound`."""
        found = self.kept(key, version)
        if found is None or found.version.marker:
            raise NotFound("no such version", where=self.where, seen=f"{key} {version}")
        return found

    def _answer(self, within: Deadline) -> None:
        if self.failing is not None:
            raise self.failing
        if within.remaining() <= timedelta(0):
            raise Unavailable("no time was left to ask", where=self.where)
