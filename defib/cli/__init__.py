"""The command line: thin, and quick to start, because every command imports what it needs when it runs."""

from __future__ import annotations

import os
import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run ``defib`` and leave with the documented exit code."""
    from defib.cli.app import invoke  # noqa: PLC0415 - see above

    leave(invoke(sys.argv[1:]))


def leave(code: int) -> NoReturn:
    """End the process without waiting for other threads, and without taking apart what it holds.

    What they still do, such as Prefect's books, is not worth an operator's time, and everything that counts is on disk.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            code = code or 1  # nobody reads any more; what was to be read is in the report
    os._exit(code)
