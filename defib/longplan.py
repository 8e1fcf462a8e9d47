"""The line of a journal that holds a plan: of a hundred thousand objects it is gone through change by change.

What is plain values is several times as large as what they mean, and that as large as the line: only a change of it at a
time is in memory.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from defib.entries import Planned
from defib.plan import change_adapter

_LONG = 1024 * 1024
_HEAD = re.compile(rb'\{"at":("[^"\\]*"),"data":\{"changes":\[')
_TAIL = re.compile(
    rb'\],"digest":("[0-9a-f]*")\}(,"hash":"([0-9a-f]{64})")'
    rb',"kind":"Planned","mono":("[^"\\]*"),"n":(\d+),"prev":"([0-9a-f]{64})"\}'
)
_TAIL_AT_MOST = 1000


@dataclass(frozen=True)
class LongLine:
    """One such line whose hash is right, with the parts of it as they stand there."""

    at: str
    mono: str
    n: int
    prev: str
    hash: str
    entry: Planned


def written(entry: Planned, redacted: Callable[[Any], Any]) -> tuple[bytes, Planned]:
    """A plan as canonical JSON, and as it is read again; a change without a secret in it is the very same."""
    adapter, lines, changes = change_adapter(), [], []
    for change in entry.changes:
        tree = redacted(adapter.dump_python(change, mode="json"))
        told = adapter.validate_python(tree)
        lines.append(_canonical(tree).encode())
        changes.append(change if told == change else told)
    digest = redacted(entry.digest)
    data = b'{"changes":[' + b",".join(lines) + b'],"digest":' + _canonical(digest).encode() + b"}"
    return data, Planned(digest, tuple(changes))


def read(raw: bytes) -> LongLine | None:
    """A long line that holds a plan; None for any other, and for one that is not as it was written."""
    if len(raw) < _LONG:
        return None
    head, tail = _HEAD.match(raw), _TAIL.search(raw, len(raw) - _TAIL_AT_MOST)
    if head is None or tail is None or tail.end() != len(raw):
        return None
    hashed = hashlib.sha256(memoryview(raw)[: tail.start(2)])
    hashed.update(memoryview(raw)[tail.end(2) :])
    if hashed.hexdigest() != tail[3].decode():
        return None
    changes, decoder, adapter = [], json.JSONDecoder(), change_adapter()
    text, at = raw[head.end() : tail.start()].decode(), 0
    while at < len(text):
        tree, end = decoder.raw_decode(text, at)
        if _canonical(tree) != text[at:end] or text[end : end + 1] not in ("", ","):
            return None
        changes.append(adapter.validate_python(tree))
        at = end + 1
    told = Planned(json.loads(tail[1]), tuple(changes))
    return LongLine(json.loads(head[1]), json.loads(tail[4]), int(tail[5]), tail[6].decode(), tail[3].decode(), told)


def _canonical(tree: Any) -> str:
    return json.dumps(tree, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
