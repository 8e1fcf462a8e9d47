"""A page of a listing of S3, read from its XML.

botocore reads a page of a thousand entries in some 40 ms, entry by entry against a model; a comparison of millions of
objects is nothing but pages. Everything else of a request stays botocore's: see :func:`raw_pages`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus
from xml.etree import ElementTree as ET

from defib.errors import Unavailable
from defib.providers.bucket.entries import MARKER, Row, local, take
from defib.replication.port import Cursor, Page, Version

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

RAW = "DefibPage"
"""Under this key stands the body of an answered listing."""

_EMPTY = b"<Listing/>"
_OK = 200
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
        frame = _framed(root)
        return tuple(sorted(frame.plain(each.text or "") for each in root.iterfind("{*}CommonPrefixes/{*}Prefix")))
    except (ET.ParseError, ValueError) as error:
        raise _broken(where, error) from error


def read_page(body: bytes, cursor: Cursor, where: str) -> Page:
    """The versions of one page up to the cursor's end, and where it goes on; :class:`Unavailable` for what is no listing.

    S3 answers 200 before it has the page, and may break off within it, or go on with an error.
    """
    try:
        root, rows = take(body)
        frame = _framed(root)
        found = list(_versions(rows, frame, versions=cursor.versions))
        onwards = _onwards(frame, cursor, found)
    except (ET.ParseError, ValueError) as error:
        raise _broken(where, error) from error
    if cursor.until and found and found[-1].key > cursor.until:
        return Page([each for each in found if each.key <= cursor.until], None)
    return Page(found, onwards)


def _broken(where: str, error: Exception) -> Unavailable:
    return Unavailable("the page of a listing is not whole", where=where, seen=str(error))


@dataclass(frozen=True)
class _Frame:
    """What a page tells beside its entries."""

    encoded: bool
    more: bool
    next_key: str
    next_version: str

    def plain(self, key: str) -> str:
        """A key as it is. S3 writes it as a form does, a space as a plus; not every S3 does it when asked to."""
        return unquote_plus(key, errors="strict") if self.encoded and ("%" in key or "+" in key) else key


def _framed(root: ET.Element) -> _Frame:
    told = {local(each): each.text or "" for each in root}
    name, more = local(root), told.get("IsTruncated")
    if name not in _ROOTS or more not in {"true", "false"}:
        raise ValueError(f"it is no listing but <{name}> {told.get('Code', '')}".rstrip())
    encoded = told.get("EncodingType") == "url"
    return _Frame(encoded, more == "true", told.get("NextKeyMarker", ""), told.get("NextVersionIdMarker", ""))


def _versions(rows: Iterable[Row], frame: _Frame, *, versions: bool) -> Iterator[Version]:
    for kind, key, ident, latest, modified, etag, size in rows:
        if not key or (versions and not ident):
            raise ValueError(f"an entry without a key or an id: {key!r} {ident!r}")
        marker = kind == MARKER
        yield Version(
            frame.plain(key),
            ident if versions else "",
            0 if marker else int(size),
            etag,
            datetime.fromisoformat(modified),
            marker,
            latest != "false",
        )


def _onwards(frame: _Frame, cursor: Cursor, found: list[Version]) -> Cursor | None:
    if not frame.more:
        return None
    last = found[-1].key if found else ""
    key, version = (frame.plain(frame.next_key), frame.next_version) if cursor.versions else (last, "")
    if not key or (key, version) == (cursor.after, cursor.version):
        raise ValueError("it goes on, and does not say where")
    return Cursor(cursor.prefix, key, version, cursor.until, cursor.versions)
