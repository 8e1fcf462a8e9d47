"""The board before it is set: what goes on first, then every site; all in words, with bars and charts beside them.

Text is as it was written down; whoever sets it escapes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from defib.board.glance import Glance
from defib.board.model import Board, Copy, ProcedureBoard, SiteBoard
from defib.objectives import Measure, Mode, Verdict
from defib.ready.check import State
from defib.report import words
from defib.report.board_now import Alarm, alarms, headline
from defib.report.chart import chart_over
from defib.report.page import Chart, Tone, tone_of

OPEN_UP_TO = 6
"""So many sites are shown in full; of more, those that need somebody are."""

_BARS = 42
_FINDINGS = 12
_NARROWEST = 1.5
"""Per cent: what is not zero can be seen."""

TONES = {State.OK: Tone.GOOD, State.WARN: Tone.WARN, State.UNKNOWN: Tone.UNKNOWN, State.FAIL: Tone.BAD}
_READY = {State.OK: "ready", State.WARN: "ready, with warnings", State.UNKNOWN: "unknown", State.FAIL: "not ready"}
_COPIES = {State.OK: "within the RPO", State.WARN: "look again", State.UNKNOWN: "unknown", State.FAIL: "not as it must be"}


@dataclass(frozen=True)
class Gauge:
    """An objective: its figure in words, and how much of the target was used, in per cent of the wider of the two."""

    figure: str
    used: float
    target: float
    tone: Tone


@dataclass(frozen=True)
class Trend:
    """Earlier recoveries, the oldest first: heights in per cent of the largest, and what they come to in words."""

    bars: tuple[tuple[float, Tone], ...]
    words: str


@dataclass(frozen=True)
class ProofLine:
    """One procedure of a site."""

    procedure: str
    tone: Tone
    word: str
    short: str
    """For a cell of the table of all sites: its age, or why it has none."""
    when: str
    run: str
    says: tuple[str, ...]
    rto: Gauge | None
    rpo: Gauge | None
    trend: Trend | None
    then: str


@dataclass(frozen=True)
class CopyLine:
    """One mirror or replica."""

    kind: str
    name: str
    tone: Tone
    word: str
    when: str
    held: str
    says: tuple[str, ...]
    gauge: Gauge
    worst: str
    chart: Chart | None


@dataclass(frozen=True)
class Finding:
    """One readiness finding that is not well."""

    tone: Tone
    word: str
    about: str
    text: str
    then: str


@dataclass(frozen=True)
class SiteView:
    """One site."""

    name: str
    title: str
    is_lab: bool
    is_open: bool
    tone: Tone
    summary: str
    targets: str
    problem: str
    ready_tone: Tone
    ready_word: str
    ready_short: str
    ready_said: str
    findings: tuple[Finding, ...]
    more_findings: int
    proofs: tuple[ProofLine, ...]
    unproved: tuple[ProofLine, ...]
    """Procedures of which there is nothing to say but that they were never proved."""
    copies: tuple[CopyLine, ...]
    unreadable: tuple[str, ...]

    def cell(self, procedure: str) -> ProofLine | None:
        """What stands under a procedure in the table of all sites."""
        return next((line for line in (*self.proofs, *self.unproved) if line.procedure == procedure), None)


@dataclass(frozen=True)
class BoardPage:
    """The whole board. `refresh` is in seconds; 0 where it stays as it is."""

    tone: Tone
    headline: str
    lead: str
    at: str
    alarms: tuple[Alarm, ...]
    columns: tuple[str, ...]
    sites: tuple[SiteView, ...]
    notes: tuple[str, ...]
    refresh: int
    footer: str


def board_page(board: Board, refresh: int = 0) -> BoardPage:
    """The board as it is to be set."""
    shown = tuple(_site(site, board.at, few=len(board.sites) <= OPEN_UP_TO) for site in board.sites)
    tone, told, lead = headline(board)
    return BoardPage(
        tone=tone,
        headline=told,
        lead=lead,
        at=_moment(board.at),
        alarms=tuple(alarms(board)),
        columns=tuple(sorted({each.name for site in board.sites for each in site.procedures})),
        sites=shown,
        notes=tuple(_notes(board)),
        refresh=refresh,
        footer="Made from the journals of this machine alone; no vendor and no server was asked. Times are UTC.",
    )


def _notes(board: Board) -> Iterator[str]:
    for problem in board.problems:
        yield f"A runbook cannot be used: {problem}"
    for each in board.unreadable:
        yield f"Run {each.run} cannot be read: {each.why}"
    if board.hidden:
        yield f"Not shown: {words.count(board.hidden, 'site')} of the lab, on which nothing was ever run."


def _site(site: SiteBoard, now: datetime, *, few: bool) -> SiteView:
    checks = sorted(
        (check for check in (site.ready.found.checks if site.ready.found else ()) if check.state is not State.OK),
        key=lambda check: list(State).index(check.state),
        reverse=True,
    )
    targets = site.targets
    return SiteView(
        name=site.name,
        title=site.title,
        is_lab=site.is_lab,
        is_open=few or site.needs_somebody,
        tone=TONES[site.state],
        summary=_summary(site),
        targets=f"RTO {words.duration(targets.rto)}, RPO {words.duration(targets.rpo)}" if targets else "objectives unknown",
        problem=site.problem,
        ready_tone=TONES[site.ready.state],
        ready_word=_READY[site.ready.state],
        ready_short=_ready_short(site, now),
        ready_said=_ready_said(site, now),
        findings=tuple(
            Finding(TONES[check.state], check.state.value, f"{check.name} of {check.about}", check.text, check.then)
            for check in checks[:_FINDINGS]
        ),
        more_findings=max(len(checks) - _FINDINGS, 0),
        proofs=tuple(proof_line(each, now) for each in site.procedures if not _is_bare(each)),
        unproved=tuple(proof_line(each, now) for each in site.procedures if _is_bare(each)),
        copies=tuple(_copy(copy, now) for copy in site.copies),
        unreadable=tuple(f"{each.run}: {each.why}" for each in site.unreadable),
    )


def _summary(site: SiteBoard) -> str:
    states = [each.state for each in site.procedures]
    good = sum(state in {State.OK, State.WARN} for state in states)
    parts = [f"{good} of {len(states)} procedures proved"] if states else ["no procedure"]
    failed = states.count(State.FAIL)
    parts += [f"{failed} failed"] if failed else []
    return ", ".join([*parts, _READY[site.ready.state] if site.ready.found else "readiness unknown"])


def _ready_short(site: SiteBoard, now: datetime) -> str:
    return f"{_READY[site.ready.state]}, {age(site.ready.found.at, now)}" if site.ready.found else "never checked"


def _ready_said(site: SiteBoard, now: datetime) -> str:
    found = site.ready.found
    if found is None:
        return site.ready.why
    states = [check.state for check in found.checks]
    counted = ", ".join(f"{states.count(state)} {state.value}" for state in reversed(State) if state in states)
    why = f"{site.ready.why}; then it was {_READY[found.state]}: " if site.ready.why else ""
    return f"{why}{counted or 'nothing was checked'}; checked {age(found.at, now)}, {_moment(found.at)}"


def proof_line(shown: ProcedureBoard, now: datetime) -> ProofLine:
    """One procedure in words and bars."""
    last = shown.last
    return ProofLine(
        procedure=shown.name,
        tone=TONES[shown.state],
        word=_word(shown),
        short=_short(shown, now),
        when=f"{age(last.at, now)}, {_moment(last.at)}, {_how(shown, last)}" if last else "",
        run=last.run if last else "",
        says=shown.says,
        rto=gauge(last.rto) if last and shown.takes_users else None,
        rpo=gauge(last.rpo) if last else None,
        trend=_trend(shown),
        then=shown.then if shown.state is not State.OK else "",
    )


def _is_bare(shown: ProcedureBoard) -> bool:
    return shown.last is None and shown.drill is None and len(shown.says) == 1 and shown.state is State.UNKNOWN


def _word(shown: ProcedureBoard) -> str:
    if shown.state is State.FAIL:
        missed = shown.last is not None and Verdict.MISSED in {shown.last.rto.verdict, shown.last.rpo.verdict}
        return "missed" if missed else "failed"
    if shown.last is None:
        return "not proved"
    return {State.OK: "proved", State.WARN: "proved, but look", State.UNKNOWN: "not known"}[shown.state]


def _short(shown: ProcedureBoard, now: datetime) -> str:
    if shown.last is None:
        return "never" if shown.state is not State.FAIL else "failed"
    return f"{_word(shown)}, {age(shown.last.at, now)}" if shown.state is State.FAIL else age(shown.last.at, now)


def _how(shown: ProcedureBoard, last: Glance) -> str:
    if last.opened.mode is Mode.REHEARSAL:
        drilled = shown.drill is not None and shown.drill.started <= last.started <= shown.drill.at
        return "in a drill" if drilled else "in a rehearsal"
    if last.opened.live:
        return "in a live drill"
    return (
        (last.opened.trigger if last.opened.trigger == "by schedule" else "by itself")
        if last.opened.automatic
        else "by hand"
    )


def gauge(measure: Measure) -> Gauge:
    """A figure against its target; what is unknown uses nothing, and says so."""
    target = words.duration(measure.target)
    if measure.actual is None or not measure.target:
        return Gauge(f"{words.UNKNOWN} of {target}", 0.0, 100.0, Tone.UNKNOWN)
    wider = max(measure.actual, measure.target)
    used = max(measure.actual / wider * 100, _NARROWEST if measure.actual else 0.0)
    figure = f"{words.duration(measure.actual)} of {target}"
    return Gauge(figure, round(used, 2), round(measure.target / wider * 100, 2), tone_of(measure.verdict))


def _trend(shown: ProcedureBoard) -> Trend | None:
    """How the RTO, or without one the RPO, went over the last recoveries."""
    measures = [run.rto if shown.takes_users else run.rpo for run in shown.past]
    known = [measure.actual for measure in measures if measure.actual is not None]
    if len(measures) < 2 or not known:  # noqa: PLR2004 - one alone is no trend
        return None
    top = max(known) or timedelta(seconds=1)
    bars = tuple(
        (100.0 if each.actual is None else round(max(each.actual / top * 100, 3.0), 1), tone_of(each.verdict))
        for each in measures
    )
    name, unknown = ("RTO" if shown.takes_users else "RPO"), len(measures) - len(known)
    also = f", unknown in {unknown}" if unknown else ""
    said = f"{name} of the last {len(measures)}: {words.duration(min(known))} to {words.duration(max(known))}{also}"
    return Trend(bars, said)


def _copy(copy: Copy, now: datetime) -> CopyLine:
    looks = thinned(copy.past, copy.measure.target)
    title = f"{copy.name}, what would have been lost"
    return CopyLine(
        kind=copy.kind,
        name=copy.name,
        tone=TONES[copy.state],
        word="beyond the RPO" if copy.measure.verdict is Verdict.MISSED else _COPIES[copy.state],
        when=f"compared {age(copy.at, now)}, {_moment(copy.at)}",
        held=copy.held,
        says=copy.says,
        gauge=gauge(copy.measure),
        worst=f"worst in 7 days: {words.duration(copy.worst)}",
        chart=chart_over(title, looks, copy.measure.target) if len(looks) > 1 else None,
    )


def thinned(
    looks: Sequence[tuple[datetime, timedelta | None]], limit: timedelta
) -> tuple[tuple[datetime, timedelta | None], ...]:
    """As many looks as fit: of several the worst is shown, first what was beyond the limit, then what nobody knew."""
    each = -(-len(looks) // _BARS) or 1
    found = []
    for start in range(0, len(looks), each):
        some = looks[start : start + each]
        known = [figure for _, figure in some if figure is not None]
        worst = max(known, default=None)
        unknown = len(known) < len(some) and not (worst is not None and worst > limit)
        found.append((some[0][0], None if unknown else worst))
    return tuple(found)


def age(at: datetime, now: datetime) -> str:
    """How long ago a moment was, in its largest unit."""
    passed = now - at
    if passed < timedelta(0):
        return "in the future"
    whole = timedelta(seconds=passed // timedelta(seconds=1))
    if whole < timedelta(seconds=5):
        return "just now"
    for unit, name in ((timedelta(days=1), "d"), (timedelta(hours=1), "h"), (timedelta(minutes=1), "min")):
        if whole >= unit:
            return f"{whole // unit} {name} ago"
    return f"{whole // timedelta(seconds=1)} s ago"


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
