"""What may happen to two buckets, at random."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import strategies as st

from defib.replication.port import Status
from tests.replication.buckets import OPAQUE, Buckets

KEYS = st.sampled_from(
    ["a", "a/", "a/b", "a/c/d", "a//e", "a0", "b/x", "b/y", "c", "ä/ö", "z z", "z+z", "%41", "\U0001f600", "\uffee"]
)
EDIT = st.tuples(
    st.sampled_from(
        ["written", "pending", "failed", "uncovered", "lost", "flipped", "resized", "parts", "deleted", "extra", "again"]
    ),
    KEYS,
)


EDITS = st.lists(EDIT, max_size=25)


def edited(buckets: Buckets, edits: list[tuple[str, str]]) -> Buckets:
    """The same buckets after all of this was done to them, a second each."""
    lost = set[tuple[str, str]]()
    for number, (what, key) in enumerate(edits):
        edit(buckets, lost, what, key, number)
        buckets.clock.sleep(timedelta(seconds=1))
    return buckets


def edit(buckets: Buckets, lost: set[tuple[str, str]], what: str, key: str, number: int) -> None:
    """Do this to a key; `lost` are the versions whose bytes the replica does not hold."""
    content = f"{what} {key} {number}".encode()
    if what == "deleted":
        buckets.delete(key)
        return
    if what == "extra":
        buckets.replica.put(key, b"extra", within=buckets.within)
        return
    if what == "again":
        held = buckets.source.kept(key)
        if held is not None and not held.version.marker:
            buckets.copy_again(key, held.version.id)
            lost -= {each for each in lost if each == (key, held.version.id)}
        return
    states = {"pending": Status.PENDING, "failed": Status.FAILED, "uncovered": Status.NONE, "lost": Status.COMPLETED}
    version = buckets.write(key, content, states.get(what, Status.PENDING), plain=what != "parts")
    if what in states:
        lost.add((key, version))
    elif what == "flipped":
        buckets.replicate(key, version, content[:-1] + b"?")
        lost.add((key, version))
    elif what == "resized":
        buckets.replicate(key, version, content + b"!")
        lost.add((key, version))
    else:
        buckets.replicate(key, version, etag=OPAQUE if what == "parts" else "")
