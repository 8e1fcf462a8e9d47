"""The inventories of a bucket: lists of all that it holds, which S3 writes once a day or once a week.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory.html. A list is no snapshot: what was written or
deleted after it was begun may be on it or not, and so may what was shortly before. It is in no order that anybody promises,
and some are in none (https://github.com/treeverse/lakeFS/issues/1952).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from defib.clock import Deadline
from defib.replication.port import Version


@dataclass(frozen=True)
class InventoryFile:
    """A part of a list, in the bucket that S3 wrote it into; `md5` is in hexadecimal."""

    key: str
    size: int
    md5: str


@dataclass(frozen=True)
class Inventory:
    """One list. `began` is when S3 began to look through the bucket, and `where` is where the list is."""

    where: str
    began: datetime
    format: str
    columns: tuple[str, ...]
    files: tuple[InventoryFile, ...]


class Inventories(Protocol):
    """Reads the inventories of one bucket."""

    def newest(self, *, within: Deadline) -> Inventory:
        """The newest list that is complete. :class:`NotFound` where there is none, or it lacks a field. Idempotent."""
        ...

    def read(self, inventory: Inventory, *, within: Deadline) -> Iterator[Sequence[Version]]:
        """All that is on a list, some versions at a time, in any order.

        :class:`Unavailable` where a file is not what the list says of it, after it was asked for again.
        """
        ...
