"""A long history pushed in steps, each of which a host that limits the size of one push takes.

GitHub takes 2 GB in one push
(https://docs.github.com/en/repositories/creating-and-managing-repositories/repository-limits#push-size).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from defib.clock import Deadline
from defib.providers.git.command import GitCommand

_KNOWN = 1000
"""So many commits that the host has are told to git; without the rest a step is taken for larger than it is."""


class Steps:
    """The commits at which to stop on the way to a branch, for a host that has `there` and takes `limit` bytes at once."""

    def __init__(self, git: GitCommand, there: Sequence[str], limit: int) -> None:
        self._git = git
        self._there = list(dict.fromkeys(there))[-_KNOWN:]
        self._limit = limit

    def towards(self, tip: str, within: Deadline) -> Iterator[str]:
        """Each commit to push before `tip` itself; whoever asks for the next has pushed the last.

        A commit that is more than the limit by itself comes alone: the host says whether it takes it.
        """
        if self._size(tip, within) <= self._limit:
            return
        left = self._line(tip, within)
        while len(left) > 1 and self._size(left[-1], within) > self._limit:
            least, most = 0, len(left) - 1
            while least < most:  # the last commit up to which it fits
                middle = (least + most + 1) // 2
                fits = self._size(left[middle], within) <= self._limit
                least, most = (middle, most) if fits else (least, middle - 1)
            yield left[least]
            self._there.append(left[least])
            left = left[least + 1 :]

    def _line(self, tip: str, within: Deadline) -> list[str]:
        """The commits of the branch itself that the host lacks, the oldest first."""
        lines: list[str] = []
        self._git.run("rev-list", "--first-parent", "--reverse", tip, *self._without(), within=within, line=lines.append)
        return lines

    def _size(self, commit: str, within: Deadline) -> int:
        told = self._git.run("rev-list", "--disk-usage", "--objects", commit, *self._without(), within=within)
        return int(told.output) if not told.status else 0

    def _without(self) -> list[str]:
        return ["--not", *self._there] if self._there else []
