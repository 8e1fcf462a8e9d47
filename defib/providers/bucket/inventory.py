"""S3 Inventory: where its lists are, and whether what is there is what was written.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, TypeVar

from pydantic import BaseModel, Field, ValidationError

from defib.clock import Deadline
from defib.errors import NotFound, Unavailable
from defib.privilege.permission import Permission
from defib.providers.attempts import Attempts, Backoff
from defib.providers.aws import AwsAccess, Clients
from defib.providers.aws_errors import asked, code_of
from defib.providers.bucket.inventory_files import COLUMNS, FORMATS, OF_VERSIONS, columns_of
from defib.replication.inventory import Inventory, InventoryFile
from defib.replication.port import Version

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

T = TypeVar("T")

_REACH = timedelta(days=40)
"""Older lists are not looked for: S3 writes one a day, or one a week."""

_UNFINISHED = 3
"""So many of the newest may not have a manifest yet, which S3 writes last."""

_DATED = re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\dZ/")
_CHUNK = 1024 * 1024
_BACKOFF = Backoff(attempt=timedelta(minutes=10))
_BY_HAND = "look at https://health.aws.amazon.com/, or compare without inventories"
_TO_DO = "configure an inventory of all versions with Size, LastModifiedDate and ETag, as CSV or Parquet"


def permissions(bucket: str, prefix: str) -> tuple[Permission, ...]:
    """Finding the newest list below a prefix, and reading it."""
    lists = f"{prefix.rstrip('/')}/"
    return (
        Permission(("s3:ListBucket",), (f"arn:aws:s3:::{bucket}",)),
        Permission(("s3:GetObject",), (f"arn:aws:s3:::{bucket}/{lists}*",)),
    )


class _Part(BaseModel):
    key: str
    size: int
    md5: str = Field(alias="MD5checksum")


class _Manifest(BaseModel):
    source: str = Field(alias="sourceBucket")
    began: int = Field(alias="creationTimestamp")
    format: str = Field(alias="fileFormat")
    told: str = Field(alias="fileSchema")
    files: tuple[_Part, ...]


class S3Inventories:
    """Fulfils :class:`defib.replication.inventory.Inventories` for the bucket `of`.

    The lists are in `bucket` below `prefix`, which is what S3 calls destination prefix, source bucket and configuration id.
    Without `versions` only what keys hold now is read.
    """

    def __init__(
        self, of: str, bucket: str, prefix: str, access: AwsAccess, *, versions: bool = True, backoff: Backoff = _BACKOFF
    ) -> None:
        self._of, self._bucket, self._prefix, self._versions = of, bucket, f"{prefix.rstrip('/')}/", versions
        # It spreads retries, it keeps no secret.
        self._attempts = Attempts(random.Random(), backoff, _BY_HAND)  # noqa: S311
        self._clients: Clients[S3Client] = access.clients("s3")

    def newest(self, *, within: Deadline) -> Inventory:
        folders = self._folders(within)
        for folder in folders[:_UNFINISHED]:
            manifest = self._manifest(folder, within)
            if manifest is not None:
                return self._inventory(manifest, folder)
        where, seen = f"s3://{self._bucket}/{self._prefix}", f"{len(folders)} begun, none complete" if folders else "none"
        raise NotFound(f"there is no inventory of the last {_REACH.days} days", where=where, seen=seen, then=_TO_DO)

    def read(self, inventory: Inventory, *, within: Deadline) -> Iterator[Sequence[Version]]:
        if not inventory.files:
            return
        with ThreadPoolExecutor(1, thread_name_prefix="defib-inventory") as ahead:
            coming = ahead.submit(self._fetched, inventory.files[0], within)
            for number, each in enumerate(inventory.files):
                file = coming.result()
                if number + 1 < len(inventory.files):
                    coming = ahead.submit(self._fetched, inventory.files[number + 1], within)
                with file:
                    yield from self._versions_in(file, each, inventory, within)

    def _versions_in(
        self, file: IO[bytes], told: InventoryFile, inventory: Inventory, within: Deadline
    ) -> Iterator[list[Version]]:
        where = f"s3://{self._bucket}/{told.key}"
        for versions in FORMATS[inventory.format](file, inventory.columns, where, versions=self._versions):
            if within.expired():
                raise Unavailable("no time was left to read on", where=where)
            yield versions

    def _folders(self, within: Deadline) -> list[str]:
        """Those of the lists that were begun lately, newest first."""
        since = f"{self._prefix}{within.clock.now() - _REACH:%Y-%m-%d}"

        def ask(client: S3Client, _: Deadline) -> list[str]:
            told = client.list_objects_v2(Bucket=self._bucket, Prefix=self._prefix, Delimiter="/", StartAfter=since)
            return [each["Prefix"] for each in told.get("CommonPrefixes", ())]

        found = self._ask(ask, "ListObjectsV2", self._prefix, within)
        return sorted((each for each in found if _DATED.fullmatch(each.removeprefix(self._prefix))), reverse=True)

    def _manifest(self, folder: str, within: Deadline) -> _Manifest | None:
        """None where S3 is still writing the list."""
        told, checksum = (self._small(f"{folder}manifest.{each}", within) for each in ("json", "checksum"))
        if told is None or checksum is None:
            return None
        where = f"s3://{self._bucket}/{folder}manifest.json"
        if _md5(told) != checksum.decode("ascii", "replace").strip():
            raise Unavailable("the manifest of an inventory is not what its checksum says", where=where)
        try:
            return _Manifest.model_validate_json(told)
        except ValidationError as error:
            seen = f"{error.errors()[0]['loc']}: {error.errors()[0]['msg']}"
            raise NotFound("it is no manifest of an inventory", where=where, seen=seen) from error

    def _inventory(self, manifest: _Manifest, folder: str) -> Inventory:
        where, columns = f"s3://{self._bucket}/{folder}", columns_of(manifest.format, manifest.told)
        if manifest.source != self._of:
            raise NotFound("it is the inventory of another bucket", where=where, expected=self._of, seen=manifest.source)
        if manifest.format not in FORMATS:
            raise NotFound("an inventory of this format is not read", where=where, seen=manifest.format, then=_TO_DO)
        lacking = sorted((COLUMNS if self._versions else COLUMNS - OF_VERSIONS) - set(columns))
        if lacking:
            raise NotFound("the inventory lacks fields", where=where, expected=", ".join(lacking), then=_TO_DO)
        began = datetime.fromtimestamp(manifest.began / 1000, UTC)
        files = tuple(InventoryFile(each.key, each.size, each.md5) for each in manifest.files)
        return Inventory(where, began, manifest.format, columns, files)

    def _small(self, key: str, within: Deadline) -> bytes | None:
        def ask(client: S3Client, _: Deadline) -> bytes:
            return client.get_object(Bucket=self._bucket, Key=key)["Body"].read()

        try:
            return self._ask(ask, "GetObject", key, within)
        except NotFound as error:
            if code_of(error.__cause__) == "NoSuchKey":
                return None
            raise

    def _fetched(self, told: InventoryFile, within: Deadline) -> IO[bytes]:
        """A file of a list, checked, without a name on this machine."""
        return self._ask(lambda client, soon: self._fetch(client, told, soon), "GetObject", told.key, within)

    def _fetch(self, client: S3Client, told: InventoryFile, within: Deadline) -> IO[bytes]:
        where, hashed = f"s3://{self._bucket}/{told.key}", hashlib.md5(usedforsecurity=False)
        with ExitStack() as unless_whole:
            file = unless_whole.enter_context(TemporaryFile())
            for chunk in client.get_object(Bucket=self._bucket, Key=told.key)["Body"].iter_chunks(_CHUNK):
                if within.expired():
                    raise Unavailable("no time was left to read on", where=where)
                hashed.update(chunk)
                file.write(chunk)
            if (file.tell(), hashed.hexdigest()) != (told.size, told.md5):
                raise Unavailable("a file of an inventory is not what its manifest says", where=where, expected=told.md5)
            file.seek(0)
            unless_whole.pop_all()
            return file

    def _ask(self, work: Callable[[S3Client, Deadline], T], what: str, key: str, within: Deadline) -> T:
        where = f"s3://{self._bucket}/{key}"

        def once(soon: Deadline) -> T:
            return asked(lambda: work(self._clients.within(soon), soon), soon, what, where)

        return self._attempts.run(once, within)


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
