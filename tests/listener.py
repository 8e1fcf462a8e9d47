"""``defib listen`` as it runs for months, and vendors that post to it."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from tests.conftest import Defib


@dataclass(frozen=True)
class Listener:
    """A running ``defib listen --json`` for the site ``lab``."""

    defib: Defib
    process: subprocess.Popen[str]
    port: int

    @property
    def secret(self) -> str:
        """What stands in its addresses."""
        return (self.defib.home / "webhook-secret").read_text(encoding="utf-8").strip()

    def until(self, text: str) -> dict[str, Any]:
        """The next line that says `text`."""
        return _until(self.process, text)

    def robot(self, number: int, since: datetime, *, kind: int = 1) -> str:
        """An alarm of UptimeRobot; gives what became of it."""
        body = {"monitorID": number, "alertType": kind, "alertDateTime": int(since.timestamp()), "alertDetails": "HTTP 503"}
        return self.post("lab/uptimerobot", body)

    def pingdom(self, number: int, since: datetime) -> str:
        """The same from Pingdom."""
        body = {"check_id": number, "current_state": "DOWN", "state_changed_timestamp": int(since.timestamp())}
        return self.post("lab/pingdom", body)

    def post(self, path: str, body: dict[str, object]) -> str:
        """One webhook; gives its outcome."""
        address = f"http://127.0.0.1:{self.port}/{path}/{self.secret}"
        answer = httpx.post(address, json=body, trust_env=False, timeout=120)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["outcome"])


@contextmanager
def listening(defib: Defib, *options: str) -> Iterator[Listener]:
    """Listen on a free port; ended by a signal, after which it says good-bye."""
    process = defib.start("listen", "--site", "lab", "--port", "0", "--json", *options)
    port = int(_until(process, "listening for lab at http://127.0.0.1:")["note"].rpartition(":")[2])
    try:
        yield Listener(defib, process, port)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=120)
    assert process.returncode == 0


def _until(process: subprocess.Popen[str], text: str) -> dict[str, Any]:
    assert process.stdout is not None
    too_long = threading.Timer(300, process.kill)
    too_long.start()
    try:
        while line := process.stdout.readline():
            told: dict[str, Any] = json.loads(line)
            assert told["at"]
            if text in told["note"]:
                return told
    finally:
        too_long.cancel()
    raise AssertionError(f"never said {text!r}: {process.stderr and process.stderr.read()}")
