"""One line for a drill: how it ended, what it came to, and why it was held or was not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from defib.about import About
from defib.drills.calendar import Ending
from defib.drills.drilled import Drill
from defib.drills.score import Score, score
from defib.objectives import Measure


@dataclass(frozen=True)
class DrillLine:
    """One drill. `rto` and `rpo` are None where there was none to measure; `reason` says why it did not end well.

    `why` is why it was wanted, `due` the planned moment that it answers. A `crashed` one has no end, and the process that
    wrote its journal is gone.
    """

    drill_id: str
    site: str
    procedure: str
    at: datetime
    ending: Ending
    reason: str
    why: str
    due: datetime | None
    rto: Measure | None
    rpo: Measure | None
    score: Score | None
    live: bool = False
    crashed: bool = False

    @property
    def word(self) -> str:
        """How it ended in one word."""
        if self.ending is Ending.OPEN:
            return "crashed" if self.crashed else "running"
        return self.ending.value


@dataclass(frozen=True)
class Unreadable:
    """A drill whose journal does not verify, and why: nobody can tell how it ended."""

    drill_id: str
    why: str


def line_of(told: Drill, *, crashed: bool = False) -> DrillLine:
    """The line of a drill of the lab. Of copies there is no RTO, and the RPO is what it was once the fault was over."""
    users = told.about is About.USERS
    measured = told.forward if users else told.failback
    return DrillLine(
        drill_id=told.opened.run_id,
        site=told.opened.site,
        procedure=told.procedure,
        at=told.started,
        ending=told.ending,
        reason=told.reason,
        why=told.asked.why if told.asked else "",
        due=told.asked.due if told.asked else None,
        rto=measured.rto if measured and users else None,
        rpo=measured.rpo if measured else None,
        score=score(told),
        crashed=crashed and told.ending is Ending.OPEN,
    )
