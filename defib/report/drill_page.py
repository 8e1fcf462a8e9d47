"""The report of one drill: the fault, the way out, the way back, and what was left behind."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from defib.drills import drilled
from defib.drills.drilled import Drill
from defib.drills.line import DrillLine
from defib.entries import EyewitnessSaw
from defib.objectives import Measure, Verdict
from defib.report import parts, words
from defib.report.copies import Copies, copies_of
from defib.report.drillfigures import agreement, drill_exit_code, drill_figures
from defib.report.page import Cell, Page, Section, Table, Tile, Tone, cells, code, tone_of
from defib.report.picture import Around
from defib.report.review import review, scored
from defib.report.run_page import (
    changes_section,
    lead,
    looks_section,
    objective_tile,
    outage_section,
    overall,
    words_section,
)
from defib.timeline import Timeline


def drill_page(drill: Drill, past: Sequence[DrillLine] = ()) -> Page:
    """The whole report of one drill: verdicts first, evidence last. `past` are the drills up to it, of the same site."""
    copies = copies_of(drill.opened.trigger)
    if copies is not None:
        return _page_of_copies(drill, copies, past)
    tiles = (_status(drill), *_objectives(drill), _witness(drill), _residue(drill))
    return Page(
        title=f"Drill of {drill.procedure} on {drill.opened.site}",
        subtitle=f"{drill.opened.mode} · drill {drill.opened.run_id} · begun {words.stamp(drill.started)}",
        tone=overall(tuple(tile.tone for tile in tiles)),
        lead=_lead(drill),
        tiles=tiles,
        commands=(),
        sections=(
            *_forward(drill),
            *_failback(drill),
            _changes(drill),
            _left(drill),
            *_notes(drill),
            *review(drill, past),
            _evidence(drill),
        ),
        footer=f"Derived from the journal of drill {drill.opened.run_id}, last entry {drill.head[:12]}.",
    )


def _page_of_copies(drill: Drill, copies: Copies, past: Sequence[DrillLine]) -> Page:
    """The same where no user was to notice: what every copy had while something failed, and after it was well again."""
    tiles = (_status(drill), _residue(drill))
    runs = [(run, when) for run, when in ((drill.forward, "while it failed"), (drill.failback, "afterwards")) if run]
    sections = tuple(
        Section(
            f"The {copies.title.lower()} {when}",
            (lead(run),),
            tables=(*copies.tables(run), parts.step_table(run)),
            charts=copies.charts(run),
        )
        for run, when in runs
    )
    return Page(
        title=f"Drill of {drill.procedure} on {drill.opened.site}",
        subtitle=f"{drill.opened.mode} · drill {drill.opened.run_id} · begun {words.stamp(drill.started)}",
        tone=overall(tuple(tile.tone for tile in tiles)),
        lead=f"On purpose, something was broken ({drill_figures(drill).fault or 'nothing yet'}). {scored(drill)}".strip(),
        tiles=tiles,
        commands=(),
        sections=(*sections, _left(drill), *_notes(drill), *review(drill, past), _evidence(drill)),
        footer=f"Derived from the journal of drill {drill.opened.run_id}, last entry {drill.head[:12]}.",
    )


def _lead(drill: Drill) -> str:
    fault = drill_figures(drill).fault
    broke = f"On purpose, something was broken ({fault})." if fault else "Nothing was broken."
    actual = drill.forward.rto.actual if drill.forward else None
    saw = f"The eyewitness saw {words.duration(drill.witnessed)}." if drill.witnessed is not None else ""
    if actual is None:
        return f"{broke} How long users were without service is unknown. {saw} {scored(drill)}".strip()
    return f"{broke} Users were without service for {words.duration(actual)}. {saw} {scored(drill)}".strip()


def _status(drill: Drill) -> Tile:
    number = drill_exit_code(drill)
    figure = "no exit code yet" if number is None else f"exit code {number}"
    said = drill.reason or ("the drill has no end" if drill.status is None else "recovered, and put back")
    return Tile("Status", words.status(drill.status), figure, said, tone_of(drill.status))


def _objectives(drill: Drill) -> tuple[Tile, Tile]:
    forward, nothing = drill.forward, "there was no forward run"
    rto = forward.rto if forward else Measure(drill.opened.rto, None, nothing)
    rpo = forward.rpo if forward else Measure(drill.opened.rpo, None, nothing)
    return objective_tile("RTO", rto), objective_tile("RPO", rpo)


def _witness(drill: Drill) -> Tile:
    apart = agreement(drill)
    limit = words.duration(drilled.AGREEMENT)
    word, said = {
        Verdict.MET: ("agrees", f"{words.duration(apart.actual)} from the report's figure, {limit} allowed"),
        Verdict.MISSED: ("disagrees", f"{words.duration(apart.actual)} from the report's figure, {limit} allowed"),
        Verdict.UNKNOWN: (words.UNKNOWN, "report and eyewitness cannot be compared"),
    }[apart.verdict]
    figure = f"saw {words.duration(drill.witnessed)}" if drill.witnessed is not None else "saw no whole outage"
    return Tile("Eyewitness", word, figure, said, tone_of(apart.verdict))


def _residue(drill: Drill) -> Tile:
    residue = drill.residue
    if residue is None:
        return Tile("Residue", words.UNKNOWN, "not compared", "the outside state was not read both times", Tone.UNKNOWN)
    if residue:
        found = words.count(len(residue), "difference")
        return Tile("Residue", "left behind", found, "the outside state is not as it was before", Tone.BAD)
    return Tile("Residue", "none", "no differences", "the outside state is as it was before", Tone.GOOD)


def _forward(drill: Drill) -> tuple[Section, ...]:
    if drill.forward is None:
        return (Section("The way out", ("There was no forward run.",)),)
    around = _around(drill, "forward", drill.forward)
    return (
        outage_section(drill.forward, around, "The way out"),
        looks_section(drill.forward, "What observers saw on the way out"),
        words_section(drill.forward, "Errors, notes and waits on the way out"),
    )


def _failback(drill: Drill) -> tuple[Section, ...]:
    if drill.failback is None:
        return (Section("The way back", ("There was no failback.",)),)
    around = _around(drill, "failback", drill.failback)
    return (
        outage_section(drill.failback, around, "The way back"),
        looks_section(drill.failback, "What observers saw on the way back"),
        words_section(drill.failback, "Errors, notes and waits on the way back"),
    )


def _around(drill: Drill, role: str, timeline: Timeline) -> Around:
    """What belongs into the picture of one of the runs: its eyewitness, and the faults shortly before and during it."""
    witness = next((saw for saw in drill.eyewitness if saw.role == role), None)
    end = timeline.ended or timeline.started
    begin = timeline.instants.first_bad or timeline.started
    begin -= max((end - begin) / 2, timedelta(seconds=5))
    return Around(witness, tuple((at, fault) for at, fault in drill.faults if begin <= at <= end))


def _changes(drill: Drill) -> Section:
    runs = [(run, name) for run, name in ((drill.forward, "out"), (drill.failback, "back")) if run]
    sections = [changes_section(run, f"On the way {name}") for run, name in runs]
    return Section(
        "Plan and changes",
        tuple(f"{section.title}: {sentence}" for section in sections for sentence in section.sentences),
        tables=tuple(Table(section.title, table.columns, table.rows) for section in sections for table in section.tables),
    )


def _left(drill: Drill) -> Section:
    if drill.residue is None:
        told = "Unknown: the outside state was not read both before and after."
    elif drill.residue:
        told = "The outside state was compared before and after. Lines with + are new, lines with - are gone."
    else:
        told = "None. The outside state was compared before and after, and is the same."
    lines = tuple(cells(code(line)) for line in drill.residue or ())
    return Section("What was left behind", (told,), tables=(Table("Differences", ("Line",), lines),) if lines else ())


def _notes(drill: Drill) -> tuple[Section, ...]:
    faults = tuple(cells(words.stamp(at), fault.target, fault.fault or "healed") for at, fault in drill.faults)
    saw = tuple(_saw(seen) for seen in drill.eyewitness)
    notes = tuple(
        cells(Cell("warning" if note.warning else "note", tone=Tone.BAD if note.warning else Tone.PLAIN), note.text)
        for note in drill.notes
    )
    tables = (
        Table("Faults", ("When", "Target", "Fault"), faults),
        Table("What the eyewitness saw", ("On the way", "Outage", "From", "Until", "Looks", "Its log"), saw),
        Table("Notes of the drill", ("Kind", "Text"), notes),
    )
    return (Section("Faults and eyewitness", tables=tuple(table for table in tables if table.rows)),)


def _saw(seen: EyewitnessSaw) -> tuple[Cell, ...]:
    known = seen.outage is not None
    outage = Cell(words.exact(seen.outage), tone=Tone.PLAIN if known else Tone.UNKNOWN)
    way = {"forward": "out", "failback": "back"}.get(seen.role, seen.role)
    moments = [words.stamp(at) if at else "-" for at in (seen.started, seen.ended)]
    return cells(way, outage, *moments, str(seen.looks), code(seen.log or "-"))


def _evidence(drill: Drill) -> Section:
    opened = drill.opened
    own = Table(
        "The drill",
        ("Fact", "Value"),
        (
            cells("Drill", code(opened.run_id)),
            cells("Begun", words.stamp(drill.started)),
            cells("Ended", words.stamp(drill.ended) if drill.ended else "not yet"),
            cells("Operator", opened.operator),
            cells("Defib", opened.version),
            cells("Hash of the last entry", code(drill.head)),
        ),
    )
    runs = [(run, name) for run, name in ((drill.forward, "out"), (drill.failback, "back")) if run]
    return Section(
        "Evidence",
        (
            (
                "Every figure here is derived from three journals. Each entry of them holds the hash of the one before. The "
                "commands check the chains; compare the hashes of the last entries with ones that were kept elsewhere."
            ),
        ),
        tables=(own, *(parts.evidence_table(run, f"The run on the way {name}") for run, name in runs)),
        commands=tuple(f"defib verify {run_id}" for run_id in (opened.run_id, *(run.opened.run_id for run, _ in runs))),
    )
