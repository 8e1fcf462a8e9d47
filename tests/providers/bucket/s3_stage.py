"""An AWS of few words: S3 that tells of its one bucket what it was given, and IAM and KMS that tell nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from defib.providers.aws import AwsAccess

REGION = "eu-west-1"


@dataclass(frozen=True)
class Refusal:
    """An answer that is an error of S3's."""

    status: int
    code: str

    @property
    def body(self) -> str:
        """As S3 writes it."""
        return f"<Error><Code>{self.code}</Code><Message>told so</Message></Error>"


DENIED = Refusal(403, "AccessDenied")
Told = Mapping[str, str | Refusal]

_OTHERWISE: Told = {
    "": "",
    "versioning": "<VersioningConfiguration/>",
    "location": "<LocationConstraint/>",
    "replication": Refusal(404, "ReplicationConfigurationNotFoundError"),
    "lifecycle": Refusal(404, "NoSuchLifecycleConfiguration"),
    "object-lock": Refusal(404, "ObjectLockConfigurationNotFoundError"),
    "ownershipControls": Refusal(404, "OwnershipControlsNotFoundError"),
    "encryption": Refusal(404, "ServerSideEncryptionConfigurationNotFoundError"),
    "policy": Refusal(404, "NoSuchBucketPolicy"),
}


@contextmanager
def telling(told: Told) -> Iterator[AwsAccess]:
    """S3 whose answers are those `told` by subresource; "" is the bucket itself, which is asked by HEAD."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            part = self.path.partition("?")[2].rstrip("=")
            answer = told.get(part, _OTHERWISE[part])
            status, body = (answer.status, answer.body) if isinstance(answer, Refusal) else (200, answer)
            sent = b"" if self.command == "HEAD" else body.encode()
            self.send_response(status)
            if status == 200:
                self.send_header("x-amz-bucket-region", REGION)
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        do_HEAD = do_GET  # noqa: N815 - its name in the standard library

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the standard library
            return

    with _serving(Handler) as access:
        yield access


@contextmanager
def refusing(code: str) -> Iterator[AwsAccess]:
    """IAM and KMS that turn every request away with 403 and this code, each in the words of its own protocol."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            if "X-Amz-Target" in self.headers:
                sent = json.dumps({"__type": code, "message": "told so"}).encode()
            else:
                sent = f"<ErrorResponse>{Refusal(403, code).body}</ErrorResponse>".encode()
            self.send_response(403)
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the standard library
            return

    with _serving(Handler) as access:
        yield access


@contextmanager
def _serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[AwsAccess]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield AwsAccess(REGION, f"http://127.0.0.1:{server.server_port}", "AKIAX", "secret")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
