"""The last readiness check of each site, kept for whoever wants to know without asking vendors again."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from defib.errors import EvidenceBroken, HomeUnwritable
from defib.home import Home
from defib.ready.check import Readiness
from defib.wholefile import put

GOOD_FOR = timedelta(minutes=65)
"""It is checked every 30 minutes, and one check may be missed; what is older says nothing of now."""

_ADAPTER = TypeAdapter(Readiness)


def keep(home: Home, found: Readiness) -> str:
    """Keep what was found in the place of what was found before; "" or why that could not be done: it is a courtesy."""
    try:
        put(kept_at(home, found.site), _ADAPTER.dump_json(found), "the readiness of the site")
    except HomeUnwritable as error:
        return str(error)
    return ""


def read_kept(path: Path) -> Readiness | None:
    """What was found last; None where nothing was kept. :class:`EvidenceBroken` for what is none of ours."""
    try:
        found = _ADAPTER.validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise EvidenceBroken("the last readiness check cannot be read", where=str(path), then="defib ready") from error
    if found.at.tzinfo is None:
        raise EvidenceBroken("the last readiness check has no time zone", where=str(path), then="defib ready")
    return found


def kept_at(home: Home, site: str) -> Path:
    """The file of one site."""
    return home.site(site) / "readiness.json"
