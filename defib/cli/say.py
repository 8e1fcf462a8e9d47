"""What commands print: one JSON object with ``--json``, a few lines for people otherwise."""

from __future__ import annotations

import json
import os
import re
import sys
import textwrap
from collections.abc import Mapping, Sequence

from defib.errors import DefibError
from defib.redact import Redactor
from defib.report import words

WIDTH = 100
"""No line is longer, where that can be helped."""

_FIGURE = re.compile(r"(?<=\d) (?=(?:ms|s|min|h|d)\b)")
"""The blank between a figure and its unit, which stays on its line."""

_HELD = "\N{WORD JOINER}"

Json = Mapping[str, object] | Sequence[object] | str | int | float | bool | None


def say(text: str = "") -> None:
    """One or more lines for people, on stdout. Control characters, which others may have sent, are made visible."""
    _write(sys.stdout, words.plain(text) + "\n")


def show(text: str) -> None:
    """The same for what was given its colours here, and was made harmless before."""
    _write(sys.stdout, text + "\n")


def aside(text: str) -> None:
    """One or more lines for people that are not the result, on stderr; control characters are made visible."""
    _write(sys.stderr, words.plain(text) + "\n")


def prompt(text: str) -> None:
    """A question to people, on stderr; the answer is typed behind it."""
    _write(sys.stderr, words.plain(text))


def say_json(value: Json, *, one_line: bool = False) -> None:
    """The result of a command as one JSON object; on one line where more of them follow."""
    say(json.dumps(value, indent=None if one_line else 2, ensure_ascii=False, allow_nan=False))


def explain(error: DefibError, redact: Redactor, *, as_json: bool, besides: Mapping[str, Json] | None = None) -> None:
    """An error, part by part: what, where, expected, seen, next. `besides` goes into the JSON object only."""
    parts = {label: redact(text) for label, text in error.parts().items()}
    if as_json:
        say_json({**parts, "exit_code": error.exit_code, **(besides or {})})
    tell_parts(parts)


def tell_parts(parts: Mapping[str, str]) -> None:
    """Texts behind their labels on stderr; folded for a terminal, and left whole for whoever searches a log."""
    lines = {f"{label + ':':<10}": text for label, text in parts.items()}
    whole = not sys.stderr.isatty()
    aside("\n".join(f"{label}{words.plain(text)}" if whole else fold(label, text) for label, text in lines.items()))


def fold(head: str, text: str) -> str:
    """`text` after `head`, folded at blanks to the width of the terminal; what stands in columns keeps its indent.

    Control characters, which a hostile server may send, are made visible.
    """
    width = min(_columns(), WIDTH)
    folded: list[str] = []
    for line in words.plain(text).split("\n"):
        indent = " " * (len(line) - len(line.lstrip()))
        first = f"{' ' * len(head) if folded else head}{indent}"
        wrapper = textwrap.TextWrapper(width, first, " " * len(first), break_long_words=False, break_on_hyphens=False)
        folded += wrapper.wrap(_FIGURE.sub(_HELD, line.strip()))
    return "\n".join(folded).replace(_HELD, " ")


def _columns() -> int:
    """Of the terminal that either stream leads to; the widest that is used where there is none."""
    for stream in (sys.__stderr__, sys.__stdout__):
        try:
            columns = os.get_terminal_size(stream.fileno() if stream else -1).columns
        except (OSError, ValueError):
            continue
        return columns or WIDTH
    return WIDTH


def fold_parts(text: str) -> str:
    """Lines that begin with a label of twelve characters, each folded behind it; lines without one as they are."""
    return "\n".join(fold(line[:12], line[12:]) if line.startswith("  ") else line for line in text.splitlines())


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
