"""ListObjectVersions as S3 pages it; moto loses what lies at a border between two pages, and copies the bucket for each.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote_plus

from defib.lab.strict import versions, xml
from defib.lab.strict.checksums import algorithm_of
from defib.lab.strict.place import Place
from defib.lab.strict.xml import AwsError, element, leaf
from defib.lab.web import Request, Response

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_PAGE = 1000
_OWNER = element("Owner", leaf("ID", "75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a"))


@dataclass(frozen=True)
class _Entry:
    """One line of a listing: a version, or a common prefix where there is none; `newest` of its key."""

    key: str
    version: Any | None = None
    newest: bool = False


class VersionListing:
    """Answers ListObjectVersions; `removed` says when a version was made that is no longer there."""

    def __init__(self, removed: Callable[[str], datetime | None]) -> None:
        self._removed = removed

    def answer(self, request: Request) -> Response | None:
        """A page of versions; None for every other request, and for a bucket that is not there."""
        place = Place.of(request)
        held = versions.bucket(place.bucket)
        if request.method != "GET" or place.key or "versions" not in place.query or held is None:
            return None
        at_most = min(int(place.query.get("max-keys") or _PAGE), _PAGE)
        page: list[_Entry] = []
        more = False
        for entry in self._after_markers(held, place):
            more = len(page) >= at_most
            if more:
                break
            page.append(entry)
        return _answer(place, at_most, page, more=more and at_most > 0)

    def _after_markers(self, held: Any, place: Place) -> Iterator[_Entry]:
        prefix, delimiter = place.query.get("prefix", ""), place.query.get("delimiter", "")
        marker, version_marker = place.query.get("key-marker", ""), place.query.get("version-id-marker", "")
        if version_marker and not marker:
            raise AwsError(400, "InvalidArgument", "A version-id marker cannot be specified without a key marker.")
        grouped = ""
        for key in versions.sorted_keys(held, prefix):
            if key < marker or (key == marker and not version_marker) or (grouped and key.startswith(grouped)):
                continue
            head, found, _ = key[len(prefix) :].partition(delimiter) if delimiter else ("", "", "")
            if found:
                grouped = f"{prefix}{head}{delimiter}"
                if grouped != marker:
                    yield _Entry(grouped)
                continue
            listed = list(_entries(held, key))
            yield from self._older(listed, version_marker) if key == marker else listed

    def _older(self, entries: list[_Entry], version_id: str) -> list[_Entry]:
        """What comes after one version of the key, also where it was removed since the page before."""
        for at, entry in enumerate(entries):
            if entry.version is not None and entry.version.version_id == version_id:
                return entries[at + 1 :]
        made = self._removed(version_id)
        if made is None:
            raise AwsError(400, "InvalidArgument", "Invalid version id specified")
        return [entry for entry in entries if entry.version is not None and versions.changed(entry.version) < made]


def _entries(held: Any, key: str) -> Iterator[_Entry]:
    """The versions of a key, newest first."""
    for at, version in enumerate(reversed(versions.of_key(held, key))):
        yield _Entry(key, version, newest=at == 0)


def _answer(place: Place, at_most: int, page: list[_Entry], *, more: bool) -> Response:
    def encoded(text: str) -> str:
        return quote_plus(text, safe="/") if place.query.get("encoding-type") == "url" else text

    last = page[-1] if more else None
    told = [leaf("Name", place.bucket), leaf("Prefix", encoded(place.query.get("prefix", "")))]
    told += [leaf("KeyMarker", encoded(place.query.get("key-marker", "")))]
    told += [leaf("VersionIdMarker", place.query.get("version-id-marker", ""))]
    told += [leaf("NextKeyMarker", encoded(last.key))] if last else []
    told += [leaf("NextVersionIdMarker", last.version.version_id)] if last and last.version is not None else []
    told += [leaf("MaxKeys", str(at_most))]
    told += [leaf(name, encoded(place.query[key])) for key, name in _ECHOED.items() if place.query.get(key)]
    told += [leaf("IsTruncated", str(more).lower())]
    told += [_version(each, encoded) for each in page if each.version is not None]
    told += [element("CommonPrefixes", leaf("Prefix", encoded(each.key))) for each in page if each.version is None]
    return xml.answer("ListVersionsResult", NAMESPACE, *told)


_ECHOED = {"delimiter": "Delimiter", "encoding-type": "EncodingType"}


def _version(entry: _Entry, encoded: Callable[[str], str]) -> str:
    version: Any = entry.version
    told = [leaf("Key", encoded(entry.key)), leaf("VersionId", version.version_id)]
    told += [leaf("IsLatest", str(entry.newest).lower()), leaf("LastModified", version.last_modified_ISO8601)]
    if versions.is_marker(version):
        return element("DeleteMarker", *told, _OWNER)
    algorithm, kind = algorithm_of(version)
    told += [leaf("ETag", version.etag), leaf("ChecksumAlgorithm", algorithm), leaf("ChecksumType", kind)]
    told += [leaf("Size", str(version.size)), _OWNER, leaf("StorageClass", version.storage_class)]
    return element("Version", *told)
