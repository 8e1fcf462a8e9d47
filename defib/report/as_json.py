"""Figures as JSON text: one object, the same for ``--json`` and for ``report.json``."""

from __future__ import annotations

import json

from pydantic import TypeAdapter

from defib.report.drillfigures import DrillFigures
from defib.report.figures import RunFigures

_FIGURES: TypeAdapter[RunFigures | DrillFigures] = TypeAdapter(RunFigures | DrillFigures)


def as_json(figures: RunFigures | DrillFigures) -> str:
    """One JSON object, indented, in UTF-8 text with a newline at its end; null where a figure is unknown, never NaN."""
    tree = _FIGURES.dump_python(figures, mode="json")
    return json.dumps(tree, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
