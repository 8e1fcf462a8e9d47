"""Git LFS of a mirrored repository: what its refs need is brought from the source, and sent before the refs are."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence

from defib.clock import Deadline
from defib.errors import DefibError, Interrupted
from defib.providers.git.command import GitCommand
from defib.providers.git.lfs import Absent, LfsRemote
from defib.providers.git.lfs_http import Login
from defib.providers.git.lfs_pointers import Pointer, pointers
from defib.providers.git.lfs_store import LfsStore
from defib.sites.git import Remote
from defib.wholefile import put

_SHOWN = 3


class LargeFiles:
    """The LFS objects that the refs of one repository need; kept beside its store.

    Where everything was brought and sent for exactly these refs, that is remembered in a file, and nobody is asked again.
    """

    def __init__(self, git: GitCommand, remotes: Sequence[Remote], secrets: Callable[[str], str]) -> None:
        self._git = git
        self._folder = git.repository / "lfs"
        self._store = LfsStore(self._folder)
        self._remotes = {remote.name: remote for remote in remotes}
        self._secrets = secrets
        self._needed: tuple[str, tuple[Pointer, ...]] = ("", ())

    def bring(self, source: str, refs: Mapping[str, str], *, within: Deadline) -> tuple[str, ...]:
        """Bring what `refs` need from the source; what could not be, in words. Idempotent."""

        def work(needed: tuple[Pointer, ...]) -> Sequence[Absent]:
            return self._open(source).fetch(needed, self._store, within=within).missing

        return self._once(source, refs, work, within, again=False)

    def send(self, place: str, refs: Mapping[str, str], *, within: Deadline, again: bool) -> tuple[str, ...]:
        """Send a mirror what `refs` need; what it lacks afterwards, in words. `again` doubts what is remembered."""

        def work(needed: tuple[Pointer, ...]) -> Sequence[Absent]:
            return self._open(place).send(needed, self._store, within=within).refused

        return self._once(place, refs, work, within, again=again)

    def _once(
        self,
        place: str,
        refs: Mapping[str, str],
        work: Callable[[tuple[Pointer, ...]], Sequence[Absent]],
        within: Deadline,
        *,
        again: bool,
    ) -> tuple[str, ...]:
        digest = hashlib.sha256("\n".join(sorted(set(refs.values()))).encode()).hexdigest()
        done, told = self._folder / f"{place}.done", f"{digest} {self._remotes[place].url}"
        if not again and done.is_file() and done.read_text(encoding="utf-8") == told:
            return ()
        try:
            needed = self._pointers(digest, refs, within)
            absent = work(needed) if needed else ()
        except Interrupted:
            raise
        except DefibError as error:
            return (f"LFS: {error}",)
        if not absent:
            put(done, told.encode(), "which large files were sent")
        more = f"; and {len(absent) - _SHOWN} more" if len(absent) > _SHOWN else ""
        return (f"LFS objects are missing: {'; '.join(map(str, absent[:_SHOWN]))}{more}",) if absent else ()

    def _pointers(self, digest: str, refs: Mapping[str, str], within: Deadline) -> tuple[Pointer, ...]:
        if self._needed[0] != digest:
            self._needed = digest, pointers(self._git, sorted(set(refs.values())), (), within)
        return self._needed[1]

    def _open(self, place: str) -> LfsRemote:
        remote = self._remotes[place]
        token = remote.token
        return LfsRemote(remote.url, Login(remote.user, self._secrets(token)) if token else None)
