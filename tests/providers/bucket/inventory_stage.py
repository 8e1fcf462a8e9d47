"""Inventories as S3 writes them: a manifest, its checksum, and files in CSV or Parquet, in no order."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote_plus

from arro3.core import Array, DataType, Table
from arro3.io import write_parquet
from mypy_boto3_s3.client import S3Client

from defib.replication.port import NULL, Version

CSV_SCHEMA = (
    "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag, StorageClass, IsMultipartUploaded, "
    "ReplicationStatus, EncryptionStatus, ChecksumAlgorithm"
)
PARQUET_SCHEMA = (
    "message s3.inventory {  required binary bucket (STRING);  required binary key (STRING);  optional binary version_id "
    "(STRING);  optional boolean is_latest;  optional boolean is_delete_marker;  optional int64 size;  optional int64 "
    "last_modified_date (TIMESTAMP(MILLIS,true));  optional binary e_tag (STRING);  optional binary storage_class (STRING);}"
)
CURRENT_SCHEMA = "Bucket, Key, Size, LastModifiedDate, ETag"
"""Of lists of what keys hold now, which have no versions and no markers."""


def as_csv(bucket: str, versions: Sequence[Version], schema: str = CSV_SCHEMA) -> bytes:
    """A file of a list in CSV."""
    text = io.StringIO()
    rows = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    for each in versions:
        told = {
            "Bucket": bucket,
            "Key": quote_plus(each.key, safe="/"),
            "VersionId": "" if each.id == NULL else each.id,
            "IsLatest": str(each.latest).lower(),
            "IsDeleteMarker": str(each.marker).lower(),
            "Size": "" if each.marker else str(each.size),
            "LastModifiedDate": each.modified.strftime("%Y-%m-%dT%H:%M:%S.") + f"{each.modified.microsecond // 1000:03}Z",
            "ETag": each.etag,
        }
        rows.writerow([told.get(name.strip(), "") for name in schema.split(",")])
    return gzip.compress(text.getvalue().encode())


def as_parquet(bucket: str, versions: Sequence[Version]) -> bytes:
    """A file of a list in Parquet."""
    text, flag, number = DataType.string(), DataType.bool(), DataType.int64()
    instants = [round(each.modified.timestamp() * 1000) for each in versions]
    columns: dict[str, Any] = {
        "bucket": Array([bucket] * len(versions), type=text),
        "key": Array([each.key for each in versions], type=text),
        "version_id": Array(["" if each.id == NULL else each.id for each in versions], type=text),
        "is_latest": Array([each.latest for each in versions], type=flag),
        "is_delete_marker": Array([each.marker for each in versions], type=flag),
        "size": Array([None if each.marker else each.size for each in versions], type=number),
        "last_modified_date": Array(instants, type=number).cast(DataType.timestamp("ms", tz="UTC")),
        "e_tag": Array([None if each.marker else each.etag for each in versions], type=text),
        "storage_class": Array(["STANDARD"] * len(versions), type=text),
    }
    file = io.BytesIO()
    write_parquet(Table.from_pydict(columns), file, compression="snappy")
    return file.getvalue()


@dataclass(frozen=True)
class InventoryDesk:
    """Writes the inventories of the bucket `of` into `bucket`, below `prefix`, as S3 does."""

    client: S3Client
    of: str
    bucket: str
    prefix: str

    def write(
        self, versions: Sequence[Version], began: datetime, kind: str = "CSV", *, parts: int = 3, complete: bool = True
    ) -> str:
        """A list of these versions, which was begun then; where it is not complete, without a manifest. Gives its folder."""
        listed = list(versions)
        random.Random(len(listed)).shuffle(listed)
        files = [self._file(listed[part::parts], began, kind, part) for part in range(parts if listed else 0)]
        folder = f"{self.prefix}/{began:%Y-%m-%dT%H-%MZ}/"
        self.put(f"{folder}part", b"S3 has begun")
        if complete:
            self.manifest(folder, began, kind, files)
        return folder

    def manifest(self, folder: str, began: datetime, kind: str, files: Sequence[object], **other: object) -> None:
        """A manifest and its checksum; `other` fields replace those that it should have."""
        schemas = {"CSV": CSV_SCHEMA, "Parquet": PARQUET_SCHEMA}
        told = {
            "sourceBucket": self.of,
            "destinationBucket": f"arn:aws:s3:::{self.bucket}",
            "version": "2016-11-30",
            "creationTimestamp": str(round(began.timestamp() * 1000)),
            "fileFormat": kind,
            "fileSchema": schemas.get(kind, "struct<bucket:string>"),
            "files": files,
            **other,
        }
        body = json.dumps(told).encode()
        self.put(f"{folder}manifest.json", body)
        self.put(f"{folder}manifest.checksum", hashlib.md5(body, usedforsecurity=False).hexdigest().encode())

    def put(self, key: str, body: bytes) -> None:
        """One object."""
        self.client.put_object(Bucket=self.bucket, Key=key, Body=body)

    def _file(self, versions: Sequence[Version], began: datetime, kind: str, number: int) -> object:
        body = as_csv(self.of, versions) if kind == "CSV" else as_parquet(self.of, versions)
        end = "csv.gz" if kind == "CSV" else "parquet"
        key = f"{self.prefix}/data/{began:%Y%m%d%H%M}-{number}.{end}"
        self.put(key, body)
        return {"key": key, "size": len(body), "MD5checksum": hashlib.md5(body, usedforsecurity=False).hexdigest()}


def some_versions(number: int, start: datetime) -> list[Version]:
    """Versions of a few keys, with markers, null ids and names that are not plain."""
    keys = ("a b+c%.txt", "ä/ö.png", "plain", "z\n", "tab\t")
    found = []
    for each in range(number):
        marker = each % 7 == 3
        etag = "" if marker else f"{each:032x}"
        modified = start + timedelta(seconds=each, milliseconds=each)
        ident = NULL if each < len(keys) else f"id-{each}"
        latest = each >= number - len(keys)
        found.append(Version(keys[each % len(keys)], ident, 0 if marker else each, etag, modified, marker, latest))
    return found
