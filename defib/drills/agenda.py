"""What a site has before it of its drills: what was missed and is not told yet, and what is due.

All of it is read from the folders of runs. ``$DEFIB_HOME/sites/SITE/drills.json`` holds since when the calendar of each
procedure is as it is: nothing is missed that was due before anybody here knew of it, or by another calendar.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import AwareDatetime, TypeAdapter, ValidationError

from defib.clock import Deadline
from defib.drills.calendar import Calendar, Due, Missed, PastDrill
from defib.drills.history import past_drills
from defib.drills.proofs import Proof, changed_from, changed_since, drill_folders, last_proof
from defib.errors import HomeUnwritable, InputError, Refused
from defib.history import JOURNAL, opening_of
from defib.home import Home
from defib.journal import read_journal
from defib.runbook import Runbook, load_runbook
from defib.sites.site import Site
from defib.start import Desk
from defib.wholefile import put

READ_WITHIN = timedelta(seconds=60)
"""For reading the proofs of all procedures. What is not known by then is asked again an hour later."""


@dataclass(frozen=True)
class _Known:
    rule: str
    since: AwareDatetime


_KNOWN = TypeAdapter(dict[str, _Known])


@dataclass(frozen=True)
class Agenda:
    """What was missed until a moment, what is due then, and when each procedure is due next."""

    at: datetime
    calendar: Calendar
    missed: tuple[Missed, ...]
    due: Due | None
    next: Mapping[str, datetime]


def settle(home: Home, site: Site, calendar: Calendar, now: datetime) -> None:
    """All that was missed until now is recorded: it need not be looked for again."""
    known = _read_known(home, site)
    settled = calendar.settled(now)
    later = {
        procedure: _Known(each.rule, max(each.since, settled[procedure])) if procedure in settled else each
        for procedure, each in known.items()
    }
    _write_known(home, site, known, later)


def calendar_of(site: Site) -> Calendar:
    """The calendar of a site; :class:`InputError` where its file has no ``drills:``."""
    if site.drills is None:
        raise InputError(
            f"the site {site.site} has no calendar of drills", where=f"{site.site}.yaml", expected="drills: in its file"
        )
    return Calendar(site.drills, site.drills.procedures or site.drillable)


def agenda(desk: Desk, site: Site) -> Agenda:
    """What is before a site at this moment. Remembers since when its calendar is known."""
    calendar, now = calendar_of(site), desk.clock.now()
    since = _known_since(desk.home, site, calendar, now)
    past = past_drills(desk.home, site.site)
    due = calendar.due(now, past, since)
    if due is None:  # proofs are read only where they decide something
        due = calendar.due(now, past, since, _changed(desk, site, calendar, past))
    following = {procedure: calendar.next(procedure, now) for procedure in calendar.procedures}
    return Agenda(now, calendar, calendar.missed(now, past, since), due, following)


@contextmanager
def alone(home: Home, site: str) -> Iterator[None]:
    """Nobody else holds the drills of a site meanwhile; :class:`Refused` where somebody does."""
    path = home.site(site) / "drills.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = path.open("w")
    except OSError as error:
        raise HomeUnwritable(f"cannot lock the drills: {error.strerror}", where=str(path)) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Refused(f"another process holds the drills of {site}", where=str(path), then="defib drills") from error
        yield


def _changed(desk: Desk, site: Site, calendar: Calendar, past: Sequence[PastDrill]) -> dict[str, str]:
    """What has changed since procedures were proved, but for what a drill was held with and did not prove."""
    within = Deadline.after(desk.clock, READ_WITHIN)
    found = {}
    for procedure in calendar.procedures:
        runbook = load_runbook(procedure, desk.runbooks)
        proof = last_proof(desk.home, site.site, procedure, within)
        if proof is None or within.expired():
            continue  # what was never proved is due when its month comes
        changed = changed_since(desk.home, proof, site, runbook)
        if changed and not _held_as_it_is(desk.home, site, runbook, proof, past):
            found[procedure] = ", ".join(changed)
    return found


def _held_as_it_is(home: Home, site: Site, runbook: Runbook, proof: Proof, past: Sequence[PastDrill]) -> bool:
    """Whether a drill was held since the proof with everything as it is now; it failed, and people are at work on that."""
    held = {each.at for each in past if each.procedure == runbook.procedure and each.ending.was_held and each.at > proof.at}
    since = [folder for folder in drill_folders(home, site.site, runbook.procedure) if folder.name > proof.by]
    return bool(held) and any(_begun(folder) in held and not changed_from(folder, site, runbook) for folder in since)


def _begun(folder: Path) -> datetime:
    records = read_journal(folder / JOURNAL)[0]
    opening_of(records, folder)
    return records[0].at


def _known_since(home: Home, site: Site, calendar: Calendar, now: datetime) -> dict[str, datetime]:
    """Since when each procedure has been due by this calendar, to the best knowledge of this machine."""
    before = _read_known(home, site)
    rules = {procedure: _rule(calendar, number) for number, procedure in enumerate(calendar.procedures)}
    known = {
        procedure: before[procedure] if procedure in before and before[procedure].rule == rule else _Known(rule, now)
        for procedure, rule in rules.items()
    }
    _write_known(home, site, before, known)
    return {procedure: each.since for procedure, each in known.items()}


def _read_known(home: Home, site: Site) -> dict[str, _Known]:
    """What the note says; one that is gone or spoilt begins anew, for nothing is called missed by a guess."""
    try:
        return _KNOWN.validate_json(_note(home, site).read_bytes())
    except (OSError, ValidationError):
        return {}


def _write_known(home: Home, site: Site, before: Mapping[str, _Known], known: dict[str, _Known]) -> None:
    if known != before:
        put(_note(home, site), _KNOWN.dump_json(known), "the note on the calendar of drills")


def _note(home: Home, site: Site) -> Path:
    return home.site(site.site) / "drills.json"


def _rule(calendar: Calendar, number: int) -> str:
    config = calendar.config
    return f"{config.day}, {config.at:%H:%M} {config.zone}, +{number}, {config.chances}"
