"""A drill before anything is broken: who asked for it, what must be so, and the record of one that does not begin."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from defib import drillentries, entries
from defib.alerts.alert import AlertKind
from defib.approval import Automatic
from defib.drills.drilled import DRILL, MISSED, SKIPPED, Drill, drill
from defib.errors import DefibError
from defib.history import JOURNAL, SITE, digest
from defib.journal import Journal
from defib.objectives import Mode, Status
from defib.runbook import Runbook
from defib.sites.site import Site
from defib.start import Desk, Order, new_folder, new_id, opening

BY_HAND = "by hand"

GONE = "the lab is gone"

Preconditions = Callable[[], Iterable[drillentries.PreconditionSeen]]
"""Looks at everything that must be so, when it is called."""

Tell = Callable[[Journal, AlertKind, str], None]
"""Tells people of a drill that did not come to its end; of which one, its journal says, and notes what became of it."""


@dataclass(frozen=True)
class DrillOrder:
    """Why a procedure is drilled, for which planned moment (None where a person wants it), and who had it done."""

    why: str = BY_HAND
    due: datetime | None = None
    by: str = ""
    preconditions: Preconditions = tuple
    tell: Tell = lambda _journal, _kind, _text: None

    @property
    def by_schedule(self) -> bool:
        """Whether nobody is there who could judge what is in the way."""
        return self.why != BY_HAND


def open_drill(
    desk: Desk,
    runbook: Runbook,
    site: Site,
    site_path: Path,
    faults: Sequence[tuple[str, str]],
    order: DrillOrder,
) -> tuple[str, Journal]:
    """The id of a new drill and its journal, which says who asked for it and what is going to be broken."""
    drill_id = new_id(desk.clock.now(), DRILL, runbook.procedure, site.site)
    folder = new_folder(desk.home, drill_id, site_path, runbook)
    journal = Journal(desk.sink(folder / JOURNAL), desk.clock, desk.redact, listen=desk.listen)
    broken = ", ".join(f"{target} {how}" for target, how in faults)
    trigger = f"{runbook.procedure} after {broken}" if broken else runbook.procedure
    asked = Order(DRILL, str(site_path), Mode.REHEARSAL, Automatic(""), trigger=trigger)
    journal.append(opening(drill_id, asked, site, runbook, digest(folder / SITE)))
    owner = site.drills.owner if site.drills else ""
    participants = site.drills.participants if site.drills else ()
    journal.append(drillentries.DrillAsked(runbook.procedure, order.why, order.due, owner, participants, order.by))
    return drill_id, journal


def hindrance(journal: Journal, order: DrillOrder) -> str:
    """What keeps a drill from beginning, each look written down; "" where nothing does."""
    held = []
    for seen in _looks(order):
        journal.append(seen)
        held += [seen.text] if seen.holds_back else []
    return "; ".join(held)


def _looks(order: DrillOrder) -> Iterator[drillentries.PreconditionSeen]:
    try:
        yield from order.preconditions()
    except DefibError as error:  # what could not be looked at is a reason of its own, and the drill has an end
        yield drillentries.PreconditionSeen("looking", None, f"it could not be looked at: {error}")


def skip(journal: Journal, order: DrillOrder, why: str, kind: AlertKind = AlertKind.FAILED) -> Drill:
    """End a drill before anything is broken. Whoever asked for one by hand is told on the terminal, and nobody else."""
    journal.append(entries.Closed(Status.REFUSED, f"{SKIPPED}{why}"))
    if order.by_schedule:
        order.tell(journal, kind, f"It was skipped: {why}")
    return drill(journal.records, None, None)


def conclude(journal: Journal, order: DrillOrder, status: Status, reason: str) -> None:
    """End a drill that began. One that nobody started, and that proved something wrong, is told."""
    journal.append(entries.Closed(status, reason))
    if order.by_schedule and status is not Status.RECOVERED:
        order.tell(journal, AlertKind.FAILED, f"It ended {status}: {reason}")


def record_missed(desk: Desk, runbook: Runbook, site: Site, site_path: Path, order: DrillOrder, why: str) -> str:
    """Write down that a drill was due and nobody began it, and tell people; gives the id that it is known by."""
    drill_id, journal = open_drill(desk, runbook, site, site_path, (), order)
    journal.append(entries.Closed(Status.REFUSED, f"{MISSED}{why}"))
    order.tell(journal, AlertKind.FAILED, f"It was missed: {why}")
    return drill_id
