"""A pair compared by inventories instead of listings: as it was when the older of the two was begun.

Nothing is said of what was written later. Whatever differs is asked for at both sides, as it is today: what has come, or
gone, since then is no finding.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta

from defib.clock import Deadline
from defib.errors import InputError
from defib.replication.allowance import Allowance
from defib.replication.comparison import Comparer
from defib.replication.findings import Tally, total
from defib.replication.inventory import Inventories, Inventory
from defib.replication.pair import Pair
from defib.replication.port import Cursor
from defib.replication.rules import BucketSettings
from defib.replication.shelf import Shelf
from defib.replication.spotcheck import TURNS


@dataclass(frozen=True)
class AsOf:
    """What was found by inventories; `at` is the moment up to which it speaks of what was written."""

    tally: Tally
    at: datetime
    source: Inventory
    replica: Inventory


def compare_inventories(
    pair: Pair, settings: BucketSettings | None, allowance: Allowance, within: Deadline, turns: int = TURNS
) -> AsOf:
    """The newest inventories of both sides compared; raises what reading either of them raises.

    `settings` are those of the source, None where nobody may read them; :class:`InputError` where the pair has no
    inventories.
    """
    if pair.inventories is None:
        raise InputError(
            f"nobody says where the inventories of {pair.name} are", expected="inventory: in its part of the file"
        )
    source, replica = pair.inventories
    ours, theirs = source.newest(within=within), replica.newest(within=within)
    at = min(ours.began, theirs.began)
    with closing(Shelf(ours.where)) as here, closing(Shelf(theirs.where)) as there:
        with ThreadPoolExecutor(2, thread_name_prefix="defib-inventories") as pool:
            sides = (here, source, ours), (there, replica, theirs)
            for future in [pool.submit(_fill, shelf, side, each, at, pair, within) for shelf, side, each in sides]:
                future.result()
        comparer = Comparer(pair, settings, allowance, at, timedelta(0), turns, (here, there))
        parts = [Cursor(prefix, versions=not pair.config.unversioned) for prefix in _prefixes(pair)]
        return AsOf(total([comparer.range(part, within) for part in parts]), at, ours, theirs)


def _fill(shelf: Shelf, inventories: Inventories, inventory: Inventory, at: datetime, pair: Pair, within: Deadline) -> None:
    """Put into their order those versions of a list that it can be asked about."""
    prefixes = _prefixes(pair)
    for versions in inventories.read(inventory, within=within):
        shelf.put(each for each in versions if each.modified <= at and each.key.startswith(prefixes))


def _prefixes(pair: Pair) -> tuple[str, ...]:
    return pair.config.prefixes or ("",)
