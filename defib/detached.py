"""``defib`` as a process of its own, which outlives whoever started it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO


def start_detached(command: Sequence[str], home: Path, output: BinaryIO) -> subprocess.Popen[bytes]:
    """Start ``defib`` with these arguments on that home; what it says goes to `output`.

    It has a session of its own: no signal to our process group, and no hang-up of our terminal, reaches it.
    """
    return subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", "defib", *command],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
        env={**os.environ, "DEFIB_HOME": str(home)},
    )
