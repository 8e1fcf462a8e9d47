"""The outage as a picture: phases, eyewitness, observers and steps over one axis of time.

Where the run is a small part of the outage (it began long after users lost service), it gets an axis of its own, so that
its steps can be seen; both axes stay to scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from defib.entries import EyewitnessSaw, FaultSet
from defib.objectives import Phase
from defib.ports import Health
from defib.report import words
from defib.report.axis import Axis, axis_over, spread
from defib.report.page import Mark, Picture, Row, Scale, tone_of
from defib.timeline import Sighting, StepLine, Timeline

_INSTANTS = (
    ("A", "first_bad", "users first lost service"),
    ("B", "down", "found to be down"),
    ("C", "decided", "plan approved"),
    ("D", "last_write", "last change accepted"),
    ("E", "answers_moved", "DNS answers moved"),
    ("F", "served", "users served, and stayed so"),
)
_COLUMNS = 240
_LEGIBLE = 0.3
"""The least part of the whole axis that the run must be, to share it with the outage."""
_NARROWEST = 0.4
"""Per cent: about a point on a telephone."""
_WORST_FIRST = (Health.BAD, Health.UNKNOWN, Health.GOOD)


@dataclass(frozen=True)
class Around:
    """What a drill knows of a run that the run itself does not."""

    witness: EyewitnessSaw | None = None
    faults: tuple[tuple[datetime, FaultSet], ...] = ()


def pictures(timeline: Timeline, around: Around | None = None) -> tuple[Picture, ...]:
    """One picture, or one of the outage and one of the run."""
    around = around or Around()
    outage, run = _outage_moments(timeline, around), _run_moments(timeline)
    zero = zero_of(timeline)
    whole = axis_over([*outage, *run], zero)
    story = [*_phases(timeline, whole), *_witness(around, whole), *_faults(around, whole)]
    if (max(run) - min(run)) / whole.length >= _LEGIBLE:
        rows = [*story, *_steps(timeline.steps, whole, timeline), *_looks(timeline.sightings, whole)]
        return (_picture("The outage and the run", timeline, whole, rows),)
    near = axis_over(run, timeline.started)
    rows = [*_steps(timeline.steps, near, timeline), *_looks(timeline.sightings, near)]
    return (
        _picture("The outage", timeline, whole, [*story, _run(timeline, whole)]),
        _picture("The run, enlarged", timeline, near, rows),
    )


def moments_of(timeline: Timeline) -> tuple[tuple[str, str, datetime | None], ...]:
    """The six moments: the letter in the picture, the name, and when. A failback finds nothing down: it begins."""
    names = {"down": "the run began"} if timeline.opened.moves_served_users else {}
    return tuple((letter, names.get(field, name), getattr(timeline.instants, field)) for letter, field, name in _INSTANTS)


def zero_of(timeline: Timeline) -> datetime:
    """Where the axis of a run begins to count: when users first lost service; for a failback, when it began."""
    first_bad = timeline.instants.first_bad
    return timeline.started if timeline.opened.moves_served_users or first_bad is None else first_bad


def rto_scale(timeline: Timeline) -> Scale | None:
    """The outage on the scale of the whole RTO; None where it is unknown."""
    actual, target = timeline.rto.actual, timeline.rto.target
    wider = max(actual or target, target)
    if actual is None or not wider:
        return None
    sentence = f"On the scale of the whole RTO of {words.duration(target)}: {words.objective(timeline.rto, 'RTO')}."
    used = max(actual / wider * 100, _NARROWEST if actual else 0)
    return Scale(sentence, round(used, 3), round(target / wider * 100, 3), tone_of(timeline.rto.verdict))


def _picture(title: str, timeline: Timeline, axis: Axis, rows: Sequence[Row]) -> Picture:
    moments = moments_of(timeline)
    within = [(letter, at) for letter, _, at in moments if at and axis.begin <= at <= axis.end]
    begins = "users first lost service" if axis.zero == timeline.instants.first_bad else "the run began"
    return Picture(
        title=title,
        zero=f"0 is {words.stamp(axis.zero)}, when {begins}.",
        ticks=axis.ticks(),
        instants=spread([(letter, axis.place(at)) for letter, at in within]),
        bands=_bands(timeline, axis),
        rows=tuple(rows),
    )


def _outage_moments(timeline: Timeline, around: Around) -> list[datetime]:
    moments = [at for _, _, at in moments_of(timeline)]
    if around.witness:
        moments += [around.witness.started, around.witness.ended]
    known = [moment for moment in moments if moment]
    return known + [at for at, _ in around.faults]


def _run_moments(timeline: Timeline) -> list[datetime]:
    moments = [timeline.started, *([timeline.ended] if timeline.ended else [])]
    moments += [step.started + (step.took or timedelta(0)) for step in timeline.steps]
    return moments + [sighting.seen.at + sighting.seen.took for sighting in timeline.sightings]


def _bands(timeline: Timeline, axis: Axis) -> tuple[Mark, ...]:
    first, served = timeline.instants.first_bad, timeline.instants.served
    rows = timeline.lost_service if timeline.opened.moves_served_users else ((first, served),)
    return tuple(_mark("outage", begin, end or axis.end, axis, "users had no service") for begin, end in rows if begin)


def _mark(kind: str, begin: datetime, end: datetime, axis: Axis, said: str, text: str = "") -> Mark:
    left, right = axis.place(begin), axis.place(end)
    width = max(right - left, _NARROWEST)
    return Mark(kind, min(left, 100 - width), round(width, 3), said, text)


def _phases(timeline: Timeline, axis: Axis) -> list[Row]:
    marks: list[Mark] = []
    known = [(index, moment) for index, moment in enumerate(_moments(timeline)) if moment]
    if not known or known[0][0] > 0:
        end = known[0][1] if known else axis.end
        marks.append(_mark("gap", axis.begin, end, axis, "since when is unknown", "start unknown"))
    for (before, begin), (index, end) in pairwise(known):
        if before == index - 1:
            marks += _phase(index, begin, end, axis)
        else:
            marks.append(_mark("gap", begin, end, axis, "which phase is unknown", "unknown"))
    if known and known[-1][0] < len(Phase):
        marks.append(_mark("gap", known[-1][1], axis.end, axis, "no end of the outage was seen", "no end seen"))
    told = ", ".join(f"{span.phase} {words.duration(span.took)}" for span in timeline.spans)
    return [Row("phases", words.duration(timeline.rto.actual), told, tuple(marks), group="Outage")]


def _moments(timeline: Timeline) -> list[datetime | None]:
    served = timeline.instants.served
    return [min(at, served) if at and served else at for _, _, at in moments_of(timeline)]


def _phase(number: int, begin: datetime, end: datetime, axis: Axis) -> list[Mark]:
    if end <= begin:
        return []
    phase = list(Phase)[number - 1]
    said = f"{number} {phase}: {words.duration(end - begin)}"
    return [_mark(f"phase-{number}", begin, end, axis, said, _label(number, phase, end - begin, axis))]


def _label(number: int, phase: Phase, took: timedelta, axis: Axis) -> str:
    part = took / axis.length
    if part > 0.2:  # noqa: PLR2004 - room for the word on a telephone
        return f"{number} {phase}"
    return f"{number}" if part > 0.04 else ""  # noqa: PLR2004 - room for a digit


def _witness(around: Around, axis: Axis) -> list[Row]:
    saw = around.witness
    if saw is None:
        return []
    if saw.outage is None or saw.started is None:
        told = f"saw no outage with an end in {words.count(saw.looks, 'look')}"
        return [Row("eyewitness", told, told, ())]
    end = saw.ended or saw.started + saw.outage
    said = f"{words.duration(saw.outage)} without service, in {words.count(saw.looks, 'look')}"
    return [Row("eyewitness", said, said, (_mark("witness", saw.started, end, axis, said),))]


def _faults(around: Around, axis: Axis) -> list[Row]:
    marks = []
    for at, fault in around.faults:
        kind = "fault" if fault.fault else "healed"
        said = f"{fault.target} {fault.fault or 'healed'}"
        marks.append(Mark(kind, axis.place(at), 0, said))
    told = ", ".join(f"{mark.words} at {words.time_of_day(at)}" for mark, (at, _) in zip(marks, around.faults, strict=True))
    return [Row("faults", told, told, tuple(marks))] if marks else []


def _run(timeline: Timeline, axis: Axis) -> Row:
    moments = _run_moments(timeline)
    took = max(moments) - min(moments)
    said = f"the run: {words.duration(took)}"
    return Row("the run", words.duration(took), said, (_mark("step-done", min(moments), max(moments), axis, said),))


def _steps(steps: Sequence[StepLine], axis: Axis, timeline: Timeline) -> list[Row]:
    rows: list[Row] = []
    for step in steps:
        until = step.started + step.took if step.took is not None else (timeline.ended or axis.end)
        said = words.duration(step.took) if step.outcome == "done" else _cut(step)
        kind = {"done": "step-done", "": "gap"}.get(step.outcome, "step-bad")
        mark = _mark(kind, step.started, until, axis, f"{step.name}: {said}")
        rows.append(Row(step.name, said, mark.words, (mark,), group="" if rows else "Steps"))
    return rows


def _cut(step: StepLine) -> str:
    return f"{step.outcome}, {words.duration(step.took)}" if step.outcome else "no end"


def _looks(sightings: Sequence[Sighting], axis: Axis) -> list[Row]:
    """A row for each observer of each aim, users first, as seen by each; what was never looked at has no row."""
    places = dict.fromkeys((sighting.aim, sighting.seen.observer) for sighting in sightings)
    rows: list[Row] = []
    headed: set[str] = set()
    for aim, observer in sorted(places, key=lambda place: place[0] != "users"):
        mine = [s for s in sightings if (s.aim, s.seen.observer) == (aim, observer)]
        group = "" if aim in headed else f"Looks at {aim}"
        headed.add(aim)
        rows.append(Row(observer, _tally(mine), f"{observer} looked at {aim}: {_tally(mine)}", _strip(mine, axis), group))
    return rows


def _tally(sightings: Sequence[Sighting]) -> str:
    counted = [(health, sum(s.seen.health is health for s in sightings)) for health in Health]
    return ", ".join(f"{number} {health}" for health, number in counted if number)


def _strip(sightings: Sequence[Sighting], axis: Axis) -> tuple[Mark, ...]:
    """One mark a look; where looks are closer than a mark is wide, one mark with the worst of them."""
    columns: dict[int, list[Sighting]] = {}
    for sighting in sightings:
        place = min(int(axis.place(sighting.seen.at) / 100 * _COLUMNS), _COLUMNS - 1)
        columns.setdefault(place, []).append(sighting)
    marks = []
    for place, mine in sorted(columns.items()):
        worst = min(mine, key=lambda s: _WORST_FIRST.index(s.seen.health)).seen
        said = f"{worst.health} at {words.time_of_day(worst.at)}" + (f": {worst.reason}" if worst.reason else "")
        if len(mine) > 1:
            said += f" ({_tally(mine)})"
        marks.append(Mark(str(worst.health), round(place / _COLUMNS * 100, 3), round(100 / _COLUMNS, 3), said))
    return tuple(marks)
