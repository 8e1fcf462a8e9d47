"""Findings as a table for people, and as JSON for whoever compares runs."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from benchmarks.figures import Findings, Series, Target
from defib.objectives import Verdict


@dataclass(frozen=True)
class Load:
    """The load average of the machine over the last minute, before and after a benchmark."""

    before: float
    after: float


@dataclass(frozen=True)
class Measured:
    """One benchmark: when it began, how busy the machine was, and what was found."""

    name: str
    started: datetime
    load: Load
    findings: Findings


def load_now() -> float:
    """The load average over the last minute."""
    return os.getloadavg()[0]


def as_text(measured: Measured) -> str:
    """The table, the targets and the notes of one benchmark."""
    head = ("job", "tool", "median", "range", "rounds")
    rows = [_row(series) for series in measured.findings.series]
    load = f"load average {measured.load.before:.2f} before, {measured.load.after:.2f} after, {os.cpu_count()} CPUs"
    lines = [f"{measured.name} ({load})", *_table([head, *rows])]
    lines += [f"  {line}" for line in _complaints(measured.findings.series)]
    lines += [f"  {_target(target)}" for target in measured.findings.targets]
    lines += [f"  note: {note}" for note in measured.findings.notes]
    return "\n".join(lines)


def short_of(measured: Iterable[Measured]) -> list[str]:
    """The targets that were not met, each with its benchmark; what could not be told was not met."""
    return [
        f"{each.name}: {_target(target)}"
        for each in measured
        for target in each.findings.targets
        if target.verdict is not Verdict.MET
    ]


def write(path: Path, measured: Sequence[Measured], rounds: int, seed: int) -> None:
    """All of it as one JSON object, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tree = {
        "rounds": rounds,
        "seed": seed,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs",
        "benchmarks": [_plain(each) for each in measured],
    }
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(tree, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    fresh.replace(path)


def _plain(measured: Measured) -> dict[str, object]:
    series = [{**asdict(each), "median": each.median} for each in measured.findings.series]
    return {
        "name": measured.name,
        "started": measured.started.isoformat(timespec="seconds"),
        "load": asdict(measured.load),
        "series": series,
        "targets": [asdict(target) for target in measured.findings.targets],
        "notes": list(measured.findings.notes),
    }


def _row(series: Series) -> tuple[str, ...]:
    if series.missing or not series.samples:
        return series.job, series.tool, "missing", "", ""
    if series.wrong:
        return series.job, series.tool, "WRONG", "", str(len(series.samples))
    values = series.values
    span = f"{_figure(min(values), series.unit)} to {_figure(max(values), series.unit)}" if values else ""
    middle = "" if series.median is None else _figure(series.median, series.unit)
    return series.job, series.tool, middle, span, str(len(values))


def _complaints(all_series: Iterable[Series]) -> list[str]:
    """Why rows have no figure, each reason once."""
    found: dict[str, str] = {}
    for series in all_series:
        for reason in series.wrong:
            found.setdefault(reason, f"wrong   {series.job}, {series.tool}: {reason}")
        if series.missing:
            found.setdefault(series.missing, f"missing {series.tool} {series.missing}")
    return list(found.values())


def _figure(value: float, unit: str) -> str:
    if unit == "s":
        return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.1f} ms"
    return f"{value:.4g} {unit}".rstrip()


def _target(target: Target) -> str:
    return f"{target.verdict.value:<8}{target.what} ({target.seen})"


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  " + "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
