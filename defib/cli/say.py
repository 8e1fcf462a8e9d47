"""What commands print: one JSON object with ``--json``, a few lines for people otherwise."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence

from defib.errors import DefibError
from defib.redact import Redactor

Json = Mapping[str, object] | Sequence[object] | str | int | float | bool | None


def say(text: str = "") -> None:
    """One or more lines for people, on stdout."""
    _write(sys.stdout, text + "\n")


def aside(text: str) -> None:
    """One or more lines for people that are not the result, on stderr."""
    _write(sys.stderr, text + "\n")


def prompt(text: str) -> None:
    """A question to people, on stderr; the answer is typed behind it."""
    _write(sys.stderr, text)


def say_json(value: Json, *, one_line: bool = False) -> None:
    """The result of a command as one JSON object; on one line where more of them follow."""
    say(json.dumps(value, indent=None if one_line else 2, ensure_ascii=False, allow_nan=False))


def explain(error: DefibError, redact: Redactor, *, as_json: bool, besides: Mapping[str, Json] | None = None) -> None:
    """An error, part by part: what, where, expected, seen, next. `besides` goes into the JSON object only."""
    parts = {label: redact(text) for label, text in error.parts().items()}
    if as_json:
        say_json({**parts, "exit_code": error.exit_code, **(besides or {})})
    aside("\n".join(f"{label + ':':<10}{text}" for label, text in parts.items()))


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns under headings, as wide as what stands in them."""
    widths = [max(len(cell) for cell in column) for column in zip(headings, *rows, strict=True)]
    lines = ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in (headings, *rows)]
    return "\n".join(line.rstrip() for line in lines)


def _write(stream: object, text: str) -> None:
    # The terminal may be gone, for instance with its ssh connection; a recovery goes on without it.
    try:
        print(text, end="", file=stream, flush=True)  # type: ignore[call-overload]
    except OSError:
        return
