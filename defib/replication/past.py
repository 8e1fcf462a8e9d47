"""How much would have been lost at every look of the last days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import AwareDatetime, TypeAdapter, ValidationError

from defib.errors import EvidenceBroken
from defib.wholefile import put

KEPT = timedelta(days=7)
DRAWN = timedelta(days=1)


@dataclass(frozen=True)
class Look:
    """One look; `exposure` is None where nobody knew. `versions` is how many there were at the source."""

    at: AwareDatetime
    exposure: timedelta | None
    versions: int = 0


_ADAPTER = TypeAdapter(tuple[Look, ...])


def worst(looks: Sequence[Look]) -> timedelta | None:
    """The largest exposure; None where it was not known at one of the looks, or there was none."""
    known = [look.exposure for look in looks if look.exposure is not None]
    return max(known) if known and len(known) == len(looks) else None


def read_past(path: Path) -> tuple[Look, ...]:
    """What was written last; nothing where there is no file. :class:`EvidenceBroken` for what is none of ours."""
    try:
        return _ADAPTER.validate_json(path.read_bytes())
    except FileNotFoundError:
        return ()
    except (OSError, ValidationError) as error:
        raise EvidenceBroken("what replicas lacked before cannot be read", where=str(path), then=f"remove {path}") from error


def write_past(path: Path, looks: Sequence[Look], now: datetime) -> None:
    """Put the looks of the last days in the place of what was written last, whole or not at all."""
    kept = tuple(look for look in looks if now - look.at < KEPT)
    put(path, _ADAPTER.dump_json(kept), "what replicas lacked")
