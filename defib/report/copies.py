"""What stands in a report where no user was concerned: the copies of code, or of assets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from defib.about import About, about
from defib.report import mirrors, replicas, restores
from defib.report.page import Chart, Table
from defib.timeline import Timeline


@dataclass(frozen=True)
class Copies:
    """How a report tells of one kind of copies; `done` is how a run ends that went well, `key` names their artifact."""

    title: str
    done: str
    key: str
    lead: Callable[[Timeline], str]
    lines: Callable[[Timeline], tuple[tuple[str, str], ...]]
    tables: Callable[[Timeline], tuple[Table, ...]]
    rows: Callable[[Timeline], tuple[Mapping[str, str], ...]]
    charts: Callable[[Timeline], tuple[Chart, ...]] = lambda _: ()
    after: Callable[[Timeline], tuple[str, ...]] = lambda _: ()
    """What a person may do next, where all went well."""


_OF = {
    About.REPOSITORIES: Copies("Mirrors", "MIRRORED", "mirrors", mirrors.lead, mirrors.lines, mirrors.tables, mirrors.rows),
    About.ASSETS: Copies(
        "Replicas", "COMPARED", "replicas", replicas.lead, replicas.lines, replicas.tables, replicas.rows, replicas.charts
    ),
}

_OF_PROCEDURE = {
    "asset-restore": Copies(
        "Restored",
        "RESTORED",
        "restored",
        restores.lead,
        restores.lines,
        restores.tables,
        restores.rows,
        after=restores.next_commands,
    ),
}


def copies_of(words: str) -> Copies | None:
    """How a run, by the name of its procedure, is told; None where it is about users."""
    return _OF_PROCEDURE.get(words) or _OF.get(about(words))
