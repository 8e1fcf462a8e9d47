"""Bring a built site into the bucket as the release of its commit. Nobody is sent there by it.

The prefix of a release belongs to one commit, so that whoever is on another release notices nothing. Even in a release that
is live, because the same commit is deployed again, no page names what is not there: first what names nothing else, then what
does, then the pages. Whoever dies on the way leaves a release without a manifest, which counts as incomplete; the next run
writes only what is missing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from defib.clock import Deadline
from defib.errors import StepFailed
from defib.releases.crowd import Crowd
from defib.releases.manifest import Manifest, encode
from defib.releases.piece import Piece
from defib.releases.plan import Before, DeployPlan, Due, due_by_rank, plan_of
from defib.releases.rules import ASK, Headers, key_of, manifest_key
from defib.releases.store import HELD, ReleaseStore, Upload
from defib.releases.verify import checked


@dataclass(frozen=True)
class Deployed:
    """A release that is complete and verified; `uploaded` and `carried` are what this run wrote, `sent` its bytes."""

    manifest: Manifest
    uploaded: int
    carried: int
    sent: int
    extra: tuple[str, ...]
    lost: tuple[str, ...]


def deploy(
    store: ReleaseStore,
    commit: str,
    read: Callable[[], Sequence[Piece]],
    built: datetime,
    before: Before,
    *,
    within: Deadline,
    crowd: Crowd | None = None,
) -> Deployed:
    """Compare, write what differs, list everything back, check it, and mark the release complete. Idempotent.

    `read` gives the files; it is called while the store is asked.

    Raises :class:`StepFailed` where what is listed back is not what was written, :class:`BudgetSpent` where the time was too
    short, and what the store raises. After any of them the release is incomplete, and nothing that was there is gone.
    """
    plan = plan_of(store, commit, read, before, within=within, crowd=crowd)
    return carry_out(store, plan, built, within=within, crowd=crowd)


def carry_out(
    store: ReleaseStore, plan: DeployPlan, built: datetime, *, within: Deadline, crowd: Crowd | None = None
) -> Deployed:
    """As :func:`deploy`, by a plan that was made before."""
    crowd = crowd or Crowd()
    if plan.changes_nothing and plan.manifest is not None:
        return _told(plan, plan.manifest)
    if plan.manifest is not None:
        # From here until everything is listed back it is not known to be complete.
        store.delete([manifest_key(plan.commit)], within=within)
    put = _write(store, plan, crowd, within)
    # What was written now is asked for: within one second, other headers leave no trace in a listing.
    known = {path: entry for path, entry in plan.manifest.by_path().items() if path not in put} if plan.manifest else {}
    entries = checked(store, plan.commit, plan.pieces, put, known, within=within, crowd=crowd)
    manifest = Manifest(plan.commit, built, within.clock.now(), entries)
    _mark_complete(store, manifest, within)
    return _told(plan, manifest)


def _write(store: ReleaseStore, plan: DeployPlan, crowd: Crowd, within: Deadline) -> dict[str, str]:
    """Write what is due, and give the ETags that uploads were answered with, by path."""

    def write(due: Due) -> tuple[str, str]:
        piece, key = due.piece, key_of(plan.commit, due.piece.path)
        if isinstance(piece.source, str):
            store.copy(piece.source, key, within=within)
            return piece.path, ""
        upload = Upload(key, piece.source / piece.path, piece.size, piece.sha256, piece.headers)
        return piece.path, store.put(upload, within=within)

    answered: dict[str, str] = {}
    for group in due_by_rank(plan):
        answered |= dict(crowd.each(write, group, within=within, weight=_weight))
    return answered


def _weight(due: Due) -> int:
    return min(due.piece.size, HELD) if not isinstance(due.piece.source, str) else 0


def _mark_complete(store: ReleaseStore, manifest: Manifest, within: Deadline) -> None:
    content = encode(manifest)
    key = manifest_key(manifest.commit)
    sha256 = hashlib.sha256(content).hexdigest()
    store.put(Upload(key, content, len(content), sha256, Headers("application/json", ASK)), within=within)
    if store.read(key, within=within) != content:
        raise StepFailed(
            "the manifest of the release is not what was written",
            where=f"{store.where}/{key}",
            expected=f"{len(content)} bytes with the SHA-256 {sha256[:12]}…",
            seen="other bytes",
            then="deploy again",
        )


def _told(plan: DeployPlan, manifest: Manifest) -> Deployed:
    written: list[Piece] = [due.piece for due in plan.due]
    uploads = [piece for piece in written if not isinstance(piece.source, str)]
    return Deployed(
        manifest,
        uploaded=len(uploads),
        carried=len(written) - len(uploads),
        sent=sum(piece.size for piece in uploads),
        extra=plan.extra,
        lost=plan.lost,
    )
