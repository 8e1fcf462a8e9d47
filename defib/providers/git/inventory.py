"""Every ref of a store, read as seldom as may be: with thousands of them that is most of what a run without news costs.

They are read from the files that Git keeps them in (https://git-scm.com/docs/gitrepository-layout), which it alone writes.
Where something else is found there, `git` is asked.
"""

from __future__ import annotations

import os
import re
import tempfile
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from defib.clock import Deadline
from defib.errors import StepFailed
from defib.mirror.weigh import ARCHIVE
from defib.providers.git.command import GitCommand

INCOMING = "refs/incoming/"
_PLANNED = "refs/planned/"
"""Instead of it in a plan, which may be made beside a run, and is to change nothing for it."""

_ARCHIVED = f"{ARCHIVE}/"
_LOOSE = re.compile(r"([0-9a-f]{40})\n")
_ID = 40
_AFTER_ID = " refs/"
_NO_REF = ("", "#", "^")
"""How the lines of ``packed-refs`` begin that say something else: the last one, a header, and what a tag leads to."""


@dataclass(frozen=True)
class Held:
    """What the refs of a store lead to: the local copy, what was taken in as it is named at the source, and old tips.

    `loose` says how many stand in a file of their own.
    """

    local: dict[str, str] = field(default_factory=dict)
    incoming: dict[str, str] = field(default_factory=dict)
    archived: dict[str, str] = field(default_factory=dict)
    loose: int = 0


class Inventory:
    """The refs of the repository of `git`, of which `kinds` are mirrored. Who changes some says so by :meth:`forget`.

    Safe to use from several threads.
    """

    def __init__(self, git: GitCommand, kinds: Collection[str]) -> None:
        self._git = git
        self._local = tuple(f"refs/{kind}" for kind in kinds)
        self._at = INCOMING
        self._known: Held | None = None
        self._forgotten = 0
        self._lock = threading.Lock()

    def look_aside(self) -> None:
        """What is taken in from now on stands aside, where only plans look."""
        self._at = _PLANNED
        self.forget()

    def incoming(self, ref: str) -> str:
        """Where a ref of the source stands once it is taken in."""
        return f"{self._at}{ref.removeprefix('refs/')}"

    def held(self, within: Deadline) -> Held:
        """What every ref leads to; :class:`StepFailed` where the repository cannot be read."""
        with self._lock:
            known, asked = self._known, self._forgotten
        if known is not None:
            return known
        found = self._sorted(*self._read(within))
        with self._lock:
            if asked == self._forgotten:  # otherwise it may have been read before what was changed meanwhile
                self._known = found
        return found

    def forget(self, refs: Collection[str] = ()) -> None:  # noqa: ARG002 - all of them are read at once
        """They may lead elsewhere now."""
        with self._lock:
            self._known = None
            self._forgotten += 1

    def _sorted(self, refs: Mapping[str, str], loose: int) -> Held:
        held, taken_in = Held(loose=loose), tuple(map(self.incoming, self._local))
        for ref, commit in refs.items():
            if ref.startswith(taken_in):
                held.incoming[f"refs/{ref[len(self._at) :]}"] = commit
            elif ref.startswith(self._local):
                held.local[ref] = commit
            elif ref.startswith(_ARCHIVED):
                held.archived[ref] = commit
        return held

    def _read(self, within: Deadline) -> tuple[Mapping[str, str], int]:
        try:
            loose = _loose(self._git.repository)  # before the others: git writes those first, and removes these then
            packed = _packed(self._git.repository / "packed-refs")
        except (OSError, _Odd):
            return self._asked(within), 0
        return packed | loose, len(loose)

    def _asked(self, within: Deadline) -> dict[str, str]:
        with tempfile.TemporaryFile() as file:
            told = self._git.run("for-each-ref", "--format=%(refname) %(objectname)", within=within, into=file)
            file.seek(0)
            lines = file.read().decode(errors="replace").split("\n")
        if told.status:
            raise StepFailed("the store cannot be read", where=str(self._git.repository), seen=told.output.strip()[:300])
        return {name: commit for name, _, commit in (line.rpartition(" ") for line in lines if line)}


class _Odd(Exception):
    """Something stands there that is no ref as we know them."""


def _refuse(error: OSError) -> None:
    raise error  # a folder that is passed over would look like refs that are gone


def _loose(repository: Path) -> dict[str, str]:
    found = {}
    for folder, _, names in os.walk(repository / "refs", onerror=_refuse):
        for name in names:
            if not name.endswith(".lock"):
                path = Path(folder, name)
                line = _LOOSE.fullmatch(path.read_text(encoding="ascii", errors="replace"))
                if line is None:
                    raise _Odd(path)
                found[os.fsencode(path.relative_to(repository)).decode(errors="replace")] = line[1]
    return found


def _packed(path: Path) -> dict[str, str]:
    lines = path.read_bytes().decode(errors="replace").split("\n") if path.exists() else []
    refs = [line for line in lines if line[:1] not in _NO_REF]
    found = {line[_ID + 1 :]: line[:_ID] for line in refs if line[_ID : _ID + len(_AFTER_ID)] == _AFTER_ID}
    if len(found) < len(refs):
        raise _Odd(path)
    return found
