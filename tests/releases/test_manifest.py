"""The manifest of a release."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from defib.releases.manifest import Entry, Manifest, ManifestBroken, decode, encode
from defib.releases.rules import ASK, Headers
from defib.releases.store import Listed

WHEN = datetime(2026, 1, 1, 12, 30, 15, tzinfo=UTC)
ENTRY = Entry("index.html", 7, "ab" * 32, Headers("text/html", ASK), "etag", WHEN)
MANIFEST = Manifest("1" * 40, WHEN, WHEN + timedelta(minutes=1), (ENTRY, ENTRY._replace(path="a", carried=WHEN)))

entries = st.builds(
    Entry,
    path=st.text(min_size=1),
    size=st.integers(min_value=0),
    sha256=st.text("0123456789abcdef", min_size=64, max_size=64),
    headers=st.builds(Headers, st.text(), st.text()),
    etag=st.text(),
    modified=st.datetimes(timezones=st.just(UTC)),
    carried=st.none() | st.datetimes(timezones=st.just(UTC)),
)


@given(st.lists(entries, unique_by=lambda entry: entry.path))
def test_there_and_back(found: list[Entry]) -> None:
    """What was written is what is read, whatever the names."""
    manifest = Manifest("1" * 40, WHEN, WHEN, tuple(found))
    try:
        content = encode(manifest)
    except UnicodeEncodeError:
        return  # half a surrogate is in no name that a file of UTF-8 has
    assert manifest == decode(content)


def test_what_people_and_scripts_read() -> None:
    """The manifest says what is in the release without our own code."""
    told = json.loads(encode(MANIFEST))
    assert ("1" * 40, 2, 14) == (told["commit"], told["count"], told["total"])
    assert MANIFEST.digest == told["digest"]


def test_the_digest_is_of_what_is_served() -> None:
    """Order, times and ETags do not count; a path, a content or a header does."""
    same = replace(MANIFEST, entries=tuple(each._replace(etag="x", modified=WHEN) for each in reversed(MANIFEST.entries)))
    other = replace(MANIFEST, entries=(ENTRY._replace(headers=Headers("text/html", "no-store")), MANIFEST.entries[1]))
    assert MANIFEST.digest == same.digest
    assert MANIFEST.digest != other.digest


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff",
        b'{"format":2}',
        encode(MANIFEST)[:-30],
        encode(MANIFEST).replace(b'"count":2', b'"count":3'),
        encode(MANIFEST).replace(b'"text/html"', b'"text/evil"', 1),
        encode(MANIFEST).replace(b'"objects":[[', b'"objects":["'),
        encode(MANIFEST).replace(b"+00:00", b""),
    ],
)
def test_what_does_not_hold(content: bytes) -> None:
    """A manifest that was cut, edited or is of another kind is broken, never half believed."""
    with pytest.raises(ManifestBroken):
        decode(content)


def test_who_was_written_since() -> None:
    """Another size, ETag or time of change shows that somebody wrote the object."""
    listed = Listed("key", 7, "etag", WHEN)
    others = (
        listed._replace(size=8),
        listed._replace(etag="other"),
        listed._replace(modified=WHEN + timedelta(seconds=1)),
    )
    assert [True, False, False, False] == [ENTRY.listed_as(each) for each in (listed, *others)]
