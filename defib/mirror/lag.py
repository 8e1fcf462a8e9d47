"""How far mirrors are behind their source, now and over time: the recovery point of the code.

A ref *waits* at a place from the moment at which the source had it and the place did not. That moment lies after the last
look at which both were seen and the ref did not wait; and a commit cannot have been there before it was made. So it waits
since that look, or since the first commit that is missing was made, whichever is later: never less than was true.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import AwareDatetime, TypeAdapter, ValidationError

from defib.errors import EvidenceBroken
from defib.wholefile import put

KEPT = timedelta(days=7)
"""How long it is remembered how far a place was behind."""


@dataclass(frozen=True)
class Looked:
    """One look: how far the place was behind before it was sent anything, None where nobody knows."""

    at: AwareDatetime
    place: str
    behind: timedelta | None


@dataclass(frozen=True)
class Known:
    """What is known of one repository: when source and place were last seen together, and since when refs wait there."""

    looked: dict[str, AwareDatetime] = field(default_factory=dict)
    waiting: dict[str, dict[str, AwareDatetime | None]] = field(default_factory=dict)
    past: tuple[Looked, ...] = ()


def worst(past: Sequence[Looked], place: str, since: datetime) -> timedelta | None:
    """The furthest that a place was behind since then; None where it was not known at one of the looks, or at none."""
    seen = [look.behind for look in past if look.place == place and look.at >= since]
    known = [behind for behind in seen if behind is not None]
    return max(known) if known and len(known) == len(seen) else None


def lacking(source: Mapping[str, str], there: Mapping[str, str], given_up: Collection[str]) -> tuple[str, ...]:
    """The refs in which a place is not as its source; what the source never had is not missing anywhere."""
    if source == there:
        return ()
    wrong = [ref for ref, commit in source.items() if there.get(ref) != commit]
    return tuple(sorted([*wrong, *(ref for ref in there if ref not in source and ref in given_up)]))


def waiting_since(
    lacking: Collection[str],
    before: Mapping[str, datetime | None],
    looked: datetime | None,
    now: datetime,
    made: datetime | None,
) -> dict[str, datetime | None]:
    """Since when each of these refs waits, None where nobody knows.

    `looked` is when source and place were last seen together, `made` when the first commit that is missing was made; a
    commit whose date has not come yet says nothing.
    """
    bounds = [moment for moment in (looked, made) if moment is not None and moment <= now]
    since = max(bounds, default=None)
    return {ref: before.get(ref, since) for ref in lacking}


def behind(waiting: Mapping[str, datetime | None], now: datetime) -> timedelta | None:
    """How far a place is behind: as long as the ref that waits longest; None where that is not known of one."""
    moments = [since for since in waiting.values() if since is not None]
    if len(moments) < len(waiting):
        return None
    return max((now - since for since in moments), default=timedelta(0))


_ADAPTER = TypeAdapter(Known)


def read_known(path: Path) -> Known:
    """What was written last; nothing is known where there is no file. :class:`EvidenceBroken` for what is none of ours."""
    try:
        return _ADAPTER.validate_json(path.read_bytes())
    except FileNotFoundError:
        return Known()
    except (OSError, ValidationError) as error:
        raise EvidenceBroken(
            "how far the mirrors were behind cannot be read", where=str(path), then=f"remove {path}"
        ) from error


def write_known(path: Path, known: Known) -> None:
    """Put it in the place of what was written last, whole or not at all."""
    put(path, _ADAPTER.dump_json(known), "how far the mirrors are behind")
