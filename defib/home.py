"""``$DEFIB_HOME``: where runs, leases and the lab keep their files.

::

    runs/<run id>/    journal.jsonl, site.yaml and runbook.md as they were, report.{json,md,html}, question.json, answers,
                      made-<pair>.jsonl: the ids of the versions that it made
    sites/<site>/     lease.json, automatic.json, outage.json, users-build.json, readiness.json, drills.json, kill-switch,
                      on-demand/
    mirrors/<site>/   the local copy of each of its repositories, bundles of it, and how far its mirrors are behind
    replicas/<site>/  what was proved of its buckets' replicas, and what they lacked over time
    git/<site>.git    what the site's remotes were last seen to hold
    artefacts/<site>/ what builds of the site left, a folder each
    board-refreshed   when the board of all sites was last put into Prefect
    fleets/           plans of many sites, by their digest
    lab/              what a running lab needs
    prefect/          what Prefect's server and worker need, where `defib up` started them
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from defib.about import About, about, changes_nothing
from defib.errors import HomeUnwritable, InputError


@dataclass(frozen=True)
class Home:
    """The folder, known to be writable."""

    path: Path

    @classmethod
    def open(cls, path: Path | None = None) -> Home:
        """`path`, else ``$DEFIB_HOME``, else ``~/.local/state/defib``; :class:`HomeUnwritable` when it cannot be used."""
        chosen = path or _default()
        try:
            chosen.mkdir(parents=True, exist_ok=True, mode=0o700)
            with tempfile.TemporaryFile(dir=chosen):
                pass
        except OSError as error:
            raise HomeUnwritable(
                f"cannot write to the home folder: {error.strerror}",
                where=str(chosen),
                expected="a folder that this user may write to",
                then="DEFIB_HOME=/another/folder defib …",
            ) from error
        return cls(chosen.resolve())

    def run(self, run_id: str) -> Path:
        """The folder of one run, which must exist; an unambiguous beginning or end of its id is enough."""
        folders = self.runs()
        matching = [folder for folder in folders if folder.name == run_id] or [
            folder for folder in folders if folder.name.startswith(run_id) or folder.name.endswith(run_id)
        ]
        if len(matching) == 1:
            return matching[0]
        raise InputError(
            f"there is no run {run_id!r}" if not matching else f"{run_id!r} is the name of {len(matching)} runs",
            where=str(self.path / "runs"),
            expected=", ".join(folder.name for folder in folders[-3:]) or "a run; there is none yet",
            then="defib runs",
        )

    def runs(self) -> list[Path]:
        """The folders of all runs, oldest first."""
        return sorted(file.parent for file in (self.path / "runs").glob("*/journal.jsonl"))

    def mirrors(self, site: str, *, lab: bool = False) -> Path:
        """The folder of the local copies of a site's repositories; those of a lab last as long as it does."""
        return (self.path / "lab" if lab else self.path) / "mirrors" / site

    def replicas(self, site: str, *, lab: bool = False) -> Path:
        """The folder of what is known of a site's replicas; that of a lab lasts as long as it does."""
        return (self.path / "lab" if lab else self.path) / "replicas" / site

    def site(self, site: str) -> Path:
        """The folder of one site's lease and records."""
        return self.path / "sites" / site

    def lease(self, site: str, procedure: str) -> Path:
        """The folder of the lease that runs of `procedure` hold: the site's, or that of its repositories or assets alone.

        What changes nothing has one of its own.
        """
        what = about(procedure)
        if changes_nothing(procedure):
            return self.site(site) / f"{what.value}-looks"
        return self.site(site) if what is About.USERS else self.site(site) / what.value


def _default() -> Path:
    if chosen := os.environ.get("DEFIB_HOME"):
        return Path(chosen)
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "defib"
