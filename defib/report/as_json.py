"""Figures as JSON text: one object, the same for ``--json`` and for ``report.json``."""

from __future__ import annotations

import json
from dataclasses import fields
from io import StringIO
from typing import Any

from pydantic import TypeAdapter

from defib.report.drillfigures import DrillFigures
from defib.report.figures import RunFigures


def as_json(figures: RunFigures | DrillFigures) -> str:
    """One JSON object, indented, in UTF-8 text with a newline at its end; null where a figure is unknown, never NaN.

    Of many changes each is made plain when its turn comes: all of them at once would be several times as large as the text.
    """
    text = StringIO()
    encoder = json.JSONEncoder(indent=2, ensure_ascii=False, allow_nan=False, default=_plain)
    for piece in encoder.iterencode({field.name: getattr(figures, field.name) for field in fields(figures)}):
        text.write(piece)
    text.write("\n")
    return text.getvalue()


def _plain(part: object) -> Any:
    kind = type(part)
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind].dump_python(part, mode="json")


_ADAPTERS: dict[type, TypeAdapter[Any]] = {}
