"""What a report says of a restored bucket: what it holds again, what it does not, and how to take that back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from defib.copyentries import ObjectLeft, ObjectsRestored
from defib.objectives import Measure
from defib.report import words
from defib.report.page import Cell, Table, Tone, cells, code
from defib.timeline import Timeline

_LEFT = ("Pair", "Object", "Version of then", "Written", "Why", "What to do")


@dataclass(frozen=True)
class RestoreFigures:
    """One bucket that was made what it was."""

    pair: str
    past: str
    """The bucket whose versions told of the past."""
    target: str
    prefix: str
    at: datetime
    held: int
    """Objects that were there at that moment."""
    bytes: int
    returned: int
    replaced: int
    deleted: int
    left: int
    """Objects that could not be restored."""
    apart: int
    """Objects that somebody wrote meanwhile, so that they are not as they were."""


def figures(told: Timeline) -> tuple[RestoreFigures, ...]:
    """Every restored bucket, for machines."""
    return tuple(
        RestoreFigures(
            pair=seen.pair,
            past=seen.past,
            target=seen.target,
            prefix=seen.prefix,
            at=seen.at.astimezone(UTC),
            held=seen.held,
            bytes=seen.size,
            returned=seen.returned,
            replaced=seen.replaced,
            deleted=seen.deleted,
            left=seen.left,
            apart=seen.apart,
        )
        for seen in told.restored
    )


def lead(told: Timeline) -> str:
    """What is as it was, in a sentence or two."""
    if not told.restored:
        return "Nothing was seen to be restored."
    seen = told.restored[-1]
    if seen.apart:
        return f"{words.count(seen.apart, 'object')} of {seen.target} {_are(seen.apart)} not what {_it(seen.apart)}."
    return f"{_sentence(seen)}.{f' {_lost(seen)}.' if seen.left else ''}"


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def _it(number: int) -> str:
    return "it was" if number == 1 else "they were"


def _sentence(seen: ObjectsRestored) -> str:
    right = seen.held - seen.left
    below = f" below {seen.prefix!r}" if seen.prefix else ""
    return f"{seen.target} holds the {words.count(right, 'object')}{below} of {words.stamp(seen.at)}, and no others"


def _lost(seen: ObjectsRestored) -> str:
    return f"{words.count(seen.left, 'object')} could not be restored, and {_are(seen.left)} as before the run"


def _changed(seen: ObjectsRestored) -> str:
    told = ((seen.returned, "came back"), (seen.replaced, "replaced"), (seen.deleted, "deleted"))
    return ", ".join(f"{number} {what}" for number, what in told if number) or "nothing had to change"


def lines(told: Timeline) -> tuple[tuple[str, str], ...]:
    """What is as it was and what is not, for a terminal."""
    found: list[tuple[str, str]] = []
    for seen in told.restored:
        found += [(seen.pair, _sentence(seen)), ("", _changed(seen))]
        found += [("", f"{_lost(seen)}:"), *(("", f"{each.key}: {each.why}") for each in told.left[:5])] if seen.left else []
        found += [("", f"{seen.apart} were written meanwhile, and are not as they were")] if seen.apart else []
        found.append(("RTO", _measured(told.rto)))
    return tuple(found)


def _measured(measure: Measure) -> str:
    if measure.actual is None:
        return f"{measure.verdict}  {measure.why}"
    if not measure.actual:
        return f"{measure.verdict}  {measure.why}"
    taken = f"objects were wrong for {words.duration(measure.actual)} of {words.duration(measure.target)}"
    return f"{measure.verdict}  {taken}{f', {measure.why}' if measure.why else ''}"


def tables(told: Timeline) -> tuple[Table, ...]:
    """Every restored bucket, and the objects that could not be."""
    headings = ("Pair", "From, to", "Below", "As at", "Objects", "Came back", "Replaced", "Deleted", "Not restored")
    made = Table("Buckets that were made what they were", headings, tuple(map(_row, told.restored)))
    left = Table("Objects that could not be restored", _LEFT, tuple(map(_left, told.left)))
    return tuple(table for table in (made, left) if table.rows)


def _row(seen: ObjectsRestored) -> tuple[Cell, ...]:
    wrong = seen.left + seen.apart
    return cells(
        seen.pair,
        f"{seen.past}, {seen.target}",
        code(seen.prefix) if seen.prefix else "everything",
        words.stamp(seen.at),
        str(seen.held),
        str(seen.returned),
        str(seen.replaced),
        str(seen.deleted),
        Cell(str(wrong), tone=Tone.BAD if wrong else Tone.GOOD),
    )


def _left(seen: ObjectLeft) -> tuple[Cell, ...]:
    since = words.stamp(seen.since) if seen.since else words.UNKNOWN
    return cells(seen.pair, code(seen.key), code(seen.version or "-"), since, seen.why, seen.then or "-")


def rows(told: Timeline) -> tuple[Mapping[str, str], ...]:
    """Every restored bucket as the rows of an artifact."""
    return tuple(
        {
            "pair": words.plain(seen.pair),
            "from": words.plain(seen.past),
            "to": words.plain(seen.target),
            "below": words.plain(seen.prefix),
            "as at": words.stamp(seen.at),
            "objects": str(seen.held),
            "changed": _changed(seen),
            "not restored": str(seen.left),
            "written meanwhile": str(seen.apart),
        }
        for seen in told.restored
    )


def next_commands(told: Timeline) -> tuple[str, ...]:
    """How to take it back, where something was changed."""
    made = any(change.state == "made" for change in told.changes)
    return (f"To take it back: defib rollback {told.opened.run_id}",) if told.restored and made else ()
