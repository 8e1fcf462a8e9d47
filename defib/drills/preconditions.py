"""What must be so before anything is broken on purpose: no incident, no blackout, nothing wrong that readiness can see."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from defib.clock import Deadline
from defib.drillentries import PreconditionSeen
from defib.drills.blocking import Alarms
from defib.drills.calendar import Calendar
from defib.errors import BudgetSpent, DefibError, EvidenceBroken, ProviderError
from defib.history import JOURNAL, opening_of, unfinished
from defib.home import Home
from defib.journal import read_journal
from defib.lease import current_holder
from defib.objectives import Mode
from defib.observe.killswitch import kill_switch
from defib.observe.outage import known_outage
from defib.ready.check import Readiness, State
from defib.sites.site import Site

MUST_BE_KNOWN = frozenset({"users", "steering", "observers", "outside"})
"""Findings of readiness that hold a drill back also where nobody can tell. Elsewhere some vendors never do."""

_SEEN_HERE = frozenset({"kill-switch", "lease", "unfinished-run", "proved"})
"""What is looked at for itself, or is no reason not to drill."""

_TOLD = 3
"""So many findings are told one by one."""


def no_incident(home: Home, site: str, now: datetime) -> Iterator[PreconditionSeen]:
    """Nobody is at work on the site, no run of an incident was left half-way, and detection sees no outage.

    A rehearsal that was cut off is no incident: the next drill puts back what it left.
    """
    yield _seen("nothing under way", _under_way(home, site))
    outage = known_outage(home.path, site, now)
    yield _seen("no outage", f"defib watch sees an outage since {outage.first_bad:%H:%M:%SZ}" if outage else "")


def allowed(home: Home, site: Site, now: datetime, *, by_schedule: bool) -> Iterator[PreconditionSeen]:
    """Neither the kill switch nor a blackout is in the way of what nobody starts by hand."""
    switch = kill_switch(home.path, site.site)
    yield _seen("kill switch", f"the {switch}" if switch else "", "off", binding=by_schedule)
    if site.drills is not None:
        blackout = Calendar(site.drills, ()).blackout(now)
        text = f"blackout until the end of {blackout.last}: {blackout.why}" if blackout else ""
        yield _seen("no blackout", text, binding=by_schedule)


def healthy(site: Site, inspect: Callable[[], Readiness]) -> Iterator[PreconditionSeen]:
    """Users are served, and nothing fails that ``defib ready`` looks at, but for what the site file lets pass."""
    ignored = set(site.drills.ignore) if site.drills else set()
    try:
        found = inspect()
    except DefibError as error:
        yield PreconditionSeen("readiness", None, f"readiness could not be looked at: {error}")
        return
    wrong = [
        f"{check.name} of {check.about}: {check.text}"
        for check in found.checks
        if check.name not in _SEEN_HERE | ignored
        and (check.state is State.FAIL or (check.state is State.UNKNOWN and check.name in MUST_BE_KNOWN))
    ]
    more = f"; and {len(wrong) - _TOLD} more" if len(wrong) > _TOLD else ""
    yield _seen("readiness", f"{'; '.join(wrong[:_TOLD])}{more}", f"none of {len(found.checks)} findings is in the way")


def quiet(alarms: Iterable[Alarms], within: Deadline) -> Iterator[PreconditionSeen]:
    """No alarm rings that the site file names; one that cannot be read may be ringing."""
    for each in alarms:
        try:
            seen = each.seen(within=within)
        except (ProviderError, BudgetSpent) as error:
            yield PreconditionSeen("alarms", None, f"{each.where} does not tell: {error}")
        else:
            for alarm in seen:
                yield PreconditionSeen(f"alarm {alarm.name}", alarm.quiet, alarm.text)


def _under_way(home: Home, site: str) -> str:
    """The run that somebody has under way on the site, or left half-way in earnest; "" where there is none."""
    holder = current_holder(home.site(site))
    if holder is not None:
        return f"{holder} is under way"
    try:
        left = unfinished(home, site)
    except EvidenceBroken as error:
        return f"the journal of an earlier run is broken, so nobody can tell whether its changes stand: {error}"
    opened = opening_of(read_journal(left / JOURNAL)[0], left) if left else None
    if opened is not None and opened.mode is Mode.INCIDENT:
        return f"run {opened.run_id} stopped half-way, and its changes stand"
    return ""


def _seen(name: str, hindrance: str, well: str = "none", *, binding: bool = True) -> PreconditionSeen:
    return PreconditionSeen(name, not hindrance, hindrance or well, binding)
