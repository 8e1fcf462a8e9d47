"""Signals: heard at any instant, whatever they break into."""

from __future__ import annotations

import subprocess
import sys

BREAKS_INTO = """
import os, signal, threading
from datetime import timedelta
from defib.cli.desk import signals_interrupt
from defib.clock import SystemClock
from defib.errors import Interrupted

clock = SystemClock()
with signals_interrupt(clock, lambda: os.write(1, b"heard\\n")):
    with threading._active_limbo_lock:  # what a thread that is starting another one holds
        os.kill(os.getpid(), signal.SIGTERM)
    try:
        clock.sleep(timedelta(seconds=100))
    except Interrupted:
        os.write(1, b"interrupted\\n")
"""


def test_a_signal_while_a_thread_is_being_started() -> None:
    """E3: the handler needs no lock that the code it breaks into may hold, so that it cannot stand still with it."""
    ended = subprocess.run([sys.executable, "-c", BREAKS_INTO], capture_output=True, text=True, timeout=120, check=False)
    assert (ended.returncode, sorted(ended.stdout.split())) == (0, ["heard", "interrupted"])
