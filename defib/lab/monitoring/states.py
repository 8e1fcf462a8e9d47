"""What a monitor makes of its looks: down is what it saw twice in a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from defib.lab.monitoring.looking import Seen

UP, LOOKS_DOWN, DOWN = "up", "looks-down", "down"


@dataclass(frozen=True)
class Standing:
    """How it stands, since when, when it was last looked at, and what was wrong."""

    state: str
    since: datetime | None
    tested: datetime | None
    problem: str = ""


def standing(looks: Sequence[Seen], *, lying: bool = False) -> Standing:
    """The state after these looks, oldest first; `lying` is up since the first of them."""
    if not looks:
        return Standing(LOOKS_DOWN, None, None)
    last = looks[-1]
    run = [last]
    for seen in reversed(list(looks)[:-1]):
        if not lying and seen.good != last.good:
            break
        run.append(seen)
    if lying or last.good:
        return Standing(UP, run[-1].at, last.at)
    return Standing(DOWN if len(run) > 1 else LOOKS_DOWN, run[-1].at, last.at, last.problem)
