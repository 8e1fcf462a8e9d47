"""Which files the last pack of a site was made of, so that somebody is told when it has grown old."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ValidationError

from defib.errors import EvidenceBroken
from defib.history import digest
from defib.home import Home
from defib.sites.site import load_site
from defib.wholefile import put

_FILE = "pack.json"


class Made(BaseModel):
    """When a pack was made, and the digests of the site file and the runbooks that are in it, by their names."""

    at: AwareDatetime
    files: Mapping[str, str]


def remember(home: Home, sites: Iterable[Path], runbooks: Path, at: datetime) -> None:
    """Write it down beside what else is known of each site."""
    for path in sites:
        made = Made(at=at, files=_files(path, runbooks))
        put(home.site(load_site(path).site) / _FILE, made.model_dump_json().encode(), "the note about the pack")


def was_made(home: Home, site: str) -> bool:
    """Whether there ever was a pack with this site."""
    return (home.site(site) / _FILE).is_file()


def last_made(home: Home, site: str) -> Made | None:
    """The last pack with this site; None where there was none. :class:`EvidenceBroken` where the note cannot be read."""
    path = home.site(site) / _FILE
    if not path.is_file():
        return None
    try:
        return Made.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise EvidenceBroken("the note about the last pack cannot be read", where=str(path), then="defib pack") from error


def changed_since(made: Made, site: Path, runbooks: Path) -> tuple[str, ...]:
    """The files that are not as they are in the pack."""
    now = _files(site, runbooks)
    return tuple(sorted(name for name in {*now, *made.files} if now.get(name) != made.files.get(name)))


def _files(site: Path, runbooks: Path) -> dict[str, str]:
    return {path.name: digest(path) for path in (site, *sorted(runbooks.glob("*.md")))}
