"""Objects of which CopyObject copies no more: every byte in some part, within all that S3 allows, and nothing left behind.

Nobody holds such objects in memory: this S3 knows their sizes, and checks the parts as AWS documents them
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html).
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree as ET

import pytest

from defib.clock import Deadline, SystemClock
from defib.errors import Denied, ProviderError
from defib.providers.aws import AwsAccess
from defib.providers.bucket import copying
from defib.providers.bucket.s3 import S3Bucket
from defib.replication.port import Details, Original, Status

GIB = 1024**3
MOST, LEAST, PARTS = 5 * GIB, 5 * 1024**2, 10_000
"""Of one copy and of one part; the least of any but the last; and how many there may be."""

XML = '<?xml version="1.0" encoding="UTF-8"?>'


@dataclass
class Huge:
    """One object of `size` bytes; what was asked for, and what is there. `fails` is the part that is refused."""

    size: int
    fails: int = 0
    asked: list[str] = field(default_factory=list)
    parts: dict[int, tuple[int, int]] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    made: int = 0
    """The size of what was made; 0 is nothing."""
    open: bool = False
    """Whether an upload has begun and not ended."""

    def copy(self) -> tuple[int, str]:
        """CopyObject: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html."""
        self.asked.append("CopyObject")
        if self.size > MOST:
            return 400, error("InvalidRequest", "The specified copy source is larger than the maximum allowable size")
        self.made = self.size
        return 200, f"{XML}<CopyObjectResult><ETag>&quot;e&quot;</ETag></CopyObjectResult>"

    def begin(self, headers: dict[str, str]) -> tuple[int, str]:
        """CreateMultipartUpload."""
        self.asked.append("CreateMultipartUpload")
        self.open, self.headers = True, headers
        return 200, f"{XML}<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"

    def part(self, number: int, wanted: str) -> tuple[int, str]:
        """UploadPartCopy: https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html."""
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", wanted)
        first, last = (int(each) for each in found.groups()) if found else (0, -1)
        if number == self.fails or not 1 <= number <= PARTS or not 0 <= first <= last < self.size or last - first >= MOST:
            return 403, error("AccessDenied", f"part {number}: {wanted}")
        self.parts[number] = (first, last)
        return 200, f"{XML}<CopyPartResult><ETag>&quot;{number}&quot;</ETag></CopyPartResult>"

    def complete(self, body: bytes) -> tuple[int, str]:
        """CompleteMultipartUpload: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html."""
        self.asked.append("CompleteMultipartUpload")
        told = [int(each.text or 0) for each in ET.fromstring(body).iter() if each.tag.endswith("PartNumber")]
        sizes = [self.parts[number][1] - self.parts[number][0] + 1 for number in told]
        if told != sorted(self.parts) or any(size < LEAST for size in sizes[:-1]):
            return 400, error("InvalidPart", f"{len(told)} parts")
        self.open, self.made = False, sum(sizes)
        return (
            200,
            f"{XML}<CompleteMultipartUploadResult><ETag>&quot;e-{len(told)}&quot;</ETag></CompleteMultipartUploadResult>",
        )

    def abort(self) -> tuple[int, str]:
        """AbortMultipartUpload."""
        self.asked.append("AbortMultipartUpload")
        self.open = False
        return 204, ""


def error(code: str, text: str) -> str:
    """As S3 refuses."""
    return f"{XML}<Error><Code>{code}</Code><Message>{text}</Message></Error>"


@contextmanager
def serving(huge: Huge) -> Iterator[S3Bucket]:
    """A bucket into which it may be copied."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            query = parse_qs(urlsplit(self.path).query, keep_blank_values=True)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            with lock:
                code, text = reply(huge, self.command, query, headers, body)
            self.send_response(code)
            self.send_header("x-amz-version-id", "made")
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_PUT = do_POST = do_DELETE = answer  # noqa: N815 - as http.server calls them

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as http.server calls it
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield S3Bucket("target", AwsAccess("us-east-1", f"http://127.0.0.1:{server.server_port}", "AKIA", "secret"))
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def reply(huge: Huge, method: str, query: dict[str, list[str]], headers: dict[str, str], body: bytes) -> tuple[int, str]:
    """What S3 answers to a request about the one object."""
    if method == "POST":
        return huge.begin(headers) if "uploads" in query else huge.complete(body)
    if method == "DELETE":
        return huge.abort()
    if "partNumber" in query:
        return huge.part(int(query["partNumber"][0]), headers.get("x-amz-copy-source-range", ""))
    return huge.copy()


def original(huge: Huge) -> Original:
    """It, as its own bucket tells of it."""
    headers = {"Content-Type": "video/mp4", "Cache-Control": "public, max-age=60", "x-amz-meta-schema": "2"}
    told = Details(
        huge.size, "e-2", datetime(2026, 1, 1, tzinfo=UTC), Status.COMPLETED, plain=False, headers=headers, tagged=1
    )
    return Original("source", "films/one.mp4", "v1", told, {"kind": "film"})


def soon() -> Deadline:
    """Enough for ten thousand calls on a slow machine."""
    return Deadline.after(SystemClock(), timedelta(minutes=3))


def test_5_gb_are_copied_as_a_whole() -> None:
    """Exactly what CopyObject takes at most."""
    huge = Huge(MOST)
    with serving(huge) as bucket:
        assert bucket.copy(original(huge), within=soon()) == "made"
    assert (huge.asked, huge.made) == (["CopyObject"], MOST)


@pytest.mark.parametrize("size", [MOST + 1, 6 * GIB + 123, 48_828 * 1024**2])
def test_more_is_copied_in_parts(size: int) -> None:
    """Every byte once, in the order of the parts, with all that the whole is to tell."""
    huge = Huge(size)
    with serving(huge) as bucket:
        assert bucket.copy(original(huge), within=soon()) == "made"
    assert huge.asked == ["CreateMultipartUpload", "CompleteMultipartUpload"]
    ranges = [huge.parts[number] for number in sorted(huge.parts)]
    assert (ranges[0][0], ranges[-1][1]) == (0, size - 1)
    assert all(one[1] + 1 == other[0] for one, other in pairwise(ranges))
    assert (huge.made, huge.open) == (size, False)
    told = {name: huge.headers.get(name) for name in ("content-type", "cache-control", "x-amz-meta-schema", "x-amz-tagging")}
    assert list(told.values()) == ["video/mp4", "public, max-age=60", "2", "kind=film"]


@pytest.mark.parametrize("size", [5 * 1024**4, 50 * 1000**4])
def test_the_largest_that_there_are(size: int) -> None:
    """No more parts than there may be, and none larger than one may be."""
    found = list(copying._ranges(size, copying._PART))
    assert (found[0][1], found[-1][2], len(found) <= PARTS) == (0, size - 1, True)
    assert all(LEAST <= last - first + 1 <= MOST for _, first, last in found[:-1])


def test_a_part_that_is_refused_leaves_nothing() -> None:
    """What was begun is ended, and the error is the part's own."""
    huge = Huge(6 * GIB, fails=7)
    with serving(huge) as bucket, pytest.raises(ProviderError) as refused:
        bucket.copy(original(huge), within=soon())
    assert isinstance(refused.value, Denied)
    assert (huge.asked, huge.made, huge.open) == (["CreateMultipartUpload", "AbortMultipartUpload"], 0, False)
