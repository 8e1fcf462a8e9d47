"""What goes out to several places at once, worked out once: whether anything is lost by it, and the pack of what is new."""

from __future__ import annotations

import tempfile
import threading
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

from defib.clock import Deadline
from defib.providers.git.command import GitCommand

T = TypeVar("T")

Move = tuple[str, str, str]
"""A ref, the commit that it leads to, "" where there is no such ref, and the one that it is to lead to."""

LARGEST_PACK = 1 << 20
"""Bytes that are sent at once, as by `git` (http.postBuffer)."""

_MOST = 4
"""So many are asked about one by one; of more refs git finds that out faster by itself, in a push."""

_TAGS = "refs/tags/"


class _Answers(Generic[T]):
    """Answers that are found out by whoever asks first, while the others wait for it."""

    def __init__(self) -> None:
        self._known: dict[Hashable, T] = {}
        self._locks: defaultdict[Hashable, threading.Lock] = defaultdict(threading.Lock)
        self._lock = threading.Lock()

    def to(self, question: Hashable, find_out: Callable[[], T]) -> T:
        """The answer; whatever `find_out` raises is none."""
        with self._lock:
            lock = self._locks[question]
        with lock:
            if question not in self._known:
                self._known[question] = find_out()
            return self._known[question]


class Outgoing:
    """What is in the repository of `git`, of which nothing goes away. Safe to use from several threads."""

    def __init__(self, git: GitCommand) -> None:
        self._git = git
        self._descents, self._packs = _Answers[bool](), _Answers[bytes]()

    def loses_nothing(self, moves: Sequence[Move], within: Deadline) -> bool:
        """Whether all `moves` are of refs that are new, or go on to what descends from where they are; no tag is moved."""
        moved = [(before, after) for _, before, after in moves if before and before != after]
        if len(moved) > _MOST or any(ref.startswith(_TAGS) and before not in {"", after} for ref, before, after in moves):
            return False
        return all(self._descends(after, before, within) for before, after in moved)

    def pack(self, moves: Sequence[Move], within: Deadline) -> bytes:
        """What lies between where the refs are and where they go; b"" where that is too large, or cannot be read.

        Whole objects and their differences from each other alone, which every host reads.
        """
        ends = (*(after for _, _, after in moves), *(f"^{before}" for _, before, _ in moves))
        return self._packs.to(ends, lambda: self._packed(ends, within))

    def _descends(self, commit: str, older: str, within: Deadline) -> bool:
        command = ("merge-base", "--is-ancestor", older, commit)
        return self._descents.to((commit, older), lambda: not self._git.run(*command, within=within).status)

    def _packed(self, ends: Sequence[str], within: Deadline) -> bytes:
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as pack:
            given.write("".join(f"{line}\n" for line in ends).encode())
            given.seek(0)
            made = self._git.run("pack-objects", "--stdout", "--revs", "--quiet", within=within, given=given, into=pack)
            size = pack.seek(0, 2)
            pack.seek(0)
            return b"" if made.status or size > LARGEST_PACK else pack.read()
