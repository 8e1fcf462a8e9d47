"""HCL, the language of Terraform, written as ``terraform fmt`` would leave it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class Reference:
    """An expression that stands as it is, such as ``aws_s3_bucket.releases.id``."""

    text: str


@dataclass(frozen=True)
class Call:
    """A function with one argument."""

    function: str
    argument: Value


Value = str | bool | int | Reference | Call | Sequence["Value"] | Mapping[str, "Value"]


@dataclass(frozen=True)
class Block:
    """A block: its type and labels, and the attributes and blocks in it, in order."""

    type: str
    labels: tuple[str, ...]
    body: tuple[Attribute | Block, ...]


@dataclass(frozen=True)
class Attribute:
    """One attribute of a block."""

    name: str
    value: Value


def block(kind: str, *labels: str, **attributes: Value) -> Block:
    """A block of attributes; :func:`within` puts blocks into it."""
    return Block(kind, labels, tuple(Attribute(name, value) for name, value in attributes.items()))


def within(outer: Block, *inner: Block) -> Block:
    """`outer` with more blocks in it."""
    return Block(outer.type, outer.labels, (*outer.body, *inner))


def render(blocks: Sequence[Block]) -> str:
    """A whole file."""
    return "\n".join(_block(each, "") for each in blocks)


def quoted(text: str) -> str:
    """`text` as a literal, in which nothing is interpolated."""
    return json.dumps(text, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")


def _block(each: Block, indent: str) -> str:
    head = " ".join([each.type, *(quoted(label) for label in each.labels)])
    deeper = f"{indent}  "
    parts: list[str] = []
    for kind, run in groupby(each.body, key=type):
        if kind is Attribute:
            parts.append(_attributes([item for item in run if isinstance(item, Attribute)], deeper))
        else:
            parts += [_block(item, deeper) for item in run if isinstance(item, Block)]
    return f"{indent}{head} {{\n" + "\n".join(parts) + f"{indent}}}\n"


def _attributes(attributes: Sequence[Attribute], indent: str) -> str:
    return "".join(_aligned([(each.name, _value(each.value, indent)) for each in attributes], indent))


def _aligned(pairs: Sequence[tuple[str, str]], indent: str) -> list[str]:
    """Lines with their equal signs below each other, as far as values of one line follow each other."""
    lines: list[str] = []
    for many, run in groupby(pairs, key=lambda pair: "\n" in pair[1]):
        found = list(run)
        width = 0 if many else max(len(name) for name, _ in found)
        lines += [f"{indent}{name:<{width}} = {value}\n" for name, value in found]
    return lines


def _value(value: Value, indent: str) -> str:
    if isinstance(value, Call):
        return f"{value.function}({_value(value.argument, indent)})"
    if isinstance(value, Mapping):
        deeper = f"{indent}  "
        pairs = [(_key(name), _value(each, deeper)) for name, each in value.items()]
        return "{\n" + "".join(_aligned(pairs, deeper)) + f"{indent}}}"
    if isinstance(value, str | bool | int | Reference):
        return _scalar(value)
    return _list(value, indent)


def _scalar(value: str | bool | int | Reference) -> str:
    if isinstance(value, Reference):
        return value.text
    return quoted(value) if isinstance(value, str) else json.dumps(value)


def _list(values: Sequence[Value], indent: str) -> str:
    deeper = f"{indent}  "
    items = [_value(each, deeper) for each in values]
    if not any("\n" in each for each in items):
        return f"[{', '.join(items)}]"
    return "[\n" + "".join(f"{deeper}{each},\n" for each in items) + f"{indent}]"


def _key(name: str) -> str:
    return name if _IDENTIFIER.fullmatch(name) else quoted(name)
