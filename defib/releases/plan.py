"""What a deploy would write: every object of a release compared with what the store holds. Reads only.

Compared are the content's SHA-256 and the headers, never times: a file that has only become older, or that has kept its
size, is deployed where its content is another (https://github.com/aws/aws-cli/issues/3273,
https://github.com/aws/aws-cli/issues/599).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from defib.clock import Deadline
from defib.releases.crowd import Crowd, both
from defib.releases.manifest import Entry, Manifest, ManifestBroken, decode
from defib.releases.piece import Piece
from defib.releases.rules import ASK, key_of, manifest_key, prefix_of
from defib.releases.store import Listed, ReleaseReader, Stored


class Reason(StrEnum):
    """Why an object is written."""

    NEW = "new"
    CONTENT = "content differs"
    HEADERS = "headers differ"


@dataclass(frozen=True)
class Due:
    """One object to be written."""

    piece: Piece
    reason: Reason


@dataclass(frozen=True)
class DeployPlan:
    """What is to be written and what stands already.

    `manifest` is that of an earlier run, None where the release was never complete. `extra` are keys that no build of today
    has; they stay, because somebody may still hold a page that names them. `lost` are paths that should be carried on from
    the release before and are gone there.
    """

    commit: str
    pieces: tuple[Piece, ...]
    due: tuple[Due, ...]
    manifest: Manifest | None
    extra: tuple[str, ...]
    lost: tuple[str, ...]

    @property
    def changes_nothing(self) -> bool:
        """Whether everything stands, and is known to be complete."""
        if self.due or self.manifest is None or len(self.pieces) != len(self.manifest.entries):
            return False
        known = self.manifest.by_path()
        return all(each.path in known and differs(each, known[each.path]) is None for each in self.pieces)


@dataclass(frozen=True)
class Before:
    """The release that users are on, and how long what it has under hashed names is carried on (``retention``)."""

    manifest: Manifest | None
    retention: timedelta
    now: datetime


def manifest_of(store: ReleaseReader, commit: str, *, within: Deadline) -> Manifest | None:
    """The manifest of a complete release; None where there is none, and where what there is does not hold."""
    content = store.read(manifest_key(commit), within=within)
    if content is None:
        return None
    try:
        manifest = decode(content)
    except ManifestBroken:
        return None  # the release is then not known to be complete, which is all that a manifest could say
    return manifest if manifest.commit == commit else None


def plan_of(
    store: ReleaseReader,
    commit: str,
    read: Callable[[], Sequence[Piece]],
    before: Before,
    *,
    within: Deadline,
    crowd: Crowd | None = None,
) -> DeployPlan:
    """Compare the files with what the release of `commit` has: one listing, and one HEAD for each object not vouched for.

    `read` gives the files; it is called while the store is asked.
    """
    prefix = prefix_of(commit)
    built, (listed, manifest) = both(read, lambda: _standing(store, commit, within), within=within)
    carried, lost = _carried(store, commit, built, manifest, before, within)
    pieces = (*built, *carried)
    due = _due(store, commit, pieces, listed, manifest, crowd or Crowd(), within)
    # What this release carries already and somebody has changed has no other source: it is lost.
    spoilt = {each.piece.path for each in due if each.piece.source == prefix + each.piece.path}
    pieces = tuple(piece for piece in pieces if piece.path not in spoilt)
    due = tuple(each for each in due if each.piece.path not in spoilt)
    lost = tuple(dict.fromkeys((*lost, *sorted(spoilt))))
    expected = {prefix + piece.path for piece in pieces} | {manifest_key(commit)}
    return DeployPlan(commit, pieces, due, manifest, tuple(sorted(set(listed) - expected)), lost)


def _standing(store: ReleaseReader, commit: str, within: Deadline) -> tuple[Mapping[str, Listed], Manifest | None]:
    """What the store holds of a release, by key, and its manifest, where it has one that holds."""
    listed = {each.key: each for each in store.list(prefix_of(commit), within=within)}
    return listed, manifest_of(store, commit, within=within) if manifest_key(commit) in listed else None


def _due(
    store: ReleaseReader,
    commit: str,
    pieces: Sequence[Piece],
    listed: Mapping[str, Listed],
    manifest: Manifest | None,
    crowd: Crowd,
    within: Deadline,
) -> tuple[Due, ...]:
    known = manifest.by_path() if manifest else {}
    prefix = prefix_of(commit)
    found: list[Due | None] = []
    unknown: list[Piece] = []
    for piece in pieces:
        there, entry = listed.get(prefix + piece.path), known.get(piece.path)
        if there is None:
            found.append(Due(piece, Reason.NEW))
        elif there.size != piece.size:
            found.append(Due(piece, Reason.CONTENT))
        elif entry is not None and entry.listed_as(there):
            found.append(differs(piece, entry))
        else:
            unknown.append(piece)

    def ask(piece: Piece) -> Due | None:
        return differs(piece, store.head(prefix + piece.path, within=within))

    found += crowd.each(ask, unknown, within=within)
    return tuple(due for due in found if due is not None)


def differs(piece: Piece, seen: Entry | Stored | None) -> Due | None:
    """Why what is there is not the piece; None where it is."""
    if seen is None:
        return Due(piece, Reason.NEW)
    if (seen.size, seen.sha256) != (piece.size, piece.sha256):
        return Due(piece, Reason.CONTENT)
    return Due(piece, Reason.HEADERS) if seen.headers != piece.headers else None


def _carried(
    store: ReleaseReader, commit: str, built: Sequence[Piece], own: Manifest | None, before: Before, within: Deadline
) -> tuple[tuple[Piece, ...], tuple[str, ...]]:
    """What earlier releases had under hashed names and this build has not, as far as it is still there."""
    taken = {piece.path for piece in built}
    found: list[Piece] = []
    lost: list[str] = []
    for manifest in (own, before.manifest):
        entries = [each for each in manifest.entries if each.path not in taken] if manifest else []
        wanted = [each for each in entries if manifest and _goes_on(each, manifest.commit == commit, before)]
        if manifest is None or not wanted:
            continue
        there = {each.key for each in store.list(prefix_of(manifest.commit), within=within)}
        for entry in wanted:
            key = key_of(manifest.commit, entry.path)
            if key in there:
                taken.add(entry.path)
                found.append(_carry(entry, key, before.now))
            else:
                lost.append(entry.path)
    return tuple(found), tuple(path for path in lost if path not in taken)


def _goes_on(entry: Entry, ours: bool, before: Before) -> bool:
    if entry.headers.cache_control == ASK:
        return False  # its name will be asked for again and means the newest
    if entry.carried is None:
        return not ours  # what an earlier build of this commit had stays as an extra
    return before.now - entry.carried < before.retention


def _carry(entry: Entry, key: str, now: datetime) -> Piece:
    return Piece(entry.path, entry.size, entry.sha256, entry.headers, key, entry.carried or now)


def due_by_rank(plan: DeployPlan) -> tuple[tuple[Due, ...], ...]:
    """What is due, in the groups that are written one after the other."""
    ranks = sorted({due.piece.rank for due in plan.due})
    return tuple(tuple(due for due in plan.due if due.piece.rank == rank) for rank in ranks)


def as_entry(piece: Piece, listed: Listed) -> Entry:
    """The piece as its release's manifest has it."""
    return Entry(piece.path, piece.size, piece.sha256, piece.headers, listed.etag, listed.modified, piece.carried)
