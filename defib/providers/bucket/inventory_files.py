"""The files of an inventory, CSV or Parquet, as versions.

What is in them: https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory.html
"""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import IO, Any
from urllib.parse import unquote_plus

from defib.errors import Unavailable
from defib.replication.port import NULL, Version

_OF_CSV = {
    "Key": "key",
    "VersionId": "version_id",
    "IsLatest": "is_latest",
    "IsDeleteMarker": "is_delete_marker",
    "Size": "size",
    "LastModifiedDate": "last_modified_date",
    "ETag": "e_tag",
}
COLUMNS = frozenset(_OF_CSV.values())
OF_VERSIONS = frozenset({"version_id", "is_latest", "is_delete_marker"})
"""They are in lists of all versions alone."""

_AT_ONCE = 10_000
_PARQUET_COLUMN = re.compile(r"(?:required|optional) \w+ (\w+)")
_PARQUET = b"PAR1"

_Columns = Mapping[str, Sequence[Any]]
Reader = Callable[..., Iterator[list[Version]]]


def columns_of(kind: str, told: str) -> tuple[str, ...]:
    """The names of the columns, as Parquet has them, from the schema in a manifest."""
    if kind == "CSV":
        return tuple(_OF_CSV.get(name.strip(), name.strip()) for name in told.split(","))
    return tuple(_PARQUET_COLUMN.findall(told))


def of_csv(file: IO[bytes], columns: Sequence[str], where: str, *, versions: bool) -> Iterator[list[Version]]:
    """The versions in a CSV file that gzip has packed; it has no line of names."""
    try:
        with gzip.open(file, "rt", encoding="utf-8", newline="") as text:
            rows = csv.reader(text)
            while some := list(islice(rows, _AT_ONCE)):
                told = dict(zip(columns, zip(*some, strict=True), strict=True))
                yield _versions(_plain(told), versions=versions)
    except (OSError, EOFError, zlib.error, csv.Error, ValueError) as error:
        raise _unreadable(where, error) from error


def _plain(told: Mapping[str, Sequence[str]]) -> _Columns:
    """Columns of text as Parquet has them.

    Keys are written as forms write them, a space as a plus: https://github.com/cloud-custodian/cloud-custodian/issues/1997.
    """
    plain: dict[str, Sequence[Any]] = dict(told)
    plain["key"] = [unquote_plus(key, errors="strict") if "%" in key or "+" in key else key for key in told["key"]]
    plain["last_modified_date"] = list(map(datetime.fromisoformat, told["last_modified_date"]))
    for name in OF_VERSIONS & told.keys() - {"version_id"}:
        plain[name] = [each.lower() == "true" for each in told[name]]
    return plain


def of_parquet(file: IO[bytes], columns: Sequence[str], where: str, *, versions: bool) -> Iterator[list[Version]]:
    """The versions in a Parquet file, which knows its columns itself."""
    from arro3.core import DataType  # noqa: PLC0415 - as the vendors' libraries
    from arro3.io import read_parquet  # noqa: PLC0415

    instants, wanted = DataType.timestamp("ms", tz="UTC"), COLUMNS & set(columns)
    try:
        for some in _batches(file, read_parquet):
            told = {name: some.column(name) for name in wanted}
            told["last_modified_date"] = told["last_modified_date"].cast(instants).cast(DataType.int64())
            plain = {name: column.to_pylist() for name, column in told.items()}
            plain["last_modified_date"] = [datetime.fromtimestamp(each / 1000, UTC) for each in plain["last_modified_date"]]
            yield _versions(plain, versions=versions)
    except BaseException as error:
        # It panics where the file is none of Parquet, and a panic of Rust is no Exception.
        if isinstance(error, Exception) or type(error).__module__ == "pyo3_runtime":
            raise _unreadable(where, error) from error
        raise


def _batches(file: IO[bytes], read: Callable[..., Any]) -> Iterator[Any]:
    begins = file.read(len(_PARQUET))
    if begins != _PARQUET:
        raise ValueError(f"it begins with {begins!r}")
    file.seek(0)
    yield from read(file, batch_size=_AT_ONCE)


FORMATS: Mapping[str, Reader] = {"CSV": of_csv, "Parquet": of_parquet}


def _versions(told: _Columns, *, versions: bool) -> list[Version]:
    number = len(told["key"])
    latest, markers = told.get("is_latest") or [True] * number, told.get("is_delete_marker") or [False] * number
    # What was written while the bucket kept no versions has an empty id here, and "null" everywhere else:
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/inventory-configure-bops.html
    idents = [each or NULL for each in told["version_id"]] if versions else [""] * number
    sizes, etags = [int(each or 0) for each in told["size"]], [(each or "").strip('"') for each in told["e_tag"]]
    rows = zip(told["key"], idents, sizes, etags, told["last_modified_date"], markers, latest, strict=True)
    found = [tuple.__new__(Version, row) for row in rows]  # as Version._make, and not a function in Python for each
    return found if versions else [each for each in found if each.latest and not each.marker]


def _unreadable(where: str, error: BaseException) -> Unavailable:
    return Unavailable("a file of an inventory cannot be read", where=where, seen=str(error)[:200])
