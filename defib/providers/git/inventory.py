"""Every ref of a store, read as seldom as may be: with thousands of them that is most of what a run without news costs."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping

from defib.clock import Deadline
from defib.errors import StepFailed
from defib.providers.git.command import GitCommand

_MOST_BY_NAME = 100
"""So many refs are looked at again by name; where there are more, all that there are."""


class Inventory:
    """The refs of the repository of `git`. Whoever changes some says so by :meth:`changed`."""

    def __init__(self, git: GitCommand) -> None:
        self._git = git
        self._known: dict[str, str] | None = None
        self._stale: set[str] = set()

    def refs(self, within: Deadline) -> Mapping[str, str]:
        """What every ref leads to; :class:`StepFailed` where the repository cannot be read."""
        if self._known is None or len(self._stale) > _MOST_BY_NAME:
            self._known = self._read((), within)
        elif self._stale:
            fresh = self._read(self._stale, within)
            kept = {ref: commit for ref, commit in self._known.items() if ref not in self._stale}
            self._known = kept | {ref: fresh[ref] for ref in self._stale if ref in fresh}
        self._stale = set()
        return self._known

    def changed(self, refs: Collection[str]) -> None:
        """These may lead elsewhere now; with a ``*`` among them, any may."""
        self._stale |= set(refs)
        if any("*" in ref for ref in refs):
            self.forget()

    def forget(self) -> None:
        """Somebody else may have changed any of them."""
        self._known = None

    def _read(self, refs: Collection[str], within: Deadline) -> dict[str, str]:
        with tempfile.TemporaryFile() as file:
            command = ("for-each-ref", "--format=%(refname) %(objectname)", *sorted(refs))
            told = self._git.run(*command, within=within, into=file)
            file.seek(0)
            lines = file.read().decode(errors="replace").split("\n")
        if told.status:
            raise StepFailed("the store cannot be read", where=str(self._git.repository), seen=told.output.strip()[:300])
        return {name: commit for name, _, commit in (line.rpartition(" ") for line in lines if line)}
