"""What was foretold of an outage before its plan was approved, in words and as figures."""

from __future__ import annotations

from dataclasses import dataclass

from defib import entries
from defib.report import words
from defib.report.words import seconds


@dataclass(frozen=True)
class SourceFigures:
    """One part of the outage, and what its figures stand on."""

    part: str
    """``so far``, or the phase that is to come."""
    expected_s: float | None
    worst_s: float | None
    source: str


@dataclass(frozen=True)
class ForecastFigures:
    """What the outage would come to, if the plan were approved at once; null is unknown, never zero."""

    so_far_s: float | None
    """How long users had been without service."""
    to_come_s: float | None
    """What was expected to come yet."""
    expected_s: float | None
    """The whole outage as expected."""
    worst_s: float | None
    """The whole outage if everything took as long as it may: budgets and TTLs."""
    rto_s: float
    verdict: str
    """``would meet``, ``would miss`` or ``unknown``."""
    sources: tuple[SourceFigures, ...]


def forecast_figures(forecast: entries.Forecast) -> ForecastFigures:
    """The figures of one forecast."""
    so_far = seconds(forecast.so_far)
    parts = (SourceFigures(p.phase.value, seconds(p.expected), seconds(p.worst), p.source) for p in forecast.parts)
    return ForecastFigures(
        so_far_s=so_far,
        to_come_s=seconds(forecast.to_come),
        expected_s=seconds(forecast.expected),
        worst_s=seconds(forecast.worst),
        rto_s=round(forecast.rto.total_seconds(), 3),
        verdict=forecast.verdict,
        sources=(SourceFigures("so far", so_far, so_far, forecast.so_far_source), *parts),
    )


def headline(forecast: entries.Forecast) -> str:
    """The verdict first, then the whole outage as expected and at worst; what is to come where its start is unknown."""
    told = f"{forecast.verdict} the RTO of {words.duration(forecast.rto)}"
    if forecast.verdict == "unknown":
        told = f"unknown against {words.duration(forecast.rto)}"
    if forecast.so_far is None:
        worst = words.duration(forecast.to_come_at_worst)
        return f"{told}: {forecast.so_far_source}; to come {words.duration(forecast.to_come)}, at worst {worst}"
    whole = f"{words.duration(forecast.expected)} expected" if forecast.expected is not None else "what to expect is unknown"
    beyond = " and would miss it" if forecast.verdict == "would meet" and _misses_at_worst(forecast) else ""
    return f"{told}: {whole}, at worst {words.duration(forecast.worst)}{beyond}"


def sources(forecast: entries.Forecast) -> str:
    """Each part with its figure, and what that stands on."""
    told = [f"so far {words.duration(forecast.so_far)}"] if forecast.so_far is not None else []
    for part in forecast.parts:
        if part.expected is None or part.expected:
            told.append(f"{part.phase} {words.duration(part.expected)} ({part.source})")
        elif part.phase.value != "decide":
            told.append(f"{part.phase} at once ({part.source})")
    return "; ".join(told)


def _misses_at_worst(forecast: entries.Forecast) -> bool:
    return forecast.worst is not None and forecast.worst > forecast.rto
