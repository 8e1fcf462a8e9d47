"""A pair compared by inventories: what differed then and does now, and nothing of what is younger."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings

from defib.clock import Deadline
from defib.errors import InputError, Unavailable
from defib.replication.allowance import Allowance
from defib.replication.asof import AsOf, compare_inventories
from defib.replication.findings import Finding, Kind
from defib.replication.inventory import Inventory
from defib.replication.port import Status
from tests.replication.buckets import Buckets
from tests.replication.edits import EDITS, edited
from tests.replication.lists import Lists


def taken(buckets: Buckets, *, replica_later: timedelta = timedelta(0)) -> tuple[Lists, Lists]:
    """Lists of both sides as they are now; the one of the replica is begun so much later."""
    now, versions = buckets.clock.now(), not buckets.config.unversioned
    source = Lists(buckets.source, now, buckets.within, versions=versions)
    return source, Lists(buckets.replica, now + replica_later, buckets.within, versions=versions)


def compared(buckets: Buckets, lists: tuple[Lists, Lists]) -> AsOf:
    """What they tell now."""
    allowance = Allowance(buckets.config.ask_at_most, buckets.config.read_at_most)
    pair = replace(buckets.pair, inventories=lists)
    return compare_inventories(pair, buckets.source.settings(within=buckets.within), allowance, buckets.within)


def told(found: list[Finding]) -> set[tuple[Kind, str, str]]:
    """Of findings, what does not depend on when it was found."""
    return {(each.kind, each.key, each.version) for each in found}


@settings(max_examples=100, deadline=None)
@given(edits=EDITS)
def test_lists_of_today_tell_what_listings_tell(
    tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[str, str]]
) -> None:
    """Whatever was done to both sides, and in whatever order the lists are."""
    buckets = edited(Buckets(tmp_path_factory.mktemp("pair")), edits)
    buckets.clock.sleep(timedelta(hours=1))
    listed, found = buckets.compare(), compared(buckets, taken(buckets)).tally
    assert told(found.findings) == told(listed.findings)
    assert (found.source, found.replica, found.same, found.size) == (
        listed.source,
        listed.replica,
        listed.same,
        listed.size,
    )


def test_what_was_lost_is_found(buckets: Buckets) -> None:
    """As of the moment at which the older list was begun, and with both of them named."""
    buckets.written("kept")
    buckets.write("lost", status=Status.COMPLETED)
    buckets.clock.sleep(timedelta(hours=3))
    lists, at = taken(buckets, replica_later=timedelta(minutes=20)), buckets.clock.now()
    buckets.clock.sleep(timedelta(hours=20))
    found = compared(buckets, lists)
    assert (found.at, found.source.began, found.replica.began) == (at, at, at + timedelta(minutes=20))
    assert [(each.kind, each.key) for each in found.tally.findings] == [(Kind.MISSING, "lost")]
    assert (found.tally.source, found.tally.same) == (2, 1)


def test_what_was_written_while_the_lists_were_made_is_not_judged(buckets: Buckets) -> None:
    """It may be on one of them, and not on the other."""
    buckets.clock.sleep(timedelta(hours=1))
    source = Lists(buckets.source, buckets.clock.now(), buckets.within)
    buckets.clock.sleep(timedelta(minutes=5))
    buckets.written("later")
    replica = Lists(buckets.replica, buckets.clock.now(), buckets.within)
    assert compared(buckets, (source, replica)).tally.counts == {}


def test_what_has_arrived_since_is_no_finding(buckets: Buckets) -> None:
    """A version that was on its way when the lists were made is asked for where it is today."""
    version = buckets.write("slow")
    buckets.clock.sleep(timedelta(minutes=1))
    lists = taken(buckets)
    buckets.replicate("slow", version)
    assert compared(buckets, lists).tally.counts == {}


def test_what_is_gone_since_is_no_finding(buckets: Buckets) -> None:
    """A lifecycle removes it on both sides, and the lists still have it on one."""
    version = buckets.write("old")
    buckets.clock.sleep(timedelta(minutes=1))
    lists = taken(buckets)
    buckets.source.remove("old", version, within=buckets.within)
    assert compared(buckets, lists).tally.counts == {}


def test_a_list_that_lags_behind(buckets: Buckets) -> None:
    """The source's list may lack what was written shortly before it was begun: the replica's is no extra then."""
    buckets.clock.sleep(timedelta(hours=1))
    source = Lists(buckets.source, buckets.clock.now() + timedelta(minutes=1), buckets.within)
    buckets.written("just before")
    buckets.clock.sleep(timedelta(minutes=2))
    replica = Lists(buckets.replica, buckets.clock.now(), buckets.within)
    assert compared(buckets, (source, replica)).tally.counts == {}


def test_prefixes_and_keys_without_versions(buckets: Buckets) -> None:
    """What the site file says of the pair counts here as well."""
    buckets.configure(prefixes=("a/", "c/"), unversioned=True)
    for key in ("a/lost", "b/lost", "c/lost"):
        buckets.write(key, status=Status.COMPLETED)
    buckets.written("c/kept")
    buckets.clock.sleep(timedelta(hours=1))
    found = compared(buckets, taken(buckets)).tally
    assert {(each.kind, each.key) for each in found.findings} == {(Kind.MISSING, "a/lost"), (Kind.MISSING, "c/lost")}
    assert (found.source, found.replica) == (3, 1)


def test_a_pair_without_inventories(buckets: Buckets) -> None:
    """It is said what is missing, and where."""
    with pytest.raises(InputError, match="where the inventories of assets are") as caught:
        compare_inventories(buckets.pair, None, Allowance(9, 9), buckets.within)
    assert caught.value.expected == "inventory: in its part of the file"


def test_a_list_that_cannot_be_read(buckets: Buckets) -> None:
    """No half of a list is compared."""
    buckets.written("a")
    source, replica = taken(buckets)

    def broken(_: Inventory, *, within: Deadline) -> None:
        raise Unavailable("a file of an inventory is not what its manifest says", where="s3://lists")

    replica.read = broken  # type: ignore[assignment,method-assign]
    with pytest.raises(Unavailable, match="not what its manifest says"):
        compared(buckets, (source, replica))
