"""The sites that a board shows: those that have a file, and those that runs were made on."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from defib.about import About, about
from defib.board.files import Files
from defib.errors import DefibError
from defib.history import digest
from defib.home import Home
from defib.objectives import Objectives
from defib.runbook import Runbook, load_runbook
from defib.sites.site import Site, load_site
from defib.sites.vendors import AwsHost

_GROUND = "standby-prepare"
"""Makes what must stand before anything fails; it is no answer to a failure, and there is nothing to prove by it."""

_OF_RELEASES = frozenset({"release-rollback"})
_WITHOUT_MIRRORS = 1


@dataclass(frozen=True)
class Known:
    """A site by its name. `file` is None where there is none, or where `problem` says what is wrong with it."""

    name: str
    file: Site | None
    digest: str = ""
    problem: str = ""
    is_gone: bool = False
    """Whether runs were made on it, and it has no file any more."""


@dataclass(frozen=True)
class Written:
    """A runbook, or in its place what is wrong with it."""

    procedure: str
    runbook: Runbook | None
    problem: str = ""


def known_sites(home: Home, runbooks: Path, files: Files, only: Collection[str] = ()) -> dict[str, Known]:
    """Every site that has a file, by its name; a running lab brings those that fit its network.

    Of those that are named `only` the files are read that have their names, if there is one for each.
    """
    folders = (home.path / "lab" / "sites", runbooks / "sites")
    paths = [path for folder in folders for path in sorted(folder.glob("*.yaml"))]
    found = _read([path for path in paths if path.stem in only], files)
    return found if only and set(only) <= set(found) else _read(paths, files)


def _read(paths: Iterable[Path], files: Files) -> dict[str, Known]:
    found: dict[str, Known] = {}
    for path in paths:
        known = files.read("site", path, _known)
        found.setdefault(known.name, known)
    return found


def _known(path: Path) -> Known:
    try:
        site = load_site(path)
        return Known(site.site, site, digest(path))
    except DefibError as error:
        return Known(path.stem, None, problem=f"{error.what} ({error.where})")


def written_runbooks(folder: Path, files: Files) -> tuple[Written, ...]:
    """Every runbook of a folder, by its procedure."""
    return tuple(files.read("runbook", path, _written) for path in sorted(folder.glob("*.md")))


def _written(path: Path) -> Written:
    try:
        return Written(path.stem, load_runbook(path.stem, path.parent))
    except (DefibError, OSError, UnicodeDecodeError) as error:
        return Written(path.stem, None, str(error))


def is_for(runbook: Runbook, site: Site) -> bool:
    """Whether a site has what a procedure is about, so that it is to be proved on it."""
    last_resort = any(isinstance(host, AwsHost) for host in site.hosts)
    failing = {"cdn": bool(site.cdns), "host": bool(site.hosts), "hosts": last_resort and site.git is not None}
    if runbook.against:
        return failing[runbook.against]
    what, name = about(runbook.procedure), runbook.procedure
    enough = len(site.git.remotes) > (_WITHOUT_MIRRORS if name == "git-promote" else 0) if site.git else False
    of_copies = {About.REPOSITORIES: enough, About.ASSETS: bool(site.replication)}
    return of_copies.get(what, name != _GROUND and (last_resort or name not in _OF_RELEASES))


def objectives(site: Site | None, runbook: Runbook | None) -> Objectives | None:
    """What is promised of a procedure on a site; None where neither file can be read."""
    if site is not None and runbook is not None:
        return runbook.objectives_for(site)
    return site.objectives.objectives() if site is not None else runbook.objectives if runbook is not None else None
