"""Which remote each repository is taken from, where that is no longer the one that the site file names."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from defib.clock import Deadline
from defib.errors import Conflict, EvidenceBroken
from defib.plan import SOURCE_VENDOR
from defib.ports import Receipt, RecordChange, RecordKey, RecordSet
from defib.wholefile import put

SOURCE = "SOURCE"
"""The type under which a source stands in a plan; its one value is the name of the remote."""


def source_key(repository: str) -> RecordKey:
    """The key under which the source of a repository stands in a plan."""
    return RecordKey(repository, SOURCE)


def taken_from(repository: str, remote: str) -> RecordSet:
    """A repository's source as it stands in a plan."""
    return RecordSet(source_key(repository), timedelta(0), (remote,))


def command(site: str, promoted: str) -> str:
    """What a person types for the promotion ``<repository>@<remote>``."""
    repository, _, to = promoted.partition("@")
    return f"git promote --site {site} --repository {repository} --to {to}"


class SourcesOfSite:
    """Fulfils :class:`defib.ports.DnsZone` for the sources of one site's repositories.

    They are kept in a file of this machine, so that a source can be changed while every Git host but one is gone; the URLs
    stay where they are, in the site file. `written` are the sources that the site file names, `remotes` all that it names.
    """

    def __init__(self, site: str, file: Path, written: Mapping[str, str], remotes: Mapping[str, Collection[str]]) -> None:
        self._site, self._file, self._written, self._remotes = site, file, written, remotes

    @property
    def vendor(self) -> str:
        """``git-source``."""
        return SOURCE_VENDOR

    @property
    def zone(self) -> str:
        """The site's name."""
        return self._site

    def now(self) -> dict[str, str]:
        """The remote that each repository is taken from; :class:`EvidenceBroken` where nobody can tell."""
        try:
            kept = json.loads(self._file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            kept = {}
        except (OSError, ValueError) as error:
            raise self._broken(str(error)) from error
        if not isinstance(kept, dict):
            raise self._broken("no table of repositories")
        for name, remote in kept.items():
            if name in self._remotes and remote not in self._remotes[name]:
                raise self._broken(f"{name} is taken from {remote}, which the site file does not name any more")
        return {name: str(kept.get(name, remote)) for name, remote in self._written.items()}

    def as_far_as_known(self) -> dict[str, str]:
        """The same, by the site file alone where nobody can tell; for whoever only opens the site."""
        try:
            return self.now()
        except EvidenceBroken:
            return dict(self._written)

    def elsewhere(self) -> dict[str, str]:
        """The repositories that are not taken from where the site file says."""
        return {name: remote for name, remote in self.now().items() if self._written[name] != remote}

    def _broken(self, seen: str) -> EvidenceBroken:
        text = "nobody can tell which remotes are the sources"
        then = f"correct or remove {self._file}; then defib git promote"
        return EvidenceBroken(text, where=str(self._file), seen=seen, then=then)

    def read(self, keys: Sequence[RecordKey], *, within: Deadline) -> tuple[RecordSet | None, ...]:  # noqa: ARG002
        """The source of each repository. Nothing is asked of anybody."""
        sources = self.now() if keys else {}
        return tuple(taken_from(key.name, sources[key.name]) if key.name in sources else None for key in keys)

    def replace(self, changes: Sequence[RecordChange], *, within: Deadline) -> Receipt:  # noqa: ARG002 - it is a file
        """Change the sources, all of them at once."""
        sources = self.now()
        for change in changes:
            before = change.before.values[0] if change.before else ""
            if sources.get(change.key.name) != before:
                seen = sources.get(change.key.name, "nothing")
                raise Conflict(
                    f"the source of {change.key.name} is another", where=str(self._file), expected=before, seen=seen
                )
            if change.after is not None:
                sources[change.key.name] = change.after.values[0]
        self._write({name: remote for name, remote in sources.items() if self._written[name] != remote})
        return Receipt("")

    def settled(self, receipt: Receipt, *, within: Deadline) -> bool:  # noqa: ARG002 - a file is as it was written
        """True."""
        return True

    def _write(self, sources: Mapping[str, str]) -> None:
        put(self._file, json.dumps(dict(sources)).encode(), "the sources")
