"""A page of a listing of S3, read from its XML.

botocore reads a page of a thousand entries in some 40 ms, entry by entry against a model; a comparison of millions of
objects is nothing but pages. Everything else of a request stays botocore's: see :func:`raw_pages`.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime
from itertools import repeat
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus
from xml.etree import ElementTree as ET

from defib.errors import Unavailable
from defib.providers.bucket.entries import FIELDS, MARKER, Columns, local, take
from defib.replication.port import Cursor, Page, Version

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

RAW = "DefibPage"
"""Under this key stands the body of an answered listing."""

_EMPTY = b"<Listing/>"
_OK = 200
_KEYS = 1 + FIELDS.index("Key")
_ROOTS = {"ListVersionsResult", "ListBucketResult"}


def raw_pages(client: S3Client) -> None:
    """Make `client` hand over listings unread, under :data:`RAW`; what S3 refuses is read and raised as ever."""

    def keep(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object) -> None:
        if response_dict["status_code"] == _OK:
            customized_response_dict[RAW] = response_dict["body"]
            response_dict["body"] = _EMPTY

    for operation in ("ListObjectsV2", "ListObjectVersions"):
        # The wildcard comes before botocore's own handler of S3, which reads all of an answer with 200 to see whether it is
        # an error after all. read_page tells that too.
        client.meta.events.register(f"before-parse.*.{operation}", keep)


def read_folders(body: bytes, where: str) -> tuple[str, ...]:
    """The common prefixes of a listing that was asked for with a delimiter, sorted; raises as :func:`read_page`."""
    try:
        root = ET.fromstring(body)  # noqa: S314 - who signs the request trusts the answer; expat bounds entities
        found = [each.text or "" for each in root.iterfind("{*}CommonPrefixes/{*}Prefix")]
        return tuple(sorted(_framed(root).plain(found)))
    except (ET.ParseError, ValueError) as error:
        raise _broken(where, error) from error


def read_page(body: bytes, cursor: Cursor, where: str) -> Page:
    """The versions of one page up to the cursor's end, and where it goes on; :class:`Unavailable` for what is no listing.

    S3 answers 200 before it has the page, and may break off within it, or go on with an error.
    """
    try:
        root, columns = take(body)
        frame = _framed(root)
        columns[_KEYS] = keys = frame.plain(columns[_KEYS])
        if cursor.until and keys and keys[-1] > cursor.until:
            wanted = bisect_right(_sorted(keys), cursor.until)
            return Page(_versions([column[:wanted] for column in columns], versions=cursor.versions), None)
        found = _versions(columns, versions=cursor.versions)
        return Page(found, _onwards(frame, cursor, found))
    except (ET.ParseError, ValueError) as error:
        raise _broken(where, error) from error


def _broken(where: str, error: Exception) -> Unavailable:
    return Unavailable("the page of a listing is not whole", where=where, seen=str(error))


@dataclass(frozen=True)
class _Frame:
    """What a page tells beside its entries."""

    encoded: bool
    more: bool
    next_key: str
    next_version: str

    def plain(self, keys: list[str]) -> list[str]:
        """Keys as they are. S3 writes them as a form does, a space as a plus; not every S3 does it when asked to."""
        if not self.encoded:
            return keys
        return [unquote_plus(key, errors="strict") if "%" in key or "+" in key else key for key in keys]


def _framed(root: ET.Element) -> _Frame:
    told = {local(each): each.text or "" for each in root}
    name, more = local(root), told.get("IsTruncated")
    if name not in _ROOTS or more not in {"true", "false"}:
        raise ValueError(f"it is no listing but <{name}> {told.get('Code', '')}".rstrip())
    encoded = told.get("EncodingType") == "url"
    return _Frame(encoded, more == "true", told.get("NextKeyMarker", ""), told.get("NextVersionIdMarker", ""))


def _sorted(keys: list[str]) -> list[str]:
    if keys != sorted(keys):
        raise ValueError("its keys are not sorted")
    return keys


def _versions(columns: Columns, *, versions: bool) -> list[Version]:
    """Column by column: a page is a thousand entries, and a function for each would take as long as all the rest."""
    kinds, keys, idents, latest, modified, etags, sizes = columns
    if "" in keys or (versions and "" in idents):
        raise ValueError("an entry without a key or an id")
    if sizes.count("") != kinds.count(MARKER):
        raise ValueError("an object without a size")
    parts = (
        keys,
        idents if versions else repeat(""),
        [int(size or 0) for size in sizes],
        etags,
        map(datetime.fromisoformat, modified),
        [kind == MARKER for kind in kinds],
        [each != "false" for each in latest],
    )
    # As Version._make does it, which is a function in Python for each of them.
    return [tuple.__new__(Version, row) for row in zip(*parts, strict=False)]


def _onwards(frame: _Frame, cursor: Cursor, found: list[Version]) -> Cursor | None:
    if not frame.more:
        return None
    last = found[-1].key if found else ""
    key, version = (*frame.plain([frame.next_key]), frame.next_version) if cursor.versions else (last, "")
    if not key or (key, version) == (cursor.after, cursor.version):
        raise ValueError("it goes on, and does not say where")
    return Cursor(cursor.prefix, key, version, cursor.until, cursor.versions)
