"""Everything that stands in a pack, gathered in memory: the same inputs give the same files."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from importlib.resources import files
from pathlib import Path

import defib
from defib.about import About, about
from defib.clock import Clock, Deadline
from defib.drills.proofs import last_proof
from defib.history import JOURNAL, digest
from defib.home import Home
from defib.pack import records
from defib.pack.filled import fill
from defib.pack.howto import Holds, howto
from defib.pack.secrets import known, refuse_secrets, wanted
from defib.pack.sheet import sheet
from defib.pack.written import Contents
from defib.redact import Redactor
from defib.redeploy.place import find_host
from defib.runbook import Runbook, load_runbook
from defib.sites.git import repositories
from defib.sites.site import Site, load_site

_STARTER = ("defib", "verify", "install.py")
_SOURCES = ("defib", "flows")
_BESIDE = ("README.md", "CHANGELOG.md", "pyproject.toml", "requirements.lock")
_PROOFS = ("report.html", "report.json", JOURNAL)
_LOOKING = timedelta(seconds=20)
_OURS, _THEIRS = "source/", "source/runbooks/"
"""What is the same in every installation needs no look; runbooks and sites are people's own."""


@dataclass(frozen=True)
class Wheels:
    """Wheels by platform and file name, and where they are from, for the page."""

    found: Mapping[str, Mapping[str, bytes]]
    origin: str


@dataclass(frozen=True)
class Packing:
    """What a pack is made of: the sites' files, the runbooks, and what of this machine's home goes along."""

    sites: tuple[Path, ...]
    runbooks: Path
    home: Home
    clock: Clock
    bundles: bool = False

    def contents(self, wheels: Wheels) -> Contents:
        """Every file. :class:`defib.errors.Refused` where a secret would be among them."""
        sites = tuple(load_site(path) for path in self.sites)
        applying = {site.site: self._applying(site) for site in sites}
        bundles = dict(self._bundles(sites)) if self.bundles else {}
        plain = {
            **dict(self._started()),
            **dict(self._source()),
            **dict(self._site_files()),
            **dict(self._filled(sites, applying)),
            **dict(self._proofs(sites, applying)),
        }
        plain |= self._pages(sites, applying, wheels, bundles, plain)
        own = {path: text for path, text in plain.items() if path.startswith(_THEIRS) or not path.startswith(_OURS)}
        refuse_secrets(own, self._known(sites))
        packed = {f"wheels/{place}/{name}": wheel for place, some in wheels.found.items() for name, wheel in some.items()}
        return {**plain, **bundles, **packed}

    def _pages(
        self,
        sites: tuple[Site, ...],
        applying: Mapping[str, tuple[Runbook, ...]],
        wheels: Wheels,
        bundles: Contents,
        plain: Contents,
    ) -> Contents:
        """What tells people, and programs, what is in the pack."""
        holds = Holds(
            version=defib.__version__,
            sites=sites,
            runbooks=applying,
            secrets=wanted(sites),
            platforms=tuple(sorted(wheels.found)),
            wheels_from=wheels.origin,
            bundles={path.removeprefix("home/"): len(content) for path, content in bundles.items()},
            proofs=tuple(sorted({path.split("/")[2] for path in plain if path.startswith("proofs/")})),
            left_out=tuple(self._left_out(sites, applying)),
        )
        page = howto(holds)
        return {"HOW-TO.md": page.encode(), "HOW-TO.html": sheet("Break glass", page), "pack.json": self._told(holds)}

    def _known(self, sites: tuple[Site, ...]) -> Redactor:
        """What knows the secrets of the packed sites, and of those of the lab that come along in the source."""
        every = [load_site(path) for path in sorted((self.runbooks / "sites").glob("*.yaml"))]
        return known((*sites, *every), self.home.path)

    def _applying(self, site: Site) -> tuple[Runbook, ...]:
        """The runbooks of procedures that the site has something for, in the order of their names."""
        found = (load_runbook(path.stem, self.runbooks) for path in sorted(self.runbooks.glob("*.md")))
        return tuple(runbook for runbook in found if _applies(runbook.procedure, site))

    def _started(self) -> Iterator[tuple[str, bytes]]:
        folder = files("defib.pack.starter")
        for name in _STARTER:
            yield name, folder.joinpath(name).read_bytes()

    def _source(self) -> Iterator[tuple[str, bytes]]:
        """The package itself, its flows and its runbooks, from wherever they are installed; of sites the lab's alone."""
        root = Path(defib.__file__).resolve().parents[1]
        for name in _SOURCES:
            yield from _below(root / name, f"source/{name}")
        yield from _below(self.runbooks, "source/runbooks", lambda path: path.suffix != ".yaml" or load_site(path).lab)
        for name in _BESIDE:
            if (root / name).is_file():
                yield f"source/{name}", (root / name).read_bytes()

    def _site_files(self) -> Iterator[tuple[str, bytes]]:
        """To be read by people, and where commands find them by name."""
        for path in self.sites:
            for folder in ("sites", "source/runbooks/sites"):
                yield f"{folder}/{load_site(path).site}.yaml", path.read_bytes()

    def _filled(self, sites: tuple[Site, ...], applying: Mapping[str, tuple[Runbook, ...]]) -> Iterator[tuple[str, bytes]]:
        for site in sites:
            folder = f"runbooks/{site.site}"
            changes = records.files(site)
            yield from ((f"{folder}/changes/{name}", content) for name, content in changes.items())
            for runbook in applying[site.site]:
                text = fill(runbook, site).text
                if runbook.procedure in _MOVING:
                    text = f"{text.rstrip()}\n\n{records.told(site, f'{folder}/changes')}"
                yield f"{folder}/{runbook.procedure}.md", text.encode()
                yield f"{folder}/{runbook.procedure}.html", sheet(runbook.title, _without_front(text))

    def _proofs(self, sites: tuple[Site, ...], applying: Mapping[str, tuple[Runbook, ...]]) -> Iterator[tuple[str, bytes]]:
        within = Deadline.after(self.clock, _LOOKING)
        for site in sites:
            for runbook in applying[site.site]:
                proof = last_proof(self.home, site.site, runbook.procedure, within)
                for name in _PROOFS if proof else ():
                    file = self.home.path / "runs" / (proof.run if proof else "") / name
                    if file.is_file():
                        yield f"proofs/{site.site}/{runbook.procedure}/{name}", file.read_bytes()

    def _bundles(self, sites: tuple[Site, ...]) -> Iterator[tuple[str, bytes]]:
        """Where commands that are run from the pack look for them."""
        for site in sites:
            for repository in repositories(site.site, site.git):
                names = [remote.name for remote in repository.remotes]
                settings = (f"{repository.bundle.removesuffix('.bundle')}.{name}.settings.json" for name in names)
                for path in (repository.bundle, f"{repository.bundle}.added", *settings):
                    if (self.home.path / path).is_file():
                        yield f"home/{path}", (self.home.path / path).read_bytes()

    def _left_out(self, sites: tuple[Site, ...], applying: Mapping[str, tuple[Runbook, ...]]) -> Iterator[str]:
        every = sorted(path.stem for path in self.runbooks.glob("*.md"))
        for site in sites:
            without = [name for name in every if name not in {runbook.procedure for runbook in applying[site.site]}]
            if without:
                yield f"runbooks that {site.site} has nothing for: {', '.join(without)}"
            missing = [
                each.bundle for each in repositories(site.site, site.git) if not (self.home.path / each.bundle).is_file()
            ]
            if self.bundles and missing:
                yield f"bundles that {site.site} has not got: {', '.join(missing)}"

    def _told(self, holds: Holds) -> bytes:
        """What the pack is of, for whoever asks later whether it is still so."""
        told = {
            "version": holds.version,
            "sites": {path.stem: digest(path) for path in self.sites},
            "runbooks": {path.stem: digest(path) for path in sorted(self.runbooks.glob("*.md"))},
            "platforms": holds.platforms,
            "wheels": holds.wheels_from,
        }
        return (json.dumps(told, indent=2, sort_keys=True) + "\n").encode()


_MOVING = frozenset({"cdn-failover", "dns-switch", "aws-redeploy", "failback"})
"""Procedures that change record sets."""


def _applies(procedure: str, site: Site) -> bool:
    """Whether a site has what a procedure is about."""
    if procedure == "cdn-failover":
        return bool(site.cdns)
    if procedure == "dns-switch":
        return bool(site.backups)
    if procedure in {"aws-redeploy", "release-rollback", "standby-prepare"}:
        return find_host(site) is not None
    if about(procedure) is About.REPOSITORIES:
        return site.git is not None
    return bool(site.replication) if about(procedure) is About.ASSETS else True


def _below(folder: Path, place: str, goes: Callable[[Path], bool] = lambda _: True) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix != ".pyc" and "__pycache__" not in path.parts and goes(path):
            yield f"{place}/{path.relative_to(folder).as_posix()}", path.read_bytes()


def _without_front(text: str) -> str:
    """A runbook without its front matter, and with a line of its own for what follows a heading."""
    body = text.split("---\n", 2)[2]
    return re.sub(r"^(## .+\n)(.+)\n", r"\1\n*\2*\n", body, flags=re.MULTILINE)
