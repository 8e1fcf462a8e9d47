"""What a report says of replicas: every one compared with its source, version by version, and how old what it lacks is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from defib.copyentries import Audited, ReplicaSeen, VersionSeen
from defib.objectives import Measure, Verdict
from defib.report import words
from defib.report.chart import chart_over
from defib.report.mirrors import WORST_FIRST
from defib.report.page import Cell, Chart, Table, Tone, cells, code, span, tone_of
from defib.timeline import Timeline

_STATES = {"ok": Tone.GOOD, "warn": Tone.UNKNOWN, "unknown": Tone.UNKNOWN, "fail": Tone.BAD}
_COMPARED = (
    "Pair",
    "From, to",
    "Versions the same",
    "Would be lost",
    "Worst in 7 days",
    "Canary",
    "CloudWatch",
    "Verdict",
    "Wrong",
)
_BAD_FIRST = ("fail", "unknown", "warn", "ok")
_TOLD = 100
"""So many versions stand in a report; the journal has more of them, and all are counted."""


@dataclass(frozen=True)
class ReplicaFigures:
    """One replica against its source."""

    pair: str
    source: str
    replica: str
    rpo_s: float
    versions: int
    same: int
    """Versions that the replica holds, as the listings show."""
    bytes: int
    counts: dict[str, int]
    """Versions of each kind of finding."""
    exposure_s: float | None
    """How old the oldest version is that would be lost if the source's region burned now."""
    verdict: Verdict
    why: str
    canary_s: float | None
    """From the writing of an object to its arrival."""
    latency_s: float | None
    """What CloudWatch says, null where it says nothing."""
    pending_bytes: int | None
    worst_s: float | None
    """The largest exposure of the last seven days."""
    problems: tuple[str, ...]


def figures(told: Timeline) -> tuple[ReplicaFigures, ...]:
    """Every replica, for machines."""
    return tuple(
        ReplicaFigures(
            pair=seen.pair,
            source=seen.source,
            replica=seen.replica,
            rpo_s=round(seen.rpo.total_seconds(), 3),
            versions=seen.versions,
            same=seen.same,
            bytes=seen.size,
            counts=dict(seen.counts),
            exposure_s=words.seconds(seen.exposure),
            verdict=_measure(seen).verdict,
            why=seen.why,
            canary_s=words.seconds(seen.canary),
            latency_s=words.seconds(seen.latency),
            pending_bytes=seen.pending,
            worst_s=words.seconds(seen.worst),
            problems=seen.problems,
        )
        for seen in told.replicas
    )


def _measure(seen: ReplicaSeen) -> Measure:
    return Measure(seen.rpo, seen.exposure, seen.why)


def lead(told: Timeline) -> str:
    """What would be lost now, in a sentence, and what is wrong, in another."""
    if not told.replicas:
        return "The replicas were not compared."
    wrong = sum(bool(seen.problems) for seen in told.replicas)
    also = f" Not every replica is as it must be, or could be compared: {wrong} of {len(told.replicas)}." if wrong else ""
    if told.rpo.actual is None:
        return f"What would be lost is not known: {told.rpo.why}.{also}"
    if not told.rpo.actual:
        return f"Nothing would be lost: {words.count(len(told.replicas), 'replica')} compared.{also}"
    lost = words.duration(told.rpo.actual)
    return f"If the source's region burned now, what was written in the last {lost} could be lost.{also}"


def lines(told: Timeline) -> tuple[tuple[str, str], ...]:
    """Every replica in a line for a terminal, and what is wrong with it in more of them."""
    found: list[tuple[str, str]] = []
    for seen in told.replicas:
        found.append((seen.pair, f"{seen.same} of {words.count(seen.versions, 'version')} the same, {_exposed(seen)}"))
        found += [("", f"{number} {kind}") for kind, number in seen.counts]
        found.append(("", f"canary: {_canary(seen)}; CloudWatch: {_latency(seen)}"))
        found += [("", problem) for problem in seen.problems]
    return tuple(found)


def _exposed(seen: ReplicaSeen) -> str:
    if seen.exposure is None:
        return "what would be lost is unknown"
    return f"{words.duration(seen.exposure)} would be lost" if seen.exposure else "nothing would be lost"


def _canary(seen: ReplicaSeen) -> str:
    return f"arrived after {words.duration(seen.canary)}" if seen.canary is not None else seen.canary_why or words.UNKNOWN


def _latency(seen: ReplicaSeen) -> str:
    if seen.latency is None:
        return f"{words.UNKNOWN}, {seen.latency_why}" if seen.latency_why else words.UNKNOWN
    pending = "" if seen.pending is None else f", {words.count(seen.pending, 'byte')} pending"
    return f"{words.duration(seen.latency)} behind{pending}" + (f"; {seen.latency_why}" if seen.latency_why else "")


def tables(told: Timeline) -> tuple[Table, ...]:
    """Every replica, what is wrong with it version by version, and its configuration."""
    compared = Table("Replicas against their sources", _COMPARED, tuple(map(_row, told.replicas)))
    wrong = ("Pair", "Finding", "Object", "Version", "Written", "Why", "What to do")
    versions = Table("Versions that are not as they must be", wrong, tuple(map(_version, told.versions[:_TOLD])))
    looked = ("Looked at", "State", "Seen", "What to do")
    found = sorted(told.audited, key=lambda seen: _BAD_FIRST.index(seen.state))
    audited = Table("How replication is configured", looked, tuple(map(_audited, found)))
    return tuple(table for table in (compared, versions, audited) if table.rows)


def _row(seen: ReplicaSeen) -> tuple[Cell, ...]:
    verdict = _measure(seen).verdict
    same = Cell(f"{seen.same} of {seen.versions}", tone=Tone.GOOD if seen.same == seen.versions else Tone.PLAIN)
    return cells(
        seen.pair,
        f"{seen.source}, {seen.replica}",
        same,
        span(seen.exposure),
        span(seen.worst),
        span(seen.canary) if seen.canary is not None else Cell(_canary(seen), tone=Tone.UNKNOWN),
        Cell(_latency(seen), tone=Tone.PLAIN if seen.latency is not None else Tone.UNKNOWN),
        Cell(verdict.value, tone=tone_of(verdict)),
        "; ".join(seen.problems) or "-",
    )


def _version(seen: VersionSeen) -> tuple[Cell, ...]:
    when = words.stamp(seen.since)
    return cells(seen.pair, seen.kind, code(seen.key), code(seen.version or "-"), when, seen.why, seen.then or "-")


def _audited(seen: Audited) -> tuple[Cell, ...]:
    return cells(seen.name, Cell(seen.state, tone=_STATES.get(seen.state, Tone.UNKNOWN)), seen.text, seen.then or "-")


def charts(told: Timeline) -> tuple[Chart, ...]:
    """The exposure of each pair over the last day, against its RPO."""
    return tuple(
        chart_over(f"{seen.pair}, what would have been lost at each look of the last day", seen.past, seen.rpo)
        for seen in told.replicas
        if seen.past
    )


def rows(told: Timeline) -> tuple[Mapping[str, str], ...]:
    """Every replica, the worst first, as the rows of an artifact."""
    found = sorted(told.replicas, key=lambda seen: (WORST_FIRST.index(_measure(seen).verdict), not seen.problems))
    return tuple(
        {
            "pair": words.plain(seen.pair),
            "source": words.plain(seen.source),
            "replica": words.plain(seen.replica),
            "versions": f"{seen.same} of {seen.versions} the same",
            "would be lost": words.duration(seen.exposure),
            "worst in 7 days": words.duration(seen.worst),
            "canary": words.plain(_canary(seen)),
            "CloudWatch": words.plain(_latency(seen)),
            "verdict": _measure(seen).verdict.value,
            "found": ", ".join(f"{number} {kind}" for kind, number in seen.counts),
            "wrong": words.plain("; ".join(seen.problems)),
        }
        for seen in found
    )
