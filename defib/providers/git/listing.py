"""What a remote holds: ``ls-refs`` of Git's protocol version 2 (https://git-scm.com/docs/gitprotocol-v2#_ls_refs)."""

from __future__ import annotations

import re
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


def list_refs(there: SmartHttp, under: Sequence[str], within: Deadline) -> dict[str, str] | None:
    """The refs that begin with one of `under`, or all; None where `git` must ask.

    :class:`Unavailable` where the time is over.
    """
    asked = question("ls-refs", [f"ref-prefix {each}" for each in under])
    told = there.ask("git-upload-pack", asked, _MOST, within)
    return None if told is None else _refs(told.decode(errors="replace"), under)


def _refs(told: str, under: Sequence[str]) -> dict[str, str] | None:
    """The refs of an answer; None where it is not whole, or something in it is no ref."""
    lines = _LINE.findall(told)
    whole = sum(_AROUND_NAME + len(name) for _, name in lines) + len(_END) == len(told) and told.endswith(_END)
    if not whole or any(part in told for part in _IN_NO_NAME):
        return None
    wanted = tuple(under) or "refs/"
    return {name: commit for commit, name in lines if name.startswith(wanted)}
