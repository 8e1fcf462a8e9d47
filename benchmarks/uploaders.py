"""rclone and s5cmd as peers, Defib beside them, and the S3 server that all of them upload to: ``rclone serve s3``."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from benchmarks.commands import Ended, end, timed
from benchmarks.process import KEYS
from defib.clock import Deadline, SystemClock
from defib.errors import LabDown

BUCKET = "bench"
_PEERS = Path(__file__).resolve().parents[1] / "build" / "peers" / "bin"
_UP_WITHIN = timedelta(seconds=20)
_AT_ONCE = "32"


def find(name: str) -> str:
    """The program as ``make peers`` installs it, else as the tests have it, else of the PATH, else ""."""
    own = (folder / name for folder in (_PEERS, Path(sys.executable).parent))
    return next((str(path) for path in own if path.is_file()), shutil.which(name) or "")


@dataclass(frozen=True)
class Uploader:
    """One tool: `upload` brings a folder under a prefix that is empty, `again` brings what differs."""

    name: str
    prefix: str
    upload: tuple[str, ...]
    again: tuple[str, ...]
    missing: str = ""

    def run(self, server: Server, root: Path, number: str, *, again: bool = False) -> Ended:
        """Run it as a process, timed from its start to its end."""
        told = {"root": str(root), "number": number, "endpoint": server.endpoint}
        command = [part.format(**told) for part in (self.again if again else self.upload)]
        return timed(command, server.environment, within=300)

    def prefix_of(self, number: str) -> str:
        """Where the files of that run are, with a trailing slash."""
        return self.prefix.format(number=number)


@dataclass(frozen=True)
class Server:
    """``rclone serve s3`` in memory."""

    endpoint: str

    @property
    def environment(self) -> Mapping[str, str]:
        """What tells each tool where the server is."""
        return {
            "AWS_ACCESS_KEY_ID": KEYS[0],
            "AWS_SECRET_ACCESS_KEY": KEYS[1],
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "RCLONE_CONFIG": os.devnull,
            "RCLONE_CONFIG_THERE_TYPE": "s3",
            "RCLONE_CONFIG_THERE_PROVIDER": "Rclone",
            "RCLONE_CONFIG_THERE_ENDPOINT": self.endpoint,
            "RCLONE_CONFIG_THERE_ACCESS_KEY_ID": KEYS[0],
            "RCLONE_CONFIG_THERE_SECRET_ACCESS_KEY": KEYS[1],
        }


def uploaders() -> tuple[Uploader, ...]:
    """Defib, s5cmd and rclone, each with as many requests at once as suits it."""
    defib = (sys.executable, "-m", "benchmarks.deploy_once", "{endpoint}", BUCKET, "{root}", "{number}")
    s5cmd, rclone = find("s5cmd"), find("rclone")
    to = f"s3://{BUCKET}/s5cmd-{{number}}/"
    at_once = ("--transfers", _AT_ONCE, "--checkers", _AT_ONCE)
    sync = (rclone, "sync", "--checksum", *at_once, "{root}", f"there:{BUCKET}/rclone-{{number}}")
    before = (s5cmd, "--endpoint-url", "{endpoint}", "--log", "error")
    return (
        Uploader("defib", "releases/{number}/", defib, defib),
        Uploader(
            "s5cmd", "s5cmd-{number}/", (*before, "cp", "{root}/", to), (*before, "sync", "{root}/", to), _missing(s5cmd)
        ),
        Uploader("rclone", "rclone-{number}/", sync, sync, _missing(rclone)),
    )


def _missing(program: str) -> str:
    return "" if program else "is not installed: make peers"


@contextmanager
def serving(*buckets: str) -> Iterator[Server]:
    """The server with these buckets, all empty, or with :data:`BUCKET`; LabDown where it cannot be had."""
    program = find("rclone")
    if not program:
        raise LabDown("there is no S3 server to measure with", expected="rclone", seen="nothing", then="make peers")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    process = subprocess.Popen(
        [program, "serve", "s3", "--addr", address, ":memory:"],
        env={"PATH": os.environ.get("PATH", ""), "RCLONE_CONFIG": os.devnull},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        server = Server(f"http://{address}")
        for bucket in buckets or (BUCKET,):
            _make_bucket(server, bucket)
        yield server
    finally:
        end(process)


def _make_bucket(server: Server, bucket: str) -> None:
    clock = SystemClock()
    within = Deadline.after(clock, _UP_WITHIN)
    session = boto3.Session(KEYS[0], KEYS[1], region_name="us-east-1")
    client = session.client("s3", endpoint_url=server.endpoint)
    while True:
        try:
            client.create_bucket(Bucket=bucket)
        except (BotoCoreError, ClientError) as error:
            if within.expired():
                raise LabDown("rclone serve s3 did not come up", seen=str(error)) from error
            clock.sleep(timedelta(milliseconds=100))
        else:
            return
