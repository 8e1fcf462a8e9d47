"""Git LFS of one remote: bring its objects to this machine, and send it those that it lacks.

::

    http: POST objects/batch     lfs_batch      which objects the server has, and where
    http: GET, PUT, verify       lfs_transfer   one object, from or to that place
    disk                         lfs_store      objects under the SHA-256 of their bytes
    git                          lfs_pointers   which objects a history needs

What is wrong with one object is told of that object, and the others go on. What is wrong with the server is raised.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx

from defib.clock import Deadline
from defib.errors import InputError
from defib.providers.git.lfs_batch import AT_ONCE, Answer, ask_batch, insist
from defib.providers.git.lfs_http import LfsHttp, Login, ObjectTrouble, is_private
from defib.providers.git.lfs_pointers import Pointer, distinct
from defib.providers.git.lfs_store import LfsStore
from defib.providers.git.lfs_transfer import download, upload

TRANSFERS = 4
"""Objects on their way at the same time."""


@dataclass(frozen=True)
class Absent:
    """An object that is not where it ought to be, and why: the server's own words, or what came in its place."""

    pointer: Pointer
    why: str

    def __str__(self) -> str:
        return f"{self.pointer}: {self.why}"


@dataclass(frozen=True)
class Fetched:
    """What became of each object that was to be brought here."""

    brought: tuple[Pointer, ...] = ()
    stood: tuple[Pointer, ...] = ()
    missing: tuple[Absent, ...] = ()


@dataclass(frozen=True)
class Sent:
    """What became of each object that the remote is to have; it says itself that it has all but the `refused`."""

    uploaded: tuple[Pointer, ...] = ()
    stood: tuple[Pointer, ...] = ()
    refused: tuple[Absent, ...] = ()


class LfsRemote:
    """The LFS server of the Git remote at `url`, which is without user and password; without a `login`, what is public.

    :class:`InputError` where the URL is neither https nor this machine's: the login would be read on the way.
    """

    def __init__(self, url: str, login: Login | None = None, *, transfers: int = TRANSFERS) -> None:
        self.endpoint = endpoint_of(url)
        if not is_private(self.endpoint):
            raise InputError("Git LFS is spoken over TLS alone", where=url, expected="https://")
        self._login = login
        self._transfers = transfers
        self._tls = httpx.create_ssl_context()

    def fetch(self, wanted: Sequence[Pointer], store: LfsStore, *, within: Deadline) -> Fetched:
        """Bring what `store` lacks. Idempotent; whatever is raised, what was brought until then stays.

        :class:`Denied`, :class:`NotFound` where there is no LFS server, :class:`Unavailable` where it does not answer, or
        wants us to wait beyond the deadline; :class:`HomeUnwritable` for the disk, :class:`Interrupted` by a signal.
        """
        every = distinct(wanted)
        stood = frozenset(each for each in every if store.holds(each))
        lacking = [each for each in every if each not in stood]
        whys: dict[Pointer, str] = {}
        with store.open(within), LfsHttp(self.endpoint, self._login, self._tls) as http:
            for group in _groups(lacking):
                whys |= self._bring(http, group, store, within)
        brought = tuple(each for each in lacking if not whys[each])
        return Fetched(brought, tuple(each for each in every if each in stood), _absent(whys))

    def send(self, wanted: Sequence[Pointer], store: LfsStore, *, within: Deadline) -> Sent:
        """Send what the remote lacks, and ask it afterwards for everything. Idempotent. Raises what :meth:`fetch` raises.

        An object that is not in `store`, or no longer sound there, is refused only where the remote lacks it.
        """
        every = distinct(wanted)
        whys: dict[Pointer, str] = {}
        stood: set[Pointer] = set()
        with LfsHttp(self.endpoint, self._login, self._tls) as http:
            for group in _groups(every):
                answers = ask_batch(http, "upload", group, within)
                held = [each for each in group if answers[each.oid].is_held]
                lacking = [each for each in group if not answers[each.oid].is_held]
                whys |= self._take_there(http, lacking, answers, store, within)
                whys |= _confirm(http, [*held, *(each for each in lacking if not whys[each])], within)
                stood.update(held)
        good = [each for each in every if not whys[each]]
        uploaded = tuple(each for each in good if each not in stood)
        return Sent(uploaded, tuple(each for each in good if each in stood), _absent(whys))

    def _bring(self, http: LfsHttp, group: Sequence[Pointer], store: LfsStore, within: Deadline) -> dict[Pointer, str]:
        answers = ask_batch(http, "download", group, within)
        return self._each(lambda each: download(http, each, answers[each.oid], store, within), group)

    def _take_there(
        self, http: LfsHttp, group: Sequence[Pointer], answers: Mapping[str, Answer], store: LfsStore, within: Deadline
    ) -> dict[Pointer, str]:
        return self._each(lambda each: _send(http, each, answers[each.oid], store, within), group)

    def _each(self, work: Callable[[Pointer], None], group: Sequence[Pointer]) -> dict[Pointer, str]:
        """Carry out `work` for each, several at once; why it could not be done, empty where it was."""
        with ThreadPoolExecutor(self._transfers, thread_name_prefix="defib-lfs") as pool:
            running = {each: pool.submit(_why, work, each) for each in group}
            try:
                return {each: done.result() for each, done in running.items()}
            finally:
                pool.shutdown(wait=True, cancel_futures=True)


def endpoint_of(url: str) -> str:
    """Where the LFS server of a Git remote is: https://github.com/git-lfs/git-lfs/blob/main/docs/api/server-discovery.md."""
    plain = url.rstrip("/")
    return f"{plain.removesuffix('.git')}.git/info/lfs"


def _why(work: Callable[[Pointer], None], pointer: Pointer) -> str:
    try:
        work(pointer)
    except ObjectTrouble as error:
        return str(error)
    return ""


def _send(http: LfsHttp, pointer: Pointer, answer: Answer, store: LfsStore, within: Deadline) -> None:
    insist(answer, "upload")
    if not store.is_sound(pointer, within):
        raise ObjectTrouble("the remote lacks it, and there is no sound copy to send", where=str(store.folder))
    upload(http, pointer, answer, store, within)


def _confirm(http: LfsHttp, sent: Sequence[Pointer], within: Deadline) -> dict[Pointer, str]:
    """Why each is not believed to be there, empty where the remote itself would give it to whoever asks."""

    def insist_on(pointer: Pointer) -> None:
        try:
            insist(answers[pointer.oid], "download")
        except ObjectTrouble as error:
            raise ObjectTrouble("the remote has it not, although it took it", seen=error.what) from error

    answers = ask_batch(http, "download", sent, within)
    return {each: _why(insist_on, each) for each in sent}


def _absent(whys: Mapping[Pointer, str]) -> tuple[Absent, ...]:
    return tuple(Absent(pointer, why) for pointer, why in whys.items() if why)


def _groups(wanted: Sequence[Pointer]) -> Iterator[list[Pointer]]:
    """At most :data:`AT_ONCE` each, and no id twice in one: of two sizes under one id the server says which is wrong."""
    rounds: dict[int, list[Pointer]] = defaultdict(list)
    seen: Counter[str] = Counter()
    for each in wanted:
        rounds[seen[each.oid]].append(each)
        seen[each.oid] += 1
    for one in rounds.values():
        yield from (one[start : start + AT_ONCE] for start in range(0, len(one), AT_ONCE))
