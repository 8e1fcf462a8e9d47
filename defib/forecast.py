"""What a person should know before approving a plan: how long the outage would be, and what could be in the way.

A forecast reads three sources: the TTLs that resolvers say are left, the earlier runs of the same procedure on the same
site, and the budgets of the runbook. It is told in spans of the outage, as reports measure them, so that it can be held
against what happened. What no source tells is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from statistics import median

from defib import entries
from defib.approval import Automatic, ByDigest
from defib.clock import Deadline
from defib.errors import EvidenceBroken, Interrupted
from defib.fate import in_plan
from defib.history import JOURNAL, status_of
from defib.home import Home
from defib.journal import read_journal
from defib.objectives import Mode, Phase, Status
from defib.plan import Decides, Plan
from defib.ports import Health, RecordKey, RecordSet
from defib.report import words
from defib.run import Run, Step
from defib.runbook import RunbookStep
from defib.sites.site import Site
from defib.timeline import Timeline, timeline
from defib.users.looking import USERS
from defib.users.ways import SWITCH, Lead, alias_of, answered_as_written

PATIENCE = timedelta(seconds=2)
"""For everything that a forecast asks, where a person waits to decide."""

IMPATIENCE = timedelta(milliseconds=100)
"""The same where nobody does: users wait for the change, and nobody for the forecast."""

EARLIER = 10
"""How many earlier runs count, the newest: older ones were in another world."""

LONG = timedelta(minutes=5)
"""A TTL beyond it is worth a warning: resolvers keep the old answer for as long."""

_ROUNDED = timedelta(seconds=1)
"""TTLs are told in whole seconds: one of which 0 s are left may last for almost one more."""

_AHEAD = (Phase.ACT, Phase.PROPAGATE, Phase.VERIFY)
"""The spans of an outage that are still to come when a plan is approved."""

Recoveries = Callable[[Deadline], Sequence[Timeline]]
"""Earlier recoveries by the same procedure on the same site, newest first, as many as can be read in time."""


def foresee(step: Step, plan: Plan) -> None:
    """Write down what the outage would come to, and warn of long TTLs and of a way back that leans on what failed.

    Only reads, within :data:`PATIENCE`. What it cannot tell is a note, and never stops the run. Nothing is foretold where
    nothing changes that users notice, or where users have service (a failback).
    """
    if all(change.decides is Decides.COPY for change in plan.changes):
        return
    for text in (*_long_tails(plan), *map(str, in_plan(step.site, step.run.runbook.against, plan))):
        step.note(text, warning=True)
    if step.run.follows:
        return
    try:
        foreseen = _foreseen(step, plan)
    except Interrupted:
        raise
    except Exception as error:  # whatever it is: a recovery does not end because nobody can say how long it takes
        step.note(f"no forecast: {type(error).__name__}: {error}")
        return
    step.record(foreseen)


@dataclass(frozen=True)
class Tail:
    """How long resolvers keep the old answers: `left` of it now, None where that is not known, and at most `longest`."""

    left: timedelta | None
    longest: timedelta
    source: str


@dataclass(frozen=True)
class Ahead:
    """What is to come: the time that the approval may still take, the steps after it, earlier runs, and the old answers."""

    deciding: timedelta
    steps: Sequence[RunbookStep]
    earlier: Sequence[Timeline]
    tail: Tail


def forecast(digest: str, rto: timedelta, so_far: timedelta | None, so_far_source: str, ahead: Ahead) -> entries.Forecast:
    """The forecast from what is known; at worst no part is shorter than expected."""
    decided = entries.Foreseen(Phase.DECIDE, timedelta(0), ahead.deciding, "if it is approved now")
    return entries.Forecast(digest, rto, so_far, so_far_source, (decided, *(_part(phase, ahead) for phase in _AHEAD)))


def earlier_recoveries(home: Home, site: str, procedure: str) -> Recoveries:
    """The reader of those runs, rehearsals and drills' runs among them. A journal that cannot be read is left out."""
    ours = re.compile(rf"\d+-\d+-{re.escape(procedure)}-{re.escape(site)}-[0-9a-f]+")

    def read(within: Deadline) -> Sequence[Timeline]:
        found: list[Timeline] = []
        folders = (home.path / "runs").glob(f"*-{procedure}-{site}-*")  # by name: there may be thousands of other sites'
        for folder in sorted(filter(lambda folder: ours.fullmatch(folder.name), folders), reverse=True):
            if within.expired() or len(found) == EARLIER:
                break
            if (told := _recovered(folder)) is not None:
                found.append(told)
        return found

    return read


def _recovered(folder: Path) -> Timeline | None:
    try:
        records, _ = read_journal(folder / JOURNAL)
        return timeline(records) if status_of(records) is Status.RECOVERED else None
    except EvidenceBroken:
        return None


def _foreseen(step: Step, plan: Plan) -> entries.Forecast:
    run = step.run
    watched = run.mode is Mode.PLAN or not isinstance(run.approver, Automatic | ByDigest)
    within = step.within.sooner(PATIENCE if watched else IMPATIENCE)
    tail = _tail(step, plan, within) if watched else _tail_of_records(step.site, plan)
    deciding = max(step.within.remaining(), timedelta(0)) if watched else timedelta(0)
    so_far, source = _so_far(run)
    ahead = Ahead(deciding, _after(step), run.earlier(within), tail)
    return forecast(plan.digest(), run.objectives.rto, so_far, source, ahead)


def _part(phase: Phase, ahead: Ahead) -> entries.Foreseen:
    spans = [span.took for run in ahead.earlier for span in run.spans if span.phase is phase and span.took is not None]
    expected = timedelta(seconds=median(span.total_seconds() for span in spans)) if spans else None
    source = {0: "no earlier run tells", 1: "one earlier run"}.get(len(spans), f"median of {len(spans)} runs")
    worst = sum((step.budget for step in ahead.steps if _span(step) is phase), timedelta(0))
    if phase is Phase.PROPAGATE:
        worst = max(worst, ahead.tail.longest)
        if ahead.tail.left is not None:
            expected, source = ahead.tail.left, ahead.tail.source
        else:
            source = f"{ahead.tail.source}; {source}"
    return entries.Foreseen(phase, expected, max(worst, expected or worst), source)


def _span(step: RunbookStep) -> Phase:
    """The span of the outage that a step after the approval is in: whatever comes before the last write is acting."""
    return step.phase if step.phase in _AHEAD else Phase.ACT


def _after(step: Step) -> Sequence[RunbookStep]:
    steps = step.run.runbook.steps
    here = next(number for number, other in enumerate(steps) if other.name == step.name)
    return steps[here + 1 :]


def _so_far(run: Run) -> tuple[timedelta | None, str]:
    """How long users have been without service, as far as anybody knows; the first bad look of the run only bounds it."""
    now = run.clock.now()
    if run.since is not None:
        return max(now - run.since, timedelta(0)), "since users first lost service"
    looks = (entry.observation for entry in run.journal.of(entries.Observed) if entry.aim == USERS)
    bad = [look.at for look in looks if look.health is Health.BAD]
    least = f", but for {words.duration(now - min(bad))} at least" if bad else ""
    return None, f"nobody knows since when users are without service{least}"


def _tail(step: Step, plan: Plan, within: Deadline) -> Tail:
    """What is left of the old answers at the observers' own resolvers, which their looks have just asked.

    No other is asked: a question now would make it keep the old answer for another TTL.
    """
    by_records = _tail_of_records(step.site, plan)
    if _turned(plan):
        return by_records
    own = tuple(dict.fromkeys(observer.resolver for observer in step.site.observers))
    kept = _kept(step.site, plan)
    left: list[timedelta] = []
    told: set[str] = set()
    for key, ttl in kept.items():
        answers = step.run.outside.answers.resolvers(key, within=within.sooner(PATIENCE / len(kept)), only=own)
        for answer in answers:
            if answer.values:
                up_to = answer.ttl + _ROUNDED
                left.append(up_to if ttl is None else min(up_to, ttl))
                told.add(answer.server)
    if not left:
        return replace(by_records, source=f"{by_records.source}: no resolver told what is left of it")
    return Tail(max(left), max(by_records.longest, *left), f"TTL left at {len(told)} of {len(own)} resolvers of observers")


def _tail_of_records(site: Site, plan: Plan) -> Tail:
    """The same by the records themselves: a resolver may have asked just now."""
    ttls = list(_kept(site, plan).values())
    known = [ttl for ttl in ttls if ttl is not None]
    longest = max(known, default=timedelta(0))
    if _turned(plan):
        return Tail(None, longest, "a health check has to notice the switch first")
    if not ttls or None in ttls:
        return Tail(None, longest, "the answers' TTL is not the record's")
    return Tail(longest, longest, "the TTL of the records")


def _kept(site: Site, plan: Plan) -> dict[RecordKey, timedelta | None]:
    """What resolvers are asked, and may keep; None where the TTL of the answer is not that of the record set."""
    kept: dict[RecordKey, timedelta | None] = {}
    for change in plan.changes:
        for record in change.records:
            if record.key.type == SWITCH:
                kept |= _armed(site, record.key.name)
            elif record.before is not None:
                key, ttl = _asked(site, change.vendor, record.before)
                kept[key] = max(ttl, kept.get(key) or ttl) if ttl is not None else None
    return kept


def _asked(site: Site, vendor: str, before: RecordSet) -> tuple[RecordKey, timedelta | None]:
    """An alias, a flattened or a proxied name is answered with addresses, and with a TTL of their own."""
    key = RecordKey(before.key.name, before.key.type)
    zone = next((zone.zone for zone in site.dns if zone.provider == vendor and f".{key.name}".endswith(f".{zone.zone}")), "")
    lead = Lead(key, before.values, before.ttl, vendor, alias_of(before.attributes))
    if answered_as_written(lead, before, zone):
        return key, before.ttl
    return (RecordKey(key.name, "A") if key.type == "CNAME" else key), None


def _armed(site: Site, name: str) -> dict[RecordKey, timedelta | None]:
    """The failover record sets that a switch turns, with the TTL that the site file gives them."""
    armed = [record for host in site.hosts for record in host.records if record.name == name and record.set_identifier]
    return {RecordKey(record.name, record.type): record.ttl for record in armed}


def _turned(plan: Plan) -> bool:
    return any(record.key.type == SWITCH for change in plan.changes for record in change.records)


def _long_tails(plan: Plan) -> Iterator[str]:
    """One warning for each TTL that is too long, with the names that have it."""
    sets = [record.before for change in plan.changes for record in change.records if record.before]
    for ttl in sorted({record.ttl for record in sets if record.ttl > LONG}, reverse=True):
        names = ", ".join(dict.fromkeys(str(record.key) for record in sets if record.ttl == ttl))
        yield (
            f"the TTL of {names} is {ttl // timedelta(seconds=1):,} s: "
            f"resolvers may keep the old answer for up to {_in_hours(ttl)}"
        )


def _in_hours(span: timedelta) -> str:
    hours, rest = divmod(span, timedelta(hours=1))
    return words.duration(span) if rest or not hours else f"{hours} h"
