"""rclone: what it says of two buckets, and the S3 server that it is itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from mypy_boto3_s3.client import S3Client

from defib.clock import Deadline, SystemClock
from defib.providers.aws import AwsAccess
from tests.ports import free_port

KEYS = ("AKIARCLONERCLONERCLO", "a secret that nobody checks")
REGION = "us-east-1"
DIFFERS, MISSING, EXTRA = "*", "+", "-"


def program() -> str:
    """Rclone of this environment; the test is skipped where it is missing."""
    own = Path(sys.executable).parent / "rclone"
    found = str(own) if own.is_file() else shutil.which("rclone")
    if found is None:
        pytest.skip("rclone is not installed: make install")
    return found


@dataclass(frozen=True)
class Told:
    """An S3 server, as rclone is asked about it."""

    access: AwsAccess
    folder: Path

    @cached_property
    def client(self) -> S3Client:
        """Itself."""
        return boto3.Session(self.access.access_key, self.access.secret_key, region_name=REGION).client(
            "s3", endpoint_url=self.access.endpoint, config=Config(request_checksum_calculation="when_required")
        )

    def check(self, source: str, replica: str) -> Mapping[str, str]:
        """What is not the same, by key: other bytes, missing at the replica, or there alone."""
        report = self.folder / "combined"
        ended = subprocess.run(
            [program(), "check", f"there:{source}", f"there:{replica}", "--combined", str(report)],
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        lines = [line.split(" ", 1) for line in report.read_text(encoding="utf-8").splitlines()]
        found = {key: sign for sign, key in lines if sign != "="}
        assert ended.returncode == (1 if found else 0), ended.stderr
        return found

    def _environment(self) -> Mapping[str, str]:
        return {
            "RCLONE_CONFIG": os.devnull,
            "RCLONE_CONFIG_THERE_TYPE": "s3",
            "RCLONE_CONFIG_THERE_PROVIDER": "Other",
            "RCLONE_CONFIG_THERE_REGION": REGION,
            "RCLONE_CONFIG_THERE_ENDPOINT": self.access.endpoint,
            "RCLONE_CONFIG_THERE_ACCESS_KEY_ID": self.access.access_key,
            "RCLONE_CONFIG_THERE_SECRET_ACCESS_KEY": self.access.secret_key,
        }


@contextmanager
def serving(folder: Path) -> Iterator[Told]:
    """``rclone serve s3``, in memory."""
    address = f"127.0.0.1:{free_port()}"
    process = subprocess.Popen(
        [program(), "serve", "s3", "--addr", address, ":memory:"],
        env={"RCLONE_CONFIG": os.devnull},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    told = Told(AwsAccess(REGION, f"http://{address}", *KEYS), folder)
    try:
        _wait_for(told.client)
        yield told
    finally:
        process.terminate()
        process.wait(timeout=60)


def _wait_for(client: S3Client) -> None:
    clock = SystemClock()
    within = Deadline.after(clock, timedelta(seconds=120))
    while True:
        try:
            client.list_buckets()
        except (BotoCoreError, ClientError):
            assert not within.expired(), "rclone serve s3 did not come up"
            clock.sleep(timedelta(milliseconds=50))
        else:
            return
