"""Listings side by side: keys with any number of versions, in pieces of any size."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice

from hypothesis import given, settings
from hypothesis import strategies as st

from defib.clock import Deadline
from defib.replication.listing import PIECE, pieces, versions
from defib.replication.merge import KEPT, Counted, Unlike, merged
from defib.replication.port import Cursor, Version
from tests.replication.buckets import Buckets

START = datetime(2026, 1, 1, tzinfo=UTC)
VERSION = st.tuples(st.sampled_from("abc"), st.integers(0, 3), st.sampled_from(["same", "other", "here", "there"]))


def version(key: str, number: int, second: int, etag: str = "e") -> Version:
    """One version, written in that second."""
    return Version(key, str(number), 1, etag, START + timedelta(seconds=second), marker=False, latest=False)


def cut(listed: Sequence[Version], chance: random.Random) -> Iterator[tuple[str, list[Version]]]:
    """A listing, its keys in pieces of any size."""
    piece: list[Version] = []
    for each in listed:
        if piece and (piece[0].key != each.key or chance.random() < 0.4):
            yield piece[0].key, piece
            piece = []
        piece.append(each)
    if piece:
        yield piece[0].key, piece


@settings(max_examples=300, deadline=None)
@given(told=st.lists(VERSION, max_size=20), seed=st.integers(0, 1000))
def test_what_differs_is_what_a_naive_model_says(told: list[tuple[str, int, str]], seed: int) -> None:
    """However the versions of a key are cut into pieces, and whatever the order of those of one second."""
    chance = random.Random(seed)
    sides: dict[str, list[Version]] = {"here": [], "there": []}
    wanted: dict[str, set[tuple[str, str]]] = {"pairs": set(), "here": set(), "there": set(), "same": set()}
    for number, (key, second, what) in enumerate(told):
        wanted["pairs" if what == "other" else what].add((key, str(number)))
        if what != "there":
            sides["here"].append(version(key, number, second))
        if what != "here":
            sides["there"].append(version(key, number, second, "f" if what == "other" else "e"))
    for side in sides.values():
        chance.shuffle(side)
        side.sort(key=lambda each: (each.key, START - each.modified))
    counted, same = Counted(), list[Version]()
    found = list(merged(cut(sides["here"], chance), cut(sides["there"], chance), counted, same.append))
    assert {(each.key, each.id) for unlike in found for each, _ in unlike.pairs} == wanted["pairs"]
    assert {(each.key, each.id) for unlike in found for each in unlike.here} == wanted["here"]
    assert {(each.key, each.id) for unlike in found for each in unlike.there} == wanted["there"]
    assert {(each.key, each.id) for each in same} == wanted["same"]
    assert (counted.source, counted.replica, counted.same) == (len(sides["here"]), len(sides["there"]), len(same))


def test_a_key_with_more_versions_than_are_kept() -> None:
    """A key that is written each second for weeks: what differs is told in parts of a size that does not grow with it."""
    number = 8 * KEPT
    here = (version("k", each, -each) for each in range(number))
    there = (version("k", each, -each) for each in range(number) if each % 3)
    counted, most, missing = Counted(), 0, list[str]()
    for unlike in merged(_pieces(here), _pieces(there), counted, lambda _: None):
        most = max(most, _size(unlike))
        missing += [each.id for each in unlike.here]
        assert not unlike.there
    assert missing == [str(each) for each in range(0, number, 3)]
    assert counted.same == number - len(missing)
    assert most <= 2 * (KEPT + PIECE)


def test_a_key_of_which_the_replica_has_only_what_is_old() -> None:
    """All that is new is missing, and what is old still finds what belongs to it."""
    here = (version("k", each, -each) for each in range(6 * KEPT))
    there = (version("k", each, -each) for each in range(5 * KEPT, 6 * KEPT))
    counted = Counted()
    found = list(merged(_pieces(here), _pieces(there), counted, lambda _: None))
    assert sum(len(unlike.here) for unlike in found) == 5 * KEPT
    assert not any(unlike.there for unlike in found)
    assert counted.same == KEPT


def _pieces(listed: Iterator[Version]) -> Iterator[tuple[str, list[Version]]]:
    while piece := list(islice(listed, PIECE)):
        yield piece[0].key, piece


def _size(unlike: Unlike) -> int:
    return len(unlike.pairs) + len(unlike.here) + len(unlike.there)


def test_a_listing_gives_many_versions_in_pieces_and_a_restore_all_of_a_key(buckets: Buckets) -> None:
    """Across pages, and next to keys with few."""
    for key in ("a", *["b"] * (2 * PIECE + 5), "c"):
        buckets.write(key)
    within = Deadline.after(buckets.clock, timedelta(minutes=1))
    told = [(key, len(held)) for key, held in pieces(buckets.source, Cursor(), within)]
    assert told == [("a", 1), ("b", PIECE), ("b", PIECE), ("b", 5), ("c", 1)]
    assert [(key, len(held)) for key, held in versions(buckets.source, Cursor(), within)] == [
        ("a", 1),
        ("b", 2005),
        ("c", 1),
    ]
