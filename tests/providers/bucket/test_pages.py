"""Pages of listings as several kinds of S3 write them, and what looks like one and is none."""

from __future__ import annotations

import random
import re
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from threading import Thread
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from defib.clock import Deadline, SystemClock
from defib.errors import Unavailable
from defib.providers.aws import AwsAccess
from defib.providers.bucket.entries import local, take
from defib.providers.bucket.pages import read_folders, read_page
from defib.providers.bucket.retrying import RetryingBucket
from defib.providers.bucket.s3 import S3Bucket
from defib.providers.wrappers import Backoff
from defib.replication.port import Cursor, Page, Version

AWS = (
    "Key", "VersionId", "IsLatest", "LastModified", "ETag", "ChecksumAlgorithm", "ChecksumType", "Size", "Owner",
    "StorageClass",
)  # fmt: skip
REFERENCE = (
    "ETag", "ChecksumAlgorithm", "ChecksumType", "Size", "StorageClass", "Key", "VersionId", "IsLatest", "LastModified",
    "Owner",
)  # fmt: skip
"""In this order the documents of the API have them."""

PLAIN = ("Key", "LastModified", "ETag", "Size", "StorageClass")
"""Those of ListObjectsV2."""

OF_MARKERS = {"Key", "VersionId", "IsLatest", "LastModified", "Owner"}
WRITTEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
ETAG = "fba9dede5f27731c9771645a39863328"


def version(key: str, ident: str = "1", *, marker: bool = False, latest: bool = True) -> Version:
    """A version, or a delete marker."""
    return Version(key, ident, 0 if marker else 434234, "" if marker else ETAG, WRITTEN, marker, latest)


def entry(
    each: Version, names: Sequence[str], encode: Callable[[str], str], between: str = "", quoted: str = "&quot;"
) -> str:
    """One version as XML."""
    told = {
        "Key": escape(encode(each.key)),
        "VersionId": each.id,
        "IsLatest": str(each.latest).lower(),
        "LastModified": "2026-01-02T03:04:05.000Z",
        "ETag": f"{quoted}{each.etag}{quoted}",
        "ChecksumAlgorithm": "CRC64NVME",
        "ChecksumType": "FULL_OBJECT",
        "Size": str(each.size),
        "Owner": "<ID>75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a</ID>",
        "StorageClass": "STANDARD",
    }
    children = [f"<{name}>{told[name]}</{name}>" for name in names if not each.marker or name in OF_MARKERS]
    kind = "Contents" if "VersionId" not in names else "DeleteMarker" if each.marker else "Version"
    return f"<{kind}>{between}{between.join(children)}{between}</{kind}>{between}"


def page(
    inner: str, root: str = "ListVersionsResult", head: str = "<EncodingType>url</EncodingType>", more: str = ""
) -> bytes:
    """A page with these entries in it; `more` is where it goes on."""
    told = f"<Name>b</Name>{head}<IsTruncated>{'true' if more else 'false'}</IsTruncated>{more}"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} {SPACE}>{told}{inner}</{root}>'.encode()


def read(body: bytes, cursor: Cursor | None = None) -> Page:
    """As the adapter does."""
    return read_page(body, cursor or Cursor(), "s3://b")


def was_taken_at_once(body: bytes) -> bool:
    """Whether no entry had to be read as XML."""
    return not {local(each) for each in take(body)[0]} & {"Version", "DeleteMarker", "Contents"}


VERSIONS = [
    version("a/first.png", "3/L4kqtJl40Nr8X8gdRQBpUMLUo"),
    version("gone", "m2", marker=True),
    version("gone", "null", latest=False),
    version("odd @(2x)+&.png", "x"),
]


@pytest.mark.parametrize("names", [AWS, REFERENCE, tuple(name for name in AWS if name != "Owner")])
@pytest.mark.parametrize("between", ["", "\n    "])
@pytest.mark.parametrize("quoted", ["&quot;", "&#34;", '"', ""])
def test_pages_of_several_kinds_of_s3(names: Sequence[str], between: str, quoted: str) -> None:
    """Whatever the order of the fields, the space between them and the way a quotation mark is written."""
    body = page("".join(entry(each, names, quote_plus, between, quoted) for each in VERSIONS))
    assert list(read(body).versions) == VERSIONS
    assert was_taken_at_once(body)


def test_objects_of_which_some_have_checksums() -> None:
    """What was written before S3 made checksums by itself stands beside what was written since."""
    without = tuple(name for name in AWS if not name.startswith("Checksum"))
    inner = entry(VERSIONS[0], AWS, quote_plus) + entry(VERSIONS[3], without, quote_plus)
    assert list(read(page(inner)).versions) == [VERSIONS[0], VERSIONS[3]]
    assert was_taken_at_once(page(inner))


def test_a_page_of_markers_alone() -> None:
    """A folder that was deleted has nothing newer."""
    body = page(entry(VERSIONS[1], AWS, quote_plus))
    assert list(read(body).versions) == [VERSIONS[1]]
    assert was_taken_at_once(body)


def test_a_page_of_objects() -> None:
    """ListObjectsV2 tells no ids, and goes on behind the last key."""
    inner = "".join(entry(each, PLAIN, quote_plus) for each in VERSIONS if not each.marker)
    told = read(
        page(inner, "ListBucketResult", more="<NextContinuationToken>t</NextContinuationToken>"), Cursor(versions=False)
    )
    assert told.versions == [each._replace(id="", latest=True) for each in VERSIONS if not each.marker]
    assert told.onwards == Cursor(after="odd @(2x)+&.png", versions=False)


@pytest.mark.parametrize(
    "key", ["a b", "a+b", "a%2Bb", "a\nb", "a\x01b", "ä/ö", "\U0001f600", "a<b>&'\"", "]]>", "a\\b", "*~"]
)
@pytest.mark.parametrize("encode", [quote_plus, quote])
def test_keys_with_characters_of_every_kind(key: str, encode: Callable[[str], str]) -> None:
    """S3 writes keys as forms do, a space as a plus; other S3 write it as %20. Both mean the same."""
    assert read(page(entry(version(key), AWS, encode))).versions == [version(key)]


@pytest.mark.parametrize("key", ["a b", "a+b", "a%2Bb", "a\tb", "ä/ö", "a<b>&'\"", "]]>"])
def test_keys_that_are_not_encoded(key: str) -> None:
    """An S3 that does not encode when it is asked to does not say that it has: its keys are what they are."""
    body = page(entry(version(key), AWS, str), head="")
    assert read(body).versions == [version(key)]


ODDITIES = st.sampled_from(
    [
        "",
        "<!-- <Version> -->",
        "<Restored/>",
        "<RestoreStatus><IsRestoreInProgress>true</IsRestoreInProgress></RestoreStatus>",
    ]
)


@settings(max_examples=200, deadline=None)
@given(
    keys=st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=9), max_size=6),
    names=st.permutations(AWS),
    oddity=ODDITIES,
    where=st.integers(0, 6),
)
def test_every_page_is_read_as_it_is_written(keys: list[str], names: list[str], oddity: str, where: int) -> None:
    """Also where one entry is not written as the others are."""
    versions = [version(key, str(number), marker=number % 4 == 2) for number, key in enumerate(keys)]
    entries = [entry(each, names, quote_plus) for each in versions]
    if where < len(entries):
        entries[where] = entries[where].replace("</LastModified>", f"</LastModified>{oddity}", 1)
    assert list(read(page("".join(entries))).versions) == versions


def test_entries_that_are_not_the_listing() -> None:
    """What a comment or another element holds is no entry, whatever it looks like."""
    one = entry(VERSIONS[0], AWS, quote_plus)
    assert read(page(f"{one}<!-- {entry(VERSIONS[1], AWS, quote_plus)} -->")).versions == [VERSIONS[0]]
    assert read(page(f"<Other>{one}</Other>")).versions == []


def test_where_a_page_goes_on() -> None:
    """Behind the version that it names, whose key is encoded as all are; nothing follows the last page."""
    more = "<NextKeyMarker>a+b%2B</NextKeyMarker><NextVersionIdMarker>null</NextVersionIdMarker>"
    one = entry(VERSIONS[0], AWS, quote_plus)
    assert read(page(one, more=more), Cursor("a", until="b")).onwards == Cursor("a", "a b+", "null", "b")
    assert read(page(one), Cursor("a", until="b")).onwards is None


def test_a_range_that_ends_within_a_page() -> None:
    """Nothing behind its end is told, and no other page is asked for."""
    more = "<NextKeyMarker>z</NextKeyMarker>"
    body = page("".join(entry(version(key), AWS, quote_plus) for key in "abc"), more=more)
    assert read(body, Cursor(until="b")) == Page([version("a"), version("b")], None)


WHOLE = page("".join(entry(each, AWS, quote_plus) for each in VERSIONS))
ERROR = b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>InternalError</Code><Message>told so</Message></Error>'


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        (b"", "no element"),
        (WHOLE[:-1], "no element|unclosed"),
        (WHOLE[:900], "unclosed|no element"),
        (b"<html><body>welcome</body></html>", "<html>"),
        (ERROR, "<Error> InternalError"),
        (WHOLE.replace(b"<IsTruncated>false</IsTruncated>", b""), "no listing"),
        (page("", more="<Nothing/>"), "does not say where"),
        (page(re.sub("<Key>.*</Key>", "", entry(VERSIONS[0], AWS, quote_plus))), "without a key"),
        (page(entry(VERSIONS[0], AWS, quote_plus).replace("<Size>434234</Size>", "")), "without a size"),
        (page(entry(VERSIONS[0], PLAIN, quote_plus)), "without a key or an id"),
        (page(entry(VERSIONS[0], AWS, lambda _: "%ff")), "decode"),
    ],
)
def test_what_is_no_listing(body: bytes, seen: str) -> None:
    """S3 may answer 200 and break off, or go on with an error; none of it is an empty bucket.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html: "A 200 OK response can contain valid or
    invalid XML."
    """
    with pytest.raises(Unavailable, match="not whole") as told:
        read(body)
    assert re.search(seen, told.value.seen)


def test_a_page_that_goes_on_where_it_began() -> None:
    """A listing that turns in a circle would be read for ever."""
    more = "<NextKeyMarker>a</NextKeyMarker><NextVersionIdMarker>1</NextVersionIdMarker>"
    with pytest.raises(Unavailable, match="not whole"):
        read(page(entry(version("a"), AWS, quote_plus), more=more), Cursor(after="a", version="1"))


@contextmanager
def answering(*answers: bytes) -> Iterator[S3Bucket]:
    """S3 that answers its requests with these bytes, one each, and closes the connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for answer in answers:
                connection, _ = server.accept()
                with connection:
                    while b"\r\n\r\n" not in connection.recv(65536, socket.MSG_PEEK):
                        pass
                    connection.recv(65536)
                    connection.sendall(answer)

        thread = Thread(target=serve, daemon=True)
        thread.start()
        yield S3Bucket("b", AwsAccess("us-east-1", f"http://127.0.0.1:{server.getsockname()[1]}", "AKIAX", "secret"))
        thread.join(timeout=60)


def said(body: bytes, length: int | None = None) -> bytes:
    """An answer with 200 that promises so many bytes."""
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body) if length is None else length, body)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
CUT_OFF = [
    pytest.param(said(WHOLE[:900], len(WHOLE)), id="fewer bytes than promised"),
    pytest.param(CHUNKED + b"%x\r\n%s\r\n" % (900, WHOLE[:900]), id="no last chunk"),
    pytest.param(CHUNKED + b"%x\r\n%s\r\n0\r\n\r\n" % (900, WHOLE[:900]), id="a last chunk, and half a page"),
    pytest.param(said(ERROR), id="an error after 200"),
]


@pytest.mark.parametrize("cut", CUT_OFF)
def test_an_answer_that_breaks_off(cut: bytes) -> None:
    """It is asked for again, and what had come of it is forgotten."""
    clock = SystemClock()
    with answering(cut, said(WHOLE)) as bucket:
        patient = RetryingBucket(bucket, lambda: None, random.Random(1), Backoff(timedelta(milliseconds=1)))
        told = patient.page(Cursor(), within=Deadline.after(clock, timedelta(seconds=10)))
    assert told == Page(VERSIONS, None)


def test_folders() -> None:
    """Sorted and decoded; a page that is none is no bucket without folders."""
    told = "".join(f"<CommonPrefixes><Prefix>{each}/</Prefix></CommonPrefixes>" for each in ("b+c", "a"))
    assert read_folders(page(told, "ListBucketResult"), "s3://b") == ("a/", "b c/")
    with pytest.raises(Unavailable, match="not whole"):
        read_folders(ERROR, "s3://b")
