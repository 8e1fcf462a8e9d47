"""Where a site is made anew from its sources: everybody who may hold them is asked, and one commit is built."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from defib.building.build import build_site
from defib.building.built import Built, Checkout
from defib.clock import Deadline
from defib.home import Home
from defib.redeploy.offer import Offers
from defib.releases.crowd import Crowd
from defib.sites.site import Site


class Sources(Protocol):
    """The remotes of a site, and the bundle that is kept of them."""

    def ask(self, deployed: Sequence[str], *, within: Deadline, users_had: datetime | None = None) -> Offers:
        """What everybody offers; nobody's failure is raised. `deployed` are the commits that were, the last one first."""
        ...

    def export(self, commit: str, folder: Path, *, within: Deadline) -> None:
        """A clean work tree of exactly `commit` in `folder`."""
        ...


class Workshop:
    """Asks the sources of one site, and builds in folders that are gone afterwards; `crowd` is how much it does at once."""

    def __init__(self, site: Site, home: Home, sources: Sources, crowd: Crowd | None = None) -> None:
        self.crowd = crowd or Crowd()
        self._site = site
        self._home = home
        self._sources = sources

    def ask(self, deployed: Sequence[str], *, within: Deadline, users_had: datetime | None = None) -> Offers:
        """What everybody offers."""
        return self._sources.ask(deployed, within=within, users_had=users_had)

    def make(self, commit: str, committed: datetime, *, within: Deadline, line: Callable[[str], None]) -> Built:
        """Build `commit`; each line of the build's output goes to `line`. Errors are those of :func:`build_site`."""
        with tempfile.TemporaryDirectory(prefix="defib-build-") as folder:
            tree = Path(folder) / "tree"
            self._sources.export(commit, tree, within=within)
            return build_site(self._site, Checkout(commit, committed, tree), self._home, within, line)
