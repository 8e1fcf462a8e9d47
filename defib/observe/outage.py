"""What detection knows of an outage that is going on, on disk, for whoever starts a recovery by hand."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from defib.ports import Observation

BELIEVED_FOR = timedelta(minutes=2)
"""A note that has not been renewed for longer says nothing: whoever wrote it may be dead."""


@dataclass(frozen=True)
class KnownOutage:
    """Users lost service at `first_bad`, the site counted as down at `down_at`, and it was still so at `seen_at`.

    `looks` are the observations that led to it, oldest first: the evidence for the start of the clock.
    """

    first_bad: datetime
    down_at: datetime
    seen_at: datetime
    looks: tuple[Observation, ...] = ()


_ADAPTER = TypeAdapter(KnownOutage)


def note_outage(home: Path, site: str, outage: KnownOutage | None) -> None:
    """Remember an outage, or with None that there is none. Atomic; whoever reads sees the old or the new note."""
    path = _path(home, site)
    if outage is None:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.write_bytes(_ADAPTER.dump_json(outage))
    fresh.replace(path)


def known_outage(home: Path, site: str, now: datetime) -> KnownOutage | None:
    """The outage that detection sees now; None where it sees none, or has been silent for too long."""
    try:
        outage = _ADAPTER.validate_json(_path(home, site).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
    return outage if now - outage.seen_at <= BELIEVED_FOR else None


def _path(home: Path, site: str) -> Path:
    return home / "sites" / site / "outage.json"
