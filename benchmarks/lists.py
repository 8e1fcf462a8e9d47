"""Inventories of the buckets of :mod:`benchmarks.generated_s3`, as S3 would write them, in the bucket `lists`."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Protocol

from arro3.core import Array, DataType, Table
from arro3.io import write_parquet

from benchmarks.generated_s3 import World, listing
from defib.providers.bucket.pages import read_page
from defib.replication.port import Cursor, Version

_A_FILE = 100_000
_CSV = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag"
_PARQUET = (
    "message s3.inventory { required binary bucket (STRING); required binary key (STRING); optional binary version_id "
    "(STRING); optional boolean is_latest; optional boolean is_delete_marker; optional int64 size; "
    "optional int64 last_modified_date (TIMESTAMP(MILLIS,true)); optional binary e_tag (STRING); }"
)


class Put(Protocol):
    """Puts an object into the bucket of the lists."""

    def __call__(self, key: str, body: bytes) -> object: ...


def write(world: World, bucket: str, kind: str, began: datetime, put: Put) -> None:
    """A list of one of the buckets, in files of a hundred thousand entries."""
    entries, files = _entries(world, bucket), list[Mapping[str, object]]()
    while some := list(islice(entries, _A_FILE)):
        body, end = (_as_csv(bucket, some), "csv.gz") if kind == "CSV" else (_as_parquet(bucket, some), "parquet")
        key = f"{bucket}/data/{kind}-{len(files)}.{end}"
        put(key, body)
        files.append({"key": key, "size": len(body), "MD5checksum": _md5(body)})
    manifest = {
        "sourceBucket": bucket,
        "creationTimestamp": str(round(began.timestamp() * 1000)),
        "fileFormat": kind,
        "fileSchema": _CSV if kind == "CSV" else _PARQUET,
        "files": files,
    }
    told = json.dumps(manifest).encode()
    folder = f"{bucket}/{began:%Y-%m-%dT%H-%MZ}/"
    put(f"{folder}manifest.json", told)
    put(f"{folder}manifest.checksum", _md5(told).encode())


def _entries(world: World, bucket: str) -> Iterator[Version]:
    cursor: Cursor | None = Cursor()
    while cursor is not None:
        asked = {"key-marker": cursor.after, "version-id-marker": cursor.version}
        page = read_page(listing(world, bucket, asked), cursor, bucket)
        yield from page.versions
        cursor = page.onwards


def _as_csv(bucket: str, entries: Sequence[Version]) -> bytes:
    text = io.StringIO()
    rows = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    rows.writerows(
        (bucket, key, ident, str(latest).lower(), str(marker).lower(), size, f"{modified:%Y-%m-%dT%H:%M:%S}.000Z", etag)
        for key, ident, size, etag, modified, marker, latest in entries
    )
    return gzip.compress(text.getvalue().encode(), compresslevel=6)


def _as_parquet(bucket: str, entries: Sequence[Version]) -> bytes:
    text, flag, number = DataType.string(), DataType.bool(), DataType.int64()
    keys, idents, sizes, etags, modified, markers, latest = zip(*entries, strict=True)
    instants = Array([round(each.timestamp() * 1000) for each in modified], type=number)
    columns: dict[str, Any] = {
        "bucket": Array([bucket] * len(entries), type=text),
        "key": Array(keys, type=text),
        "version_id": Array(idents, type=text),
        "is_latest": Array(latest, type=flag),
        "is_delete_marker": Array(markers, type=flag),
        "size": Array(sizes, type=number),
        "last_modified_date": instants.cast(DataType.timestamp("ms", tz="UTC")),
        "e_tag": Array(etags, type=text),
    }
    file = io.BytesIO()
    write_parquet(Table.from_pydict(columns), file, compression="snappy")
    return file.getvalue()


def _md5(body: bytes) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()
