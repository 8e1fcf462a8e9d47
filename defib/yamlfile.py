"""YAML in, a checked pydantic model out, with the line of every mistake."""

from __future__ import annotations

import difflib
import re
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from defib.errors import InputError

_PLAIN = {
    "missing": "is missing",
    "string_type": "is not a text; put it in quotes, or YAML reads it as a number, a date or a yes",
    "too_short": "has too few entries",
    "union_tag_not_found": "says no provider",
}
"""Pydantic's words where they would mean nothing to whoever wrote the file."""

_ODD = re.compile(r"[\t!]|^%", re.MULTILINE)
"""Tabs, tags and directives, which the two parsers do not read alike."""

Model = TypeVar("Model", bound=BaseModel)


class Misplaced(ValueError):
    """A mistake that a validator of a whole part found; `path` leads from that part to where it stands in the file."""

    def __init__(self, text: str, *path: int | str) -> None:
        super().__init__(text)
        self.path = path


def load_model(path: Path, model: type[Model], error: type[InputError]) -> Model:
    """Read `path` as `model`; raises `error` with file and line, all mistakes in one message."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise error(f"cannot read {path.name}: {problem}", where=str(path)) from problem
    return parse_model(text, str(path), model, error)


def parse_model(text: str, where: str, model: type[Model], error: type[InputError], first_line: int = 1) -> Model:
    """The same from text that starts at `first_line` of the file `where`."""
    return _quickly(text, model) or _with_lines(text, where, model, error, first_line)


@lru_cache(maxsize=64)
def _quickly(text: str, model: type[Model]) -> Model | None:
    """What is in it, by a parser that is seven times as fast and knows no lines; None where anything is odd or wrong.

    A command reads the same file again and again, its own and the copies that earlier runs kept; it is parsed once, as
    nothing that was read is ever changed.
    """
    if _ODD.search(text):
        return None
    try:
        return TypeAdapter(model).validate_python(_plain(YAML(typ="safe").load(text)))
    except (YAMLError, ValueError, RecursionError):
        return None


def _with_lines(text: str, where: str, model: type[Model], error: type[InputError], first_line: int) -> Model:
    try:
        document = YAML(typ="rt", pure=True).load(text)
    except MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        line = first_line + (mark.line if mark else 0)
        raise error(f"not YAML: {problem.problem or problem.context}", where=f"{where}:{line}") from problem
    except YAMLError as problem:
        raise error(f"not YAML: {problem}", where=where) from problem
    try:
        plain = _plain(document)
    except RecursionError as problem:
        raise error("an alias leads into itself", where=where) from problem
    try:
        return TypeAdapter(model).validate_python(plain)
    except ValidationError as problem:
        raise _explain(problem, document, where, model, error, first_line) from problem


def _plain(node: Any) -> Any:
    if isinstance(node, dict):
        return {str(key): _plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(value) for value in node]
    return node


def _explain(
    problem: ValidationError,
    document: Any,
    where: str,
    model: type[BaseModel],
    error: type[InputError],
    first_line: int,
) -> InputError:
    mistakes = _without_consequences(problem.errors(include_url=False, include_input=False))
    told = [_tell(mistake, document, model, first_line) for mistake in mistakes]
    told.sort()
    first_at, first = told[0]
    rest = "".join(f"\n  line {line}: {text}" for line, text in told[1:])
    return error(first + rest, where=f"{where}:{first_at}")


def _without_consequences(mistakes: list[Any]) -> list[Any]:
    """Without lists that are too short only because one of their items is wrong."""
    places = [tuple(mistake["loc"]) for mistake in mistakes]

    def follows(mistake: Any) -> bool:
        own = tuple(mistake["loc"])
        return mistake["type"] == "too_short" and any(place[: len(own)] == own != place for place in places)

    return [mistake for mistake in mistakes if not follows(mistake)]


def _tell(mistake: Any, document: Any, model: type[BaseModel], first_line: int) -> tuple[int, str]:
    found = mistake.get("ctx", {}).get("error")
    location = (*mistake["loc"], *(found.path if isinstance(found, Misplaced) else ()))
    line = first_line + _line(document, location)
    path = ".".join(str(part) for part in _visible(document, location))
    if mistake["type"] == "extra_forbidden":
        key = str(location[-1])
        near = difflib.get_close_matches(key, _known_keys(model), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        return line, f"unknown key {path!r}{hint}"
    message = mistake["msg"].removeprefix("Value error, ")
    message = _PLAIN.get(mistake["type"], message)
    return line, f"{path}: {message}" if path else message


def _visible(document: Any, location: tuple[int | str, ...]) -> list[int | str]:
    """The location without what pydantic adds for unions and function validators."""
    shown: list[int | str] = []
    node = document
    for number, part in enumerate(location):
        if _has(node, part):
            node = node[part]
        elif number != len(location) - 1:
            continue
        shown.append(part)
    return shown


def _line(document: Any, location: tuple[int | str, ...]) -> int:
    """The zero-based line of the deepest part of `location` that the document has."""
    node, line = document, 0
    for part in location:
        if _has(node, part):
            # A key that was merged in with `<<` stands somewhere else; then the line is that of the part it is in.
            known = node.lc.data or {}
            line = known[part][0] if part in known else line
            node = node[part]
    return int(line)


def _has(node: Any, part: int | str) -> bool:
    if isinstance(node, CommentedMap):
        return part in node
    return isinstance(node, CommentedSeq) and isinstance(part, int) and part < len(node)


def _known_keys(model: type[BaseModel]) -> list[str]:
    """Every key that stands anywhere in the model; near enough for a hint."""
    schema = TypeAdapter(model).json_schema()
    known = set(schema.get("properties", {}))
    for definition in schema.get("$defs", {}).values():
        known |= set(definition.get("properties", {}))
    return sorted(known)
