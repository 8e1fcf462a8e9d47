"""What a remote holds: ``ls-refs`` of Git's protocol version 2 (https://git-scm.com/docs/gitprotocol-v2#_ls_refs)."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence

from defib.clock import Deadline
from defib.providers.git.smart_http import END, SmartHttp, question

_MOST = 1 << 28
"""Bytes of a listing, which are some three million refs; what is larger is left to `git`, which keeps it on the disk."""

_END = END.decode()
_LINE = re.compile(r"[0-9a-f]{4}([0-9a-f]{40}) ([^\x00-\x20\x7f~^:?*\[\\]+)\n")
_AROUND_NAME = 4 + 40 + 2
_IN_NO_NAME = ("..", "@{", "//", "/.", "/\n", ".\n", ".lock")
"""What git allows in no name (https://git-scm.com/docs/git-check-ref-format); it is asked which refs to pass over then."""


class Reading:
    """Reads listings, of which the next is mostly the last one again: a mirror says word for word what its source says.

    Safe to use from several threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: tuple[bytes, tuple[str, ...], dict[str, str] | None] = (b"", (), None)

    def refs(self, told: bytes, under: Sequence[str]) -> dict[str, str] | None:
        """The refs of an answer that begin with one of `under`, or all; None where it is not whole, or holds something else.

        Nobody may change what is given.
        """
        with self._lock:
            if self._last[:2] != (told, tuple(under)):
                self._last = (told, tuple(under), _refs(told.decode(errors="replace"), under))
            return self._last[2]


def list_refs(there: SmartHttp, under: Sequence[str], reading: Reading, within: Deadline) -> dict[str, str] | None:
    """The refs that begin with one of `under`, or all; None where `git` must ask.

    :class:`Unavailable` where the time is over.
    """
    asked = question("ls-refs", [f"ref-prefix {each}" for each in under])
    told = there.ask("git-upload-pack", asked, _MOST, within)
    return None if told is None else reading.refs(told, under)


def _refs(told: str, under: Sequence[str]) -> dict[str, str] | None:
    lines = _LINE.findall(told)
    names = [name for _, name in lines]
    whole = _AROUND_NAME * len(names) + sum(map(len, names)) + len(_END) == len(told) and told.endswith(_END)
    if not whole or any(part in told for part in _IN_NO_NAME):
        return None
    wanted = tuple(under) or "refs/"
    return {name: commit for commit, name in lines if name.startswith(wanted)}
