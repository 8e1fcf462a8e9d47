"""Which releases a bucket holds, and which of them may go."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from defib.clock import Deadline
from defib.errors import Refused, StepFailed
from defib.releases.crowd import Crowd
from defib.releases.manifest import Manifest
from defib.releases.plan import manifest_of
from defib.releases.rules import PREFIX, is_commit, manifest_key, prefix_of
from defib.releases.store import ReleaseReader, ReleaseStore

GRACE = timedelta(days=1)
"""How long an incomplete release stays: somebody may be at it, or want to go on with it."""


class State(StrEnum):
    """What a release is to users."""

    LIVE = "live"
    COMPLETE = "complete"
    INCOMPLETE = "incomplete"


@dataclass(frozen=True)
class Release:
    """One release as the bucket holds it; `touched` is when the newest of its objects was written.

    `built`, `deployed` and `digest` are those of its manifest, and None and "" for an incomplete one.
    """

    commit: str
    complete: bool
    live: bool
    built: datetime | None
    deployed: datetime | None
    touched: datetime
    count: int
    total: int
    digest: str = ""

    @property
    def state(self) -> State:
        """In a word."""
        if self.live:
            return State.LIVE
        return State.COMPLETE if self.complete else State.INCOMPLETE


def releases(store: ReleaseReader, live: str, *, within: Deadline, crowd: Crowd | None = None) -> tuple[Release, ...]:
    """The releases of a bucket, the newest first; `live` is the commit that the pointer names, "" where that is unknown.

    Folders that are no commits are nobody's business here, and are never touched.
    """
    folders = store.folders(f"{PREFIX}/", within=within)
    commits = [name for name in (folder.split("/")[-2] for folder in folders) if is_commit(name)]
    found = (crowd or Crowd()).each(lambda commit: _release(store, commit, live, within), commits, within=within)
    return tuple(sorted((each for each in found if each), key=lambda each: (_since(each), each.commit), reverse=True))


def _release(store: ReleaseReader, commit: str, live: str, within: Deadline) -> Release | None:
    manifest: Manifest | None = manifest_of(store, commit, within=within)
    if manifest is not None:
        return Release(
            commit,
            complete=True,
            live=commit == live,
            built=manifest.built,
            deployed=manifest.deployed,
            touched=manifest.deployed,
            count=len(manifest.entries),
            total=manifest.total,
            digest=manifest.digest,
        )
    listed = store.list(prefix_of(commit), within=within)
    if not listed:
        return None  # somebody has removed it since the folders were listed
    return Release(
        commit,
        complete=False,
        live=commit == live,
        built=None,
        deployed=None,
        touched=max(each.modified for each in listed),
        count=len(listed),
        total=sum(each.size for each in listed),
    )


def _since(release: Release) -> datetime:
    return release.deployed or release.touched


def previous_of(found: Collection[Release], live: str) -> str:
    """The complete release that was deployed last before the live one, else the newest other one; "" where there is none."""
    complete = sorted((each for each in found if each.complete and each.commit != live), key=_since, reverse=True)
    at = next((_since(each) for each in found if each.commit == live), None)
    older = [each for each in complete if at is not None and _since(each) <= at]
    return next((each.commit for each in older or complete), "")


def may_go(found: Sequence[Release], retention: timedelta, now: datetime, keep: Collection[str] = ()) -> tuple[Release, ...]:
    """Those that nobody needs any more, the oldest first.

    Never goes: the live one, the one before it, those in `keep` (who knows better which was live before names it there), an
    incomplete one in which something was written within :data:`GRACE`, and a complete one that was replaced within
    `retention`. When a release was replaced is when the next one was deployed; users hold its pages until then and longer,
    so its own age says nothing. Refused where it is not known which release is live.
    """
    live = [each.commit for each in found if each.live]
    if not live:
        raise Refused(
            "no release may go while it is not known which one is live",
            expected="the live release among those of the bucket",
            seen=", ".join(each.commit for each in found) or "no releases",
            then="look where the distribution's origin path leads",
        )
    kept = {*live, previous_of(found, live[0]), *keep}
    gone = [each for each in found if each.commit not in kept and _expired(each, found, retention, now)]
    return tuple(sorted(gone, key=_since))


def _expired(release: Release, found: Sequence[Release], retention: timedelta, now: datetime) -> bool:
    if not release.complete:
        return now - release.touched >= GRACE
    later = [_since(each) for each in found if each.complete and _since(each) > _since(release)]
    return bool(later) and now - min(later) >= retention


def remove(store: ReleaseStore, commit: str, *, within: Deadline) -> int:
    """Delete every object of a release, and give their number. Idempotent.

    The manifest goes first, so that what is half removed never counts as complete. Where the bucket keeps versions they
    stay, for as long as its lifecycle rules say.
    """
    store.delete([manifest_key(commit)], within=within)
    keys = [each.key for each in store.list(prefix_of(commit), within=within)]
    if keys:
        store.delete(keys, within=within)
    left = store.list(prefix_of(commit), within=within)
    if left:
        raise StepFailed(
            f"{len(left)} of {len(keys)} objects of the release are still there",
            where=f"{store.where}/{prefix_of(commit)}",
            expected="none",
            seen=left[0].key,
            then="remove it again",
        )
    return len(keys)
