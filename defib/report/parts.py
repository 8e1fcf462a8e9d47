"""The parts of a report that a run and a drill share: tables of phases, steps, looks, changes, notes and evidence."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from defib.objectives import Phase
from defib.plan import Change
from defib.ports import Health, RecordSet
from defib.report import words
from defib.report.changed import few, held
from defib.report.page import Cell, Table, Tone, cells, code, span
from defib.report.picture import moments_of, zero_of
from defib.timeline import ChangeLine, Sighting, StepLine, Timeline

_BOUNDS = {
    Phase.DETECT: "from the first bad look until found to be down",
    Phase.DECIDE: "until the plan was approved",
    Phase.ACT: "until the vendor accepted the last change",
    Phase.PROPAGATE: "until the DNS gave the new answer",
    Phase.VERIFY: "until users were served, and stayed so",
}
_OUTCOMES = {"done": Tone.GOOD, "": Tone.UNKNOWN}
_STATES = {
    "planned": (Tone.PLAIN, "planned, not begun"),
    "intended": (Tone.UNKNOWN, "sent; whether it landed is unknown"),
    "made": (Tone.GOOD, "made"),
    "already there": (Tone.GOOD, "already there, nothing written"),
    "undone": (Tone.PLAIN, "put back"),
    "not undone": (Tone.BAD, "not put back"),
}
_CHANGES, _OBJECTS = 200, 5
"""So many changes stand in a report, and so many objects of one on either side: a restored bucket may have 100,000."""

STANDING = frozenset({"intended", "made", "not undone"})
"""States in which a change may stand outside."""


def standing(timeline: Timeline) -> int:
    """How many changes of a run may stand outside."""
    return sum(change.state in STANDING for change in timeline.changes)


def phase_table(timeline: Timeline) -> Table:
    """The five spans with their share of the outage; a failback has no share, since users are served during most of it."""
    outage = None if timeline.opened.moves_served_users else timeline.rto.actual
    rows = [
        cells(f"{number} {span.phase}", _BOUNDS[span.phase], *_spent(span.took, outage))
        for number, span in enumerate(timeline.spans, start=1)
    ]
    return Table("The outage in five phases", ("Phase", "Reaches", "Took", "Of the outage"), tuple(rows))


def _spent(took: timedelta | None, outage: timedelta | None) -> tuple[Cell, Cell]:
    if took is None:
        return _unknown(), _unknown()
    if not outage:
        return Cell(words.exact(took)), Cell("-")
    return Cell(words.exact(took)), Cell(words.percent(took / outage), gauge=took / outage)


def _unknown() -> Cell:
    return Cell(words.UNKNOWN, tone=Tone.UNKNOWN)


def instant_table(timeline: Timeline) -> Table:
    """The moments that bound the phases, under the letters of the picture."""
    zero = zero_of(timeline)
    rows = []
    for letter, name, at in moments_of(timeline):
        told = (Cell(words.stamp(at)), Cell(words.offset(at - zero))) if at else (_unknown(), _unknown())
        rows.append(cells(f"{letter} {name}", *told))
    return Table("The moments", ("Moment", "When", "On the axis"), tuple(rows))


def step_table(timeline: Timeline) -> Table:
    """Each step against the budget that the runbook promises."""
    rows = tuple(_step(step) for step in timeline.steps)
    return Table("Steps against their budgets", ("Step", "Phase", "Plane", "Outcome", "Took", "Budget", "Used"), rows)


def _step(step: StepLine) -> tuple[Cell, ...]:
    used = step.took / step.budget if step.took is not None and step.budget else None
    over = used is not None and used > 1
    return cells(
        code(step.name),
        str(step.phase),
        str(step.plane),
        Cell(step.outcome or "no end", tone=_OUTCOMES.get(step.outcome, Tone.BAD)),
        Cell(words.exact(step.took), tone=Tone.PLAIN if step.took is not None else Tone.UNKNOWN),
        words.duration(step.budget),
        _unknown() if used is None else Cell(words.percent(used), tone=Tone.BAD if over else Tone.PLAIN, gauge=used),
    )


def look_table(timeline: Timeline) -> Table:
    """What each observer saw of each aim, each reason once, users first."""
    found: dict[tuple[str, str, str, str], list[Sighting]] = {}
    for sighting in sorted(timeline.sightings, key=lambda s: s.aim != "users"):
        seen = sighting.seen
        found.setdefault((sighting.aim, seen.observer, seen.health, seen.reason), []).append(sighting)
    rows = tuple(_look(aim, observer, reason, mine, timeline) for (aim, observer, _, reason), mine in found.items())
    return Table("What was seen", ("Looked at", "Observer", "Health", "Why", "Looks", "First", "Last"), rows)


def _look(aim: str, observer: str, reason: str, sightings: list[Sighting], timeline: Timeline) -> tuple[Cell, ...]:
    health = sightings[0].seen.health
    tone = {Health.GOOD: Tone.GOOD, Health.BAD: Tone.BAD}.get(health, Tone.UNKNOWN)
    moments = [sighting.seen.at for sighting in sightings]
    return cells(
        aim,
        observer,
        Cell(str(health), tone=tone),
        reason or "-",
        str(len(sightings)),
        _when(min(moments), timeline),
        _when(max(moments), timeline),
    )


def _when(at: datetime, timeline: Timeline) -> str:
    """The time alone, as long as it is the day on which the run began."""
    same = at.astimezone(UTC).date() == timeline.started.astimezone(UTC).date()
    return words.time_of_day(at) if same else words.stamp(at)


def change_table(timeline: Timeline, caption: str = "Changes") -> Table:
    """Every change with the record before and after."""
    rows = [_change(line, timeline) for line in timeline.changes[:_CHANGES]]
    more = len(timeline.changes) - len(rows)
    if more > 0:
        rows.append(cells(f"and {more} more, which report.json names", "", "", "", ""))
    return Table(caption, ("What", "Before", "After", "State", "When"), tuple(rows))


def _change(line: ChangeLine, timeline: Timeline) -> tuple[Cell, ...]:
    tone, told = _STATES.get(line.state, (Tone.UNKNOWN, line.state))
    return cells(
        f"{line.number}. {_target(line.change)}: {line.change.purpose}",
        code(_side(line.change, line.change.before)),
        code(_side(line.change, line.change.after)),
        Cell(f"{told}: {line.why}" if line.why else told, tone=tone),
        _when(line.at, timeline) if line.at else "-",
    )


def _target(change: Change) -> str:
    return f"{change.names} in {change.zone} at {change.vendor}"


def _side(change: Change, records: Sequence[RecordSet | None]) -> str:
    told = [held(record) for record in records] if change.piecemeal else [_record(record) for record in records]
    return few(told, _OBJECTS) if change.piecemeal else "; ".join(told)


def _record(record: RecordSet | None) -> str:
    if record is None:
        return "absent"
    extra = "".join(f" {name}={value}" for name, value in record.attributes)
    return f"{', '.join(record.values)} (TTL {words.duration(record.ttl)}){extra}"


def note_table(timeline: Timeline) -> Table:
    """What the run and its steps saw and waited for, each note once."""
    notes = dict.fromkeys((*timeline.notes, *(note for step in timeline.steps for note in step.notes)))
    rows = tuple(
        cells(
            code(note.step) if note.step else Cell("the run"),
            Cell("warning" if note.warning else "note", tone=Tone.BAD if note.warning else Tone.PLAIN),
            note.text,
        )
        for note in notes
    )
    return Table("What was noted and waited for", ("Step", "Kind", "Text"), rows)


def error_table(timeline: Timeline) -> Table:
    """The errors of steps, part by part."""
    rows = tuple(cells(code(step.name), label, text) for step in timeline.steps for label, text in step.error)
    return Table("What went wrong", ("Step", "Part", "Text"), rows)


def told_table(timeline: Timeline) -> Table:
    """Whom the run told of itself, and why it could not where it could not."""
    rows = tuple(
        cells(
            words.time_of_day(at),
            told.channel,
            told.title,
            Cell(told.outcome, tone=Tone.PLAIN if told.outcome == "sent" else Tone.UNKNOWN),
            told.why,
        )
        for at, told in timeline.told
    )
    return Table("Who was told", ("When", "Over", "What", "Outcome", "Why not"), rows)


def forecast_table(timeline: Timeline) -> Table:
    """What was foretold before the approval, beside what then happened."""
    foretold = timeline.forecast
    if foretold is None:
        return Table("Foretold before the approval", (), ())
    took = {span.phase: span.took for span in timeline.spans}
    rows = (
        cells("so far", span(foretold.so_far), "-", foretold.so_far_source, "-"),
        *(
            cells(
                str(part.phase),
                span(part.expected),
                span(part.worst),
                part.source,
                span(took.get(part.phase)),
            )
            for part in foretold.parts
            if part.phase is not Phase.DECIDE
        ),
        cells(
            "the whole outage",
            span(foretold.expected),
            span(foretold.worst),
            foretold.verdict,
            span(timeline.rto.actual),
        ),
    )
    return Table("Foretold before the approval", ("Part", "Expected", "At worst", "By what", "Came to"), rows)


def approval_sentence(timeline: Timeline) -> str:
    """Who approved what."""
    planned, approved = timeline.planned, timeline.approved
    if planned is None:
        return "There was no plan."
    told = f"The plan {planned.digest[:12]} holds {words.count(len(planned.changes), 'change')}."
    if approved is None:
        return f"{told} Nobody approved it."
    same = "" if approved.digest == planned.digest else f" The approved digest is another one: {approved.digest}."
    return f"{told} Approved by {approved.by} ({approved.how}) at {words.stamp(timeline.instants.decided)}.{same}"


def evidence_table(timeline: Timeline, caption: str = "Evidence") -> Table:
    """What the report stands on."""
    opened = timeline.opened
    facts = [
        ("Run", code(opened.run_id)),
        ("Procedure, site, mode", Cell(f"{opened.procedure}, {opened.site}, {opened.mode}")),
        ("Takes back the changes of", code(opened.follows)),
        ("Begun", Cell(words.stamp(timeline.started))),
        ("Ended", Cell(words.stamp(timeline.ended) if timeline.ended else "not yet")),
        ("The run itself took", Cell(words.exact(timeline.run_took))),
        ("Operator", Cell(opened.operator)),
        ("Started by", Cell(opened.trigger)),
        ("Forced", Cell("yes" if opened.forced else "no", tone=Tone.BAD if opened.forced else Tone.PLAIN)),
        ("Commit insisted on", code(opened.commit)),
        ("Engine", Cell(_engine(timeline))),
        ("Taken up again", Cell("; ".join(_reopened(timeline)))),
        ("Defib", Cell(opened.version)),
        ("Plan (SHA-256)", code(timeline.planned.digest if timeline.planned else "")),
        ("Site file (SHA-256)", code(opened.site_digest)),
        ("Runbook (SHA-256)", code(opened.runbook_digest)),
        ("Journal", Cell(f"{words.count(timeline.entries_count, 'entry', 'entries')}, hash-chained")),
        ("Hash of the last entry", code(timeline.head)),
    ]
    return Table(caption, ("Fact", "Value"), tuple(cells(name, cell) for name, cell in facts if cell.text))


def _engine(timeline: Timeline) -> str:
    engine = timeline.engine
    if engine is None:
        return f"{words.UNKNOWN}: the journal does not say"
    return ("Prefect" if engine.prefect else "without Prefect") + (f": {engine.why}" if engine.why else "")


def _reopened(timeline: Timeline) -> list[str]:
    return [
        f"{entry.how} by {entry.operator}" + (f", {entry.torn} bytes of a torn last entry dropped" if entry.torn else "")
        for entry in timeline.reopened
    ]
