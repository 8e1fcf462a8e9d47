"""What a person at three in the morning must know first: who has no service, what is at work, what was left half done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from shlex import quote

from defib.board.model import Board, Down, Held, Left, Running, SiteBoard
from defib.objectives import Mode
from defib.ready.check import State
from defib.report import words
from defib.report.page import Tone


@dataclass(frozen=True)
class Alarm:
    """One thing that goes on: a word, a sentence, more about it, what to run; `used` is the part of the RTO in per cent."""

    tone: Tone
    word: str
    title: str
    lines: tuple[str, ...]
    commands: tuple[str, ...] = ()
    used: float | None = None


def headline(board: Board) -> tuple[Tone, str, str]:
    """The tone of the whole board, what goes on in a sentence, and what is proved and ready in another."""
    out = [site for site in board.sites if site.down or any(run.outage for run in site.running)]
    at_work = sum(len(site.running) for site in board.sites)
    left = sum(len(site.left) for site in board.sites)
    away = sum(site.away is not None for site in board.sites)
    work = f"{words.count(at_work, 'run')} {'is' if at_work == 1 else 'are'} at work" if at_work else "Nothing is running"
    waiting = sum(run.waits_until is not None for site in board.sites for run in site.running)
    asks = f"{words.count(waiting, 'plan')} {'waits' if waiting == 1 else 'wait'} for an approval." if waiting else ""
    half = f"{words.count(left, 'run')} stopped half-way" if left else ""
    if out:
        names = _names([site.name for site in out])
        return Tone.BAD, f"No service: {names}", _sentences(asks, f"{work}.", f"{half}." if half else "", _standing(board))
    if asks:
        return Tone.BAD, asks, _sentences(f"{work}.", f"{half}." if half else "", _standing(board))
    if half:
        return Tone.BAD, f"{half}. {work}.", _standing(board)
    if at_work:
        return Tone.PLAIN, f"{work}; no outage is known.", _standing(board)
    elsewhere = f"Users of {words.count(away, 'site')} are where a recovery sent them." if away else ""
    wrong = [site.name for site in board.sites if site.state is State.FAIL]
    if wrong:
        return (
            Tone.BAD,
            f"No outage is known; not well: {_names(wrong)}",
            _sentences(f"{work}.", elsewhere, _standing(board)),
        )
    tone = {State.FAIL: Tone.BAD, State.OK: Tone.GOOD, State.WARN: Tone.WARN}.get(board.state, Tone.UNKNOWN)
    return tone, "Nothing is running, and no outage is known.", _sentences(elsewhere, _standing(board))


def _names(names: list[str]) -> str:
    shown = ", ".join(names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown  # noqa: PLR2004 - what fits a headline


def _sentences(*texts: str) -> str:
    return " ".join(text for text in texts if text)


def _standing(board: Board) -> str:
    """How many procedures are proved, and how many sites are ready."""
    states = [each.state for site in board.sites for each in site.procedures]
    ready = [site.ready.state for site in board.sites]
    if not board.sites:
        return "There is no site yet: add a site file."
    proved = sum(state in {State.OK, State.WARN} for state in states)
    able = sum(state in {State.OK, State.WARN} for state in ready)
    failed = f", {states.count(State.FAIL)} failed or missed" if State.FAIL in states else ""
    unable = f", {ready.count(State.FAIL)} not" if State.FAIL in ready else ""
    unknown = f", {ready.count(State.UNKNOWN)} unknown" if State.UNKNOWN in ready else ""
    sites = f"{able} of {words.count(len(ready), 'site')} ready{unable}{unknown}"
    return f"{proved} of {words.count(len(states), 'procedure')} proved{failed}; {sites}."


def alarms(board: Board) -> Iterator[Alarm]:
    """Everything that goes on, outages first."""
    if board.held:
        yield _held("everywhere", board.held)
    for site in board.sites:
        if site.down:
            yield _down(site, site.down, board.at)
    for site in board.sites:
        yield from (_running(run, board.at) for run in site.running)
    for site in board.sites:
        yield from (_left(site, left) for left in site.left)
    for site in board.sites:
        if site.away and not site.running:
            yield _away(site, board.at)
        if site.held:
            yield _held(site.name, site.held)


def _down(site: SiteBoard, down: Down, now: datetime) -> Alarm:
    out = now - down.since
    lines = [f"since {_time(down.since)}, seen {_seconds(now - down.seen_at)} ago by defib watch"]
    rto = site.targets.rto if site.targets else None
    lines += [f"{words.duration(_whole(out))} of the RTO of {words.duration(rto)}"] if rto else []
    commands = () if site.running else (f"defib plan cdn-failover --site {site.name}", "defib runs")
    used = min(out / rto * 100, 100.0) if rto else None
    return Alarm(Tone.BAD, "no service", f"{site.name}: users out for {_seconds(out)}", tuple(lines), commands, used)


def _running(run: Running, now: datetime) -> Alarm:
    what = f"a drill of {run.procedure}" if run.is_drill else run.procedure
    lines = [
        f"{_step(run, now)}; begun {_seconds(now - run.started)} ago, {_time(run.started)}",
        f"{run.mode}, run {run.run}",
    ]
    used = None
    if run.outage:
        since = run.out_since
        out = f"for {_seconds(now - since)} of {words.duration(run.rto)}" if since else "nobody knows since when"
        lines.insert(0, f"users out: {out}")
        used = min((now - since) / run.rto * 100, 100.0) if since else None
    in_earnest = run.outage and run.mode is Mode.INCIDENT
    if run.waits_until is not None:
        lines.insert(0, f"its plan waits for an approval until {_time(run.waits_until)}")
        return Alarm(
            Tone.BAD, "waits for you", f"{run.site}: {what}", tuple(lines), (f"defib approve {quote(run.run)}",), used
        )
    return Alarm(Tone.BAD if in_earnest else Tone.PLAIN, "running", f"{run.site}: {what}", tuple(lines), (), used)


def _step(run: Running, now: datetime) -> str:
    if not run.step or run.step_since is None or run.step_budget is None:
        return "between two steps"
    took, budget = now - run.step_since, words.duration(run.step_budget)
    if took > run.step_budget:
        return f"step {run.step} for {_seconds(took)}, beyond its budget of {budget}"
    return f"step {run.step} for {_seconds(took)} of {budget}"


def _left(site: SiteBoard, left: Left) -> Alarm:
    run = left.glance
    how = "was killed" if left.was_killed else words.status(run.status)
    stand = words.count(run.standing, "change")
    reason = (run.reason,) if run.reason else ()
    commands = (f"defib resume {quote(run.run)}", f"defib rollback {quote(run.run)}")
    title = f"{site.name}: {run.procedure} {how}, and {stand} may stand"
    return Alarm(Tone.BAD, "half-way", title, (*reason, f"{run.opened.mode}, run {run.run}"), commands)


def _away(site: SiteBoard, now: datetime) -> Alarm:
    run = site.away
    assert run is not None, "asked for a site that has one"
    title = f"{site.name}: users are where {run.procedure} sent them"
    line = f"for {_seconds(now - run.at)}, since {_time(run.at)}, as far as journals tell; run {run.run}"
    return Alarm(Tone.WARN, "away", title, (line,), (f"defib failback {quote(run.run)} --plan",))


def _held(where: str, held: Held) -> Alarm:
    who = f" by {held.who}" if held.who else ""
    why = (held.why,) if held.why else ()
    return Alarm(Tone.WARN, "held back", f"{where}: nothing starts by itself", (*why, f"set {_time(held.since)}{who}"))


def _whole(span: timedelta) -> timedelta:
    return timedelta(seconds=max(span, timedelta(0)) // timedelta(seconds=1))


def _seconds(span: timedelta) -> str:
    """In whole seconds: it is old by the time it is read."""
    return words.duration(_whole(span))


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
