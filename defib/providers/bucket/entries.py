"""The entries of one page of a listing of S3, and the page without them.

Where all of them are written as the first one is, one expression takes them out, and what is left is read as XML, which
proves that the page is whole. Anything else, down to a character that is not plain ASCII, makes all of the page be read as
XML: some five times slower, and the same answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import chain
from xml.etree import ElementTree as ET

Columns = list[list[str]]
"""The kind of each entry, and each of its :data:`FIELDS`, "" for one that it does not have."""

FIELDS = ("Key", "VersionId", "IsLatest", "LastModified", "ETag", "Size")
MARKER = "DeleteMarker"
_KINDS = frozenset({"Version", MARKER, "Contents"})

_FIRST = re.compile(r"<(Version|Contents)>(.*?)</\1>", re.DOTALL)
_FIRST_MARKER = re.compile(r"<(DeleteMarker)>(.*?)</\1>", re.DOTALL)
_NAME = re.compile(r"<(\w+)>")
_QUOTE = '(?:&quot;|&#34;|")?+'
_WRITTEN = {
    "ETag": f'<ETag>{_QUOTE}([^<&"]*+){_QUOTE}</ETag>',
    "Owner": "<Owner>(?:<ID>[^<]*+</ID>|<DisplayName>[^<]*+</DisplayName>)*+</Owner>",
    "ChecksumAlgorithm": "(?:<ChecksumAlgorithm>[^<]*+</ChecksumAlgorithm>)*+",
}
_OF_OWNERS = {"ID", "DisplayName"}
_ALWAYS = {"Key", "VersionId", "IsLatest", "LastModified"}
_TAKEN, _TAKEN_FROM = "<Taken/>", "{*}Taken"


def take(body: bytes) -> tuple[ET.Element, Columns]:
    """The page without its entries, and the entries in their order; :class:`ParseError` where it is not whole."""
    return _taken_at_once(body) or _read(ET.fromstring(body))  # noqa: S314 - who signs the request trusts the answer


def local(element: ET.Element) -> str:
    """The name of an element without its namespace, of which not every S3 has the same."""
    return _without_namespace(element.tag)


@lru_cache(maxsize=256)
def _without_namespace(tag: str) -> str:
    return tag.rpartition("}")[2]


def _read(root: ET.Element) -> tuple[ET.Element, Columns]:
    rows = list(_rows(root))
    return root, [[row[place] for row in rows] for place in range(len(FIELDS) + 1)]


def _rows(root: ET.Element) -> Iterator[tuple[str, ...]]:
    for entry in root:
        if local(entry) in _KINDS:
            told = {local(child): child.text or "" for child in entry}
            told["ETag"] = told.get("ETag", "").strip('"')
            yield local(entry), *(told.get(field, "") for field in FIELDS)


def _taken_at_once(body: bytes) -> tuple[ET.Element, Columns] | None:
    """None where it cannot be done so."""
    text = body.decode("ascii") if body.isascii() else ""
    first = _FIRST.search(text) or _FIRST_MARKER.search(text)
    if first is None:
        return None
    names = tuple(name for name in dict.fromkeys(_NAME.findall(first[2])) if name not in _OF_OWNERS)
    captured = [name for name in names if name in FIELDS]
    parts, width = _expression(names).split(text), len(captured) + 2
    columns = [[each or "" for each in parts[place::width]] for place in range(1, width)]
    root = _frame(parts[::width]) if _are_plain(columns) else None
    if root is None:
        return None
    by_name = dict(zip(captured, columns[1:], strict=True))
    nothing = [""] * len(columns[0])
    return root, [columns[0], *(by_name.get(field, nothing) for field in FIELDS)]


def _are_plain(columns: Columns) -> bool:
    """Whether entries were taken out, and XML would read their text as it stands."""
    told = "".join(chain.from_iterable(columns))
    return bool(columns[0]) and "&" not in told and told.isprintable()


def _frame(around: list[str]) -> ET.Element | None:
    """What is left of a page; None where entries are still in it, or those that were taken were no part of the listing."""
    frame = around[0] + _TAKEN + around[-1]
    if "".join(around[1:-1]).strip() or "<!" in frame:
        return None
    try:
        root = ET.fromstring(frame)  # noqa: S314 - as in take
    except ET.ParseError:
        return None
    left = {local(each) for each in root} & _KINDS
    return root if root.find(_TAKEN_FROM) is not None and not left else None


@lru_cache(maxsize=64)
def _expression(names: tuple[str, ...]) -> re.Pattern[str]:
    """An entry with these children in this order; not all have what an object may lack, and markers lack more."""
    children = (_WRITTEN.get(name) or f"<{name}>{_text(name)}</{name}>" for name in names)
    either = (f"(?:{child})?+" if name not in _ALWAYS else child for name, child in zip(names, children, strict=True))
    return re.compile(rf"<({'|'.join(_KINDS)})>\s*+" + r"\s*+".join(either) + r"\s*+</\1>")


def _text(name: str) -> str:
    return "([^<]*+)" if name in FIELDS else "[^<]*+"
