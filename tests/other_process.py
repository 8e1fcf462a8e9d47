"""A run in another process, that waits at its approval: ``python -m tests.other_process HOME``.

It says ``holding RUN`` when it has the site and waits, goes on when its standard input ends, and says how it ended;
or ``refused: WHY``.
"""

from __future__ import annotations

import sys
from pathlib import Path

from defib.errors import DefibError
from tests.stage import REFUSED, Doing, Stage


def say(text: str) -> None:
    """One line, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> None:
    """Begin a run, wait for the approval, go on."""
    stage = Stage(Path(sys.argv[1]))
    stage.edges["cloudfront"] = REFUSED

    def wait() -> None:
        say(f"holding {stage.desk.home.runs()[-1].name}")
        sys.stdin.read()

    try:
        _, outcome = stage.recover(approver=Doing(wait))
        say(outcome.status)
    except DefibError as error:
        say(f"refused: {error}")


if __name__ == "__main__":
    main()
