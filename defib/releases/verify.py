"""Whether a release is in the store as it should be: listed back, and asked for where the listing does not say enough."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from defib.clock import Deadline
from defib.errors import StepFailed
from defib.releases.crowd import Crowd
from defib.releases.manifest import Entry, Manifest
from defib.releases.piece import Piece
from defib.releases.plan import Reason, as_entry, differs, manifest_of
from defib.releases.rules import is_html, key_of, prefix_of
from defib.releases.store import Listed, ReleaseReader, Stored

_NAMED = 5


@dataclass(frozen=True)
class Fault:
    """One object that is not as it should be, and in what way."""

    path: str
    what: str

    def __str__(self) -> str:
        return f"{self.path} {self.what}"


def verify(store: ReleaseReader, commit: str, *, within: Deadline, crowd: Crowd | None = None) -> Manifest:
    """The manifest of a release of which every object is as it should be; :class:`StepFailed` for any other.

    For whoever is about to send users there without a deploy, as a rollback does. Costs a listing and the manifest, and a
    HEAD for each object that was written since.
    """
    manifest = manifest_of(store, commit, within=within)
    if manifest is None:
        raise StepFailed(
            "the release is not complete",
            where=f"{store.where}/{prefix_of(commit)}",
            expected="a manifest, written when everything had been listed back",
            seen="none that holds",
            then="deploy the commit again",
        )
    pieces = [Piece(each.path, each.size, each.sha256, each.headers, "", each.carried) for each in manifest.entries]
    checked(store, commit, pieces, {}, manifest.by_path(), within=within, crowd=crowd)
    return manifest


def checked(
    store: ReleaseReader,
    commit: str,
    pieces: Sequence[Piece],
    put: Mapping[str, str],
    known: Mapping[str, Entry],
    *,
    within: Deadline,
    crowd: Crowd | None = None,
) -> tuple[Entry, ...]:
    """List a release back and compare it with `pieces`; :class:`StepFailed` names what is missing or differs.

    `put` are the ETags that writes of this run were answered with, by path: what is listed must be what was written. `known`
    are entries of an earlier manifest, by path; what is still listed as there is not asked for. Of what was written,
    every page is asked for, and one object of each kind of headers: a store that loses or alters them does so by kind. For
    the rest the accepted request vouches, which is signed with its headers and the content's SHA-256.
    """
    listed = {each.key: each for each in store.list(prefix_of(commit), within=within)}
    found = {piece.path: listed.get(key_of(commit, piece.path)) for piece in pieces}
    vouched = {
        path: entry for path, entry in known.items() if (there := found.get(path)) is not None and entry.listed_as(there)
    }
    asked = [piece for piece in _to_ask(pieces, put) if piece.path not in vouched and found[piece.path] is not None]

    def ask(piece: Piece) -> tuple[str, Stored | None]:
        return piece.path, store.head(key_of(commit, piece.path), within=within)

    told = dict((crowd or Crowd()).each(ask, asked, within=within))
    entries, faults = [], []
    for piece in pieces:
        there = found[piece.path]
        if there is None:
            faults.append(Fault(piece.path, "is missing in the listing"))
            continue
        fault = _listed_wrong(piece, there, put.get(piece.path, ""))
        if not fault and piece.path in vouched:
            fault = _told_wrong(piece, vouched[piece.path])
        elif not fault and piece.path in told:
            fault = _told_wrong(piece, told[piece.path])
        if fault:
            faults.append(fault)
        else:
            entries.append(as_entry(piece, there))
    _refuse(store, commit, faults, len(pieces))
    return tuple(entries)


def _to_ask(pieces: Sequence[Piece], put: Mapping[str, str]) -> Iterator[Piece]:
    """What a listing does not say enough about, by :func:`checked`."""
    kinds = set()
    for piece in pieces:
        if not put.get(piece.path) or is_html(piece.path) or piece.headers not in kinds:
            kinds.add(piece.headers)
            yield piece


def _listed_wrong(piece: Piece, there: Listed, etag: str) -> Fault | None:
    if there.size != piece.size:
        return Fault(piece.path, f"has {there.size} bytes, not {piece.size}")
    if etag and there.etag != etag:
        return Fault(piece.path, f"has the ETag {there.etag}, and was answered with {etag}: somebody else wrote it")
    return None


def _told_wrong(piece: Piece, seen: Entry | Stored | None) -> Fault | None:
    due = differs(piece, seen)
    if due is None:
        return None
    if seen is None:
        return Fault(piece.path, "is listed and cannot be read")
    if due.reason is Reason.CONTENT:
        return Fault(piece.path, f"has the SHA-256 {seen.sha256[:12] or 'of nobody'}…, not {piece.sha256[:12]}…")
    return Fault(piece.path, f"is served with {seen.headers}, not {piece.headers}")


def _refuse(store: ReleaseReader, commit: str, faults: Sequence[Fault], count: int) -> None:
    if not faults:
        return
    named = "; ".join(str(fault) for fault in faults[:_NAMED])
    more = f"; and {len(faults) - _NAMED} more" if len(faults) > _NAMED else ""
    raise StepFailed(
        f"{len(faults)} of {count} objects of the release are not as they should be",
        where=f"{store.where}/{prefix_of(commit)}",
        expected="every object listed, with its size, content and headers",
        seen=named + more,
        then="deploy again: only what is missing or differs is written",
    )
