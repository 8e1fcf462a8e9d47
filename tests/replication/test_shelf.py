"""Versions put into the order of S3, in whatever order they come."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from defib.clock import Deadline, SimulatedClock
from defib.replication.listing import versions
from defib.replication.port import Cursor, Version
from defib.replication.shelf import Shelf

START = datetime(2026, 1, 1, tzinfo=UTC)
WITHIN = Deadline.after(SimulatedClock(), timedelta(minutes=1))
KEYS = ["", "a", "a/", "a/b", "a0", "b", "ä", "z z", "\uffee", "\U0001f600", "a\0b", "'; --"]


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    """An empty one."""
    with closing(Shelf("s3://b")) as made:
        yield made


def version(key: str, number: int, *, latest: bool = False, marker: bool = False) -> Version:
    """The version of that number; the higher, the newer."""
    modified = START + timedelta(milliseconds=1234 * number)
    return Version(key, f"v {number}", 0 if marker else number, "" if marker else "e", modified, marker, latest)


def history(key: str, length: int) -> list[Version]:
    """So many versions of a key, newest first."""
    return [version(key, number, latest=number == length - 1, marker=number % 3 == 2) for number in reversed(range(length))]


@settings(max_examples=150, deadline=None)
@given(
    lengths=st.dictionaries(st.sampled_from(KEYS), st.integers(1, 4), max_size=9),
    prefix=st.sampled_from(["", "", "a", "a/"]),
    after=st.sampled_from(KEYS),
    until=st.sampled_from(["", *KEYS]),
    seed=st.integers(0, 99),
)
def test_a_listing_in_the_order_of_s3(lengths: dict[str, int], prefix: str, after: str, until: str, seed: int) -> None:
    """By key in UTF-8, newest first, from where it is to begin to where it is to end."""
    chance, kept = random.Random(seed), {key: history(key, length) for key, length in lengths.items() if key}
    listed = [each for held in kept.values() for each in held]
    chance.shuffle(listed)
    with closing(Shelf("s3://b")) as shelf:
        for number in range(0, len(listed), 5):
            shelf.put(listed[number : number + 5])
        found = dict(versions(shelf, Cursor(prefix, after, "", until), WITHIN))
    keys = [key for key in sorted(kept) if key.startswith(prefix) and key > after and not (until and key > until)]
    assert list(found) == keys
    assert found == {key: kept[key] for key in keys}


def test_more_than_a_page(shelf: Shelf) -> None:
    """Keys, and versions of one key, across several pages."""
    many = [version(f"{number:05}", number) for number in range(2500)]
    shelf.put(reversed(many))
    shelf.put(history("00700", 2500))
    found = list(versions(shelf, Cursor(), WITHIN))
    assert [key for key, _ in found] == [each.key for each in many]
    assert [len(held) for _, held in found] == [2500 if key == "00700" else 1 for key, _ in found]


def test_what_comes_twice_is_there_once(shelf: Shelf) -> None:
    """A list that is no snapshot may have a version twice."""
    shelf.put([version("a", 1), version("a", 1)])
    shelf.put([version("a", 1)])
    assert [held for _, held in versions(shelf, Cursor(), WITHIN)] == [[version("a", 1)]]
