"""What one version tells by itself, as S3s of several makes write it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from defib.clock import Deadline, SystemClock
from defib.providers.aws import AwsAccess
from defib.providers.bucket.s3 import S3Bucket

OF_PARTS = "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=-2"


class _Older(BaseHTTPRequestHandler):
    """An S3 that does not say of what a checksum is: https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html."""

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("ETag", '"9b2cf535f27731c974343645a3985328-2"')
        self.send_header("Last-Modified", "Thu, 01 Jan 2026 12:00:00 GMT")
        self.send_header("Content-Length", "7")
        self.send_header("x-amz-checksum-sha256", OF_PARTS)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def bucket() -> Iterator[S3Bucket]:
    """A bucket of such an S3."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Older) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield S3Bucket("assets", AwsAccess("us-east-1", f"http://127.0.0.1:{server.server_port}", "key", "secret"))
        server.shutdown()


def test_a_checksum_of_parts_is_none_of_all_bytes(bucket: S3Bucket) -> None:
    """S2: it differs where the parts do, and tells nothing of the bytes."""
    told = bucket.details("video.mp4", "", within=Deadline.after(SystemClock(), timedelta(seconds=10)))
    assert told is not None
    assert (told.plain, dict(told.checksums)) == (False, {})
