"""``drills``: the drills of a site, looked back at, and those that are due, held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from defib.alerts.alert import AlertKind
from defib.alerts.herald import outlets_of
from defib.cli.desk import desk
from defib.cli.drills import Rehearsed, Wanted, rehearse, with_surroundings, write_report
from defib.cli.live import Lines
from defib.cli.recover import Asked
from defib.cli.say import aside, fold_parts, say, say_json, table
from defib.clock import SystemClock
from defib.drills.agenda import Agenda, agenda, alone, calendar_of, settle
from defib.drills.calendar import Calendar, Due, Missed
from defib.drills.history import drill_lines
from defib.drills.line import DrillLine, Unreadable
from defib.drills.news import telling
from defib.drills.order import DrillOrder, hindrance, open_drill, record_missed, skip
from defib.errors import HomeUnwritable
from defib.objectives import Measure, Status
from defib.redact import Redactor
from defib.report import words
from defib.report.as_html import as_html
from defib.report.drills_page import drills_page, told
from defib.report.figures import objective_figures
from defib.report.summary import drill_summary
from defib.runbook import load_runbook
from defib.sites.site import Site, load_site
from defib.start import Desk

_HEAD = ("when (UTC)", "procedure", "ended", "RTO", "RPO", "score", "drill")


@dataclass(frozen=True)
class _Book:
    """What is known of a site's drills now; without a calendar nothing is due."""

    site: Site
    at: datetime
    lines: tuple[DrillLine, ...]
    broken: tuple[Unreadable, ...]
    calendar: Calendar | None

    @property
    def following(self) -> dict[str, datetime]:
        """When each procedure is due next."""
        of = self.calendar
        return {procedure: of.next(procedure, self.at) for procedure in of.procedures} if of else {}


def show(redact: Redactor, site_name: str, html: str, *, as_json: bool) -> int:
    """A line for each drill, oldest first, and when each procedure is due next; also as a page, if a file is named."""
    at = desk(SystemClock(), redact)
    site = load_site(at.site_path(site_name))
    lines, broken = drill_lines(at.home, site.site)
    book = _Book(site, at.clock.now(), lines, broken, calendar_of(site) if site.drills else None)
    if html:
        _write(Path(html), as_html(drills_page(site.site, book.at, lines, broken, book.following)))
    if as_json:
        say_json(_plain(book))
    else:
        say(_shown(book) + (f"\n\nPage: {html}" if html else ""))
    return 0


def hold(asked: Asked, site_name: str, net: str, trigger: str = "") -> int:
    """Record what was missed, and hold the one drill that is due, if any; the exit code is the drill's.

    To be called every hour, by a schedule: it asks the calendar, and begins nothing that is not due. `trigger` says whose
    schedule it was.
    """
    at = desk(SystemClock(), asked.redact, Lines(aside))
    path = at.site_path(site_name)
    site = load_site(path)
    with alone(at.home, site.site):
        before = agenda(at, site)
        missed = tuple(_record(at, site, path, before.calendar, each, trigger) for each in before.missed)
        settle(at.home, site, before.calendar, before.at)
        due = before.due
        order = DrillOrder(due.why, due.occasion, trigger) if due else DrillOrder()
        over = _hold(asked, at, site, Wanted(due.procedure, site_name, net, order=order)) if due else None
    _tell(asked, before, missed, over, before.due)
    if over is not None:
        return over.exit_code
    return Status.REFUSED.exit_code if missed else 0


def _record(at: Desk, site: Site, path: Path, calendar: Calendar, missed: Missed, trigger: str) -> str:
    runbook = load_runbook(missed.procedure, at.runbooks)
    tell = telling(site, outlets_of(site, at.home, at.redact), at.clock)
    order = DrillOrder("monthly", missed.occasion, trigger, tell=tell)
    said = calendar.said(missed)
    aside(f"{missed.procedure} was missed: {said}")
    return record_missed(at, runbook, site, path, order, said)


def _hold(asked: Asked, at: Desk, site: Site, wanted: Wanted) -> Rehearsed:
    """A drill in the lab; of any other site a person is asked, for its users would be moved in earnest."""
    if site.lab:
        return rehearse(asked, wanted)
    order = with_surroundings(at, site, wanted)
    runbook = load_runbook(wanted.procedure, at.runbooks)
    drill_id, journal = open_drill(at, runbook, site, at.site_path(wanted.site), (), order)
    command = f"defib drill {wanted.procedure} --site {site.site} --live"
    in_the_way = hindrance(journal, order)
    ask = partial(skip, journal, order)
    drill = ask(in_the_way) if in_the_way else ask(f"only a person moves users in earnest: {command}", AlertKind.DECISION)
    return Rehearsed(drill, write_report(at, drill_id, drill), brought_a_lab=False)


def _tell(asked: Asked, before: Agenda, missed: Sequence[str], over: Rehearsed | None, due: Due | None) -> None:
    following = {procedure: at.isoformat() for procedure, at in before.next.items()}
    if asked.as_json:
        drill = over.told if over else None
        say_json(
            {
                "missed": list(missed),
                "drill_id": drill.opened.run_id if drill else None,
                "procedure": due.procedure if due else None,
                "ending": drill.ending.value if drill else None,
                "reason": drill.reason if drill else "",
                "exit_code": over.exit_code if over else Status.REFUSED.exit_code if missed else 0,
                "report": str(over.report) if over else None,
                "next": following,
            }
        )
    elif over is not None:
        say(f"\n{fold_parts(drill_summary(over.told, 'held by the calendar'))}\n\nReport: {over.report}")
    else:
        calendar = before.calendar
        soon = min(before.next, key=lambda procedure: before.next[procedure])
        say(f"Nothing is due. The next is {soon}, {calendar.told(before.next[soon])}.")


def _shown(book: _Book) -> str:
    rows = [_row(line) for line in book.lines]
    parts = [table(_HEAD, rows) if rows else f"No drill of {book.site.site} was ever held."]
    reasons = [f"{line.drill_id}: {words.plain(line.reason)}" for line in book.lines if line.reason]
    parts += ["\n".join(reasons)] if reasons else []
    parts += ["\n".join(f"{each.drill_id}: BROKEN: {each.why}" for each in book.broken)] if book.broken else []
    if book.calendar is None:
        parts.append(f"No calendar: drills: in the file of {book.site.site} says when they are due.")
    else:
        parts.append("\n".join(f"Next {each}: {book.calendar.told(at)}" for each, at in book.following.items()))
    return "\n\n".join(parts)


def _row(line: DrillLine) -> tuple[str, ...]:
    scored = f"{line.score.percent} %" if line.score else "-"
    when = f"{line.at:%Y-%m-%d %H:%M}"
    return when, line.procedure, line.word, told(line.rto), told(line.rpo), scored, line.drill_id


def _plain(book: _Book) -> Mapping[str, object]:
    return {
        "site": book.site.site,
        "drills": [_plain_line(line) for line in book.lines],
        "unreadable": [{"drill_id": each.drill_id, "why": each.why} for each in book.broken],
        "next": {procedure: at.isoformat() for procedure, at in book.following.items()},
    }


def _plain_line(line: DrillLine) -> Mapping[str, object]:
    return {
        "drill_id": line.drill_id,
        "procedure": line.procedure,
        "at": line.at.isoformat(timespec="milliseconds"),
        "ending": line.word,
        "reason": line.reason,
        "why": line.why,
        "due": line.due.isoformat() if line.due else None,
        "rto": _measure(line.rto),
        "rpo": _measure(line.rpo),
        "score": line.score.percent if line.score else None,
        "live": line.live,
    }


def _measure(measure: Measure | None) -> Mapping[str, object] | None:
    if measure is None:
        return None
    found = objective_figures(measure)
    return {"target_s": found.target_s, "actual_s": found.actual_s, "verdict": found.verdict.value}


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise HomeUnwritable(
            f"cannot write the page: {error.strerror}", where=str(path), expected="a file in a folder that exists"
        ) from error
