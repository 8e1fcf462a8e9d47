"""A few refs that go on, brought and sent in one request each: where a remote was is known, so it need not be asked first.

Both are for the everyday case, a few commits on a few branches. Whatever else it is, `git fetch` and `git push` do it, and
whatever goes wrong here they do again: neither way does harm a second time. What comes in is looked through as strictly as
a fetch does (transfer.fsckObjects), and every link in it has to lead to something that is here. What goes out moves a ref
only from where it was seen: whoever holds the repository compares that.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence

from defib.clock import Deadline
from defib.providers.git.advance import update
from defib.providers.git.command import TOLERATED, GitCommand
from defib.providers.git.outgoing import LARGEST_PACK, Move, Outgoing
from defib.providers.git.smart_http import END, SmartHttp, packet, packets, question

_SMALL = 1 << 22
"""Bytes that come at once; what is more than this is begun anew by `git`, which keeps it on the disk."""

_DATA = 1
_PACK = re.compile(rb"PACK\x00\x00\x00[\x02\x03](?!\x00\x00\x00\x00)")
"""How a pack begins in which there is something (https://git-scm.com/docs/gitformat-pack)."""


def bring(there: SmartHttp, git: GitCommand, moves: Sequence[Move], within: Deadline) -> bool:
    """Bring what `moves` lead to, and make them; False where `git fetch` must, and then nothing was moved.

    All refs have led somewhere before: that is what the remote is told that we have. :class:`Unavailable` where the time is
    over.
    """
    wants, haves = (list(dict.fromkeys(move[side] for move in moves)) for side in (2, 1))
    if not all(haves):
        return False
    told = [*(f"want {each}" for each in wants), *(f"have {each}" for each in haves)]
    asked = question("fetch", ["thin-pack", "ofs-delta", "no-progress", *told, "done"])
    pack = _pack_in(there.ask("git-upload-pack", asked, _SMALL, within) or b"")
    return bool(pack) and _taken(git, pack, within) and update(git, moves, within)


def _pack_in(told: bytes) -> bytes:
    """The pack in an answer, "" where there is none; a shallow repository says that it is one before it."""
    try:
        first, *rest = packets(told)
    except ValueError:
        return b""
    if first != b"packfile\n" or any(each[:1] not in {b"\x01", b"\x02"} for each in rest):
        return b""
    pack = b"".join(each[1:] for each in rest if each[0] == _DATA)
    return pack if _PACK.match(pack) else b""


def _taken(git: GitCommand, pack: bytes, within: Deadline) -> bool:
    strict = ",".join(f"{name}=ignore" for name in TOLERATED)
    with tempfile.TemporaryFile() as given:
        given.write(pack)
        given.seek(0)
        command = ("index-pack", "--stdin", "--fix-thin", f"--strict={strict}")
        return not git.run(*command, within=within, given=given).status


def send(there: SmartHttp, outgoing: Outgoing, moves: Sequence[Move], most: int, within: Deadline) -> bool:
    """Make `moves` there; False where `git push` must, whatever became of it: no ref was moved that could lose anything.

    All refs lead somewhere there. No more than `most` bytes are sent, 0 for as many as are sent at once.
    :class:`Unavailable` where the time is over.
    """
    if not all(before for _, before, _ in moves) or not outgoing.loses_nothing(moves, within):
        return False
    pack = outgoing.pack(moves, within)
    if not pack or len(pack) > (most or LARGEST_PACK):
        return False
    commands = [f"{before} {after} {ref}" for ref, before, after in moves]
    commands[0] += "\0 report-status"  # without more than that the answer is nothing but the report
    asked = b"".join(packet(each.encode()) for each in commands) + END + pack
    try:
        said = set(packets(there.ask("git-receive-pack", asked, _SMALL, within) or b""))
    except ValueError:
        return False
    return said == {b"unpack ok\n", *(f"ok {ref}\n".encode() for ref, _, _ in moves)}
