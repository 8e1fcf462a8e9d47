"""Inventories of buckets in memory, as they were when they were taken."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import datetime

from defib.clock import Deadline
from defib.providers.bucket.memory import MemoryBucket
from defib.replication.inventory import Inventory
from defib.replication.listing import pages
from defib.replication.port import Cursor, Version


class Lists:
    """Fulfils :class:`defib.replication.inventory.Inventories` with one list, in no order and some versions at a time."""

    def __init__(self, bucket: MemoryBucket, began: datetime, within: Deadline, *, versions: bool = True) -> None:
        self._where, self._began = f"{bucket.where}, a list of it", began
        self._held = [each for page in pages(bucket, Cursor(versions=versions), within) for each in page.versions]
        random.Random(len(self._held)).shuffle(self._held)

    def newest(self, *, within: Deadline) -> Inventory:
        return Inventory(self._where, self._began, "CSV", (), ())

    def read(self, inventory: Inventory, *, within: Deadline) -> Iterator[Sequence[Version]]:
        for number in range(0, len(self._held), 7):
            yield self._held[number : number + 7]
