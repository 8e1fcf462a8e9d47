"""What keys of a bucket hold, as a plan changes it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from defib.errors import ForeignChange, HomeUnwritable
from defib.plan import OBJECT_VENDOR, Change
from defib.ports import RecordChange, RecordKey, RecordSet
from defib.replication.allowance import Allowance
from defib.replication.made import Made
from defib.replication.objectplans import TOGETHER, changes_to, keys_of
from defib.replication.objects import ObjectsZone, holding, object_key, restored
from defib.replication.port import Cursor
from defib.replication.sameness import Sameness
from tests.replication.buckets import Buckets


@pytest.fixture
def zone(buckets: Buckets) -> ObjectsZone:
    """The replica, which is to hold what the source has."""
    pair = buckets.pair
    return pair.zone(pair.replica, pair.source)


def change(buckets: Buckets, zone: ObjectsZone, *keys: RecordKey) -> Change:
    """The one change that brings these objects to what is wanted."""
    (made,) = changes_to(zone, keys, "test", buckets.within)
    return made


def ids(buckets: Buckets, key: str) -> list[str]:
    """Every version that the replica has of a key, newest first."""
    return [each.id for each in buckets.replica.page(Cursor(key), within=buckets.within).versions if each.key == key]


def test_a_missing_object_is_copied_and_taken_back(buckets: Buckets, zone: ObjectsZone) -> None:
    """From nothing to the wanted version, and to nothing again."""
    wanted = object_key("a", buckets.write("a"))
    made = change(buckets, zone, wanted)
    assert made.records == (RecordChange(None, restored(wanted)),)
    zone.replace(made.records, within=buckets.within)
    assert zone.read([wanted], within=buckets.within) == made.after
    zone.replace(made.reversed().records, within=buckets.within)
    assert zone.read([wanted], within=buckets.within) == (None,)
    assert ids(buckets, "a") == []


def test_a_damaged_object_is_covered_and_uncovered(buckets: Buckets, zone: ObjectsZone) -> None:
    """The damaged version stays below the new one, and is what is held again after it is taken back."""
    version = buckets.write("a", b"content")
    buckets.replicate("a", version, b"c0ntent")
    wanted = object_key("a", version)
    made = change(buckets, zone, wanted)
    assert made.before == (holding(wanted, version),)
    zone.replace(made.records, within=buckets.within)
    assert buckets.replica.must("a", "").content == b"content"
    zone.replace(made.reversed().records, within=buckets.within)
    assert ids(buckets, "a") == [version]


def test_an_object_that_is_to_be_gone_gets_a_marker(buckets: Buckets, zone: ObjectsZone) -> None:
    """Its versions stay, and without the marker it is there again."""
    version = buckets.replica.put("a", b"content", within=buckets.within)
    wanted = object_key("a", "")
    made = change(buckets, zone, wanted)
    assert (made.before, made.after) == ((holding(wanted, version),), (None,))
    zone.replace(made.records, within=buckets.within)
    assert zone.read([wanted], within=buckets.within) == (None,)
    zone.replace(made.reversed().records, within=buckets.within)
    assert ids(buckets, "a") == [version]


def test_what_is_as_wanted_is_not_planned(buckets: Buckets, zone: ObjectsZone) -> None:
    """Whatever its id: the bytes, headers and tags count."""
    version = buckets.write("a")
    buckets.copy_again("a", version)
    assert changes_to(zone, [object_key("a", version)], "test", buckets.within) == ()


def test_other_headers_are_not_as_wanted(buckets: Buckets, zone: ObjectsZone) -> None:
    """An object that is served otherwise is another."""
    version = buckets.written("a")
    buckets.source.change("a", version, headers={"Content-Type": "text/css"})
    assert len(changes_to(zone, [object_key("a", version)], "test", buckets.within)) == 1


def test_somebody_elses_version_is_left_alone(buckets: Buckets, zone: ObjectsZone) -> None:
    """What holds neither what was there nor what is wanted, was changed by others."""
    wanted = object_key("a", buckets.write("a"))
    made = change(buckets, zone, wanted)
    theirs = buckets.replica.put("a", b"theirs", within=buckets.within)
    with pytest.raises(ForeignChange, match="somebody else"):
        zone.replace(made.records, within=buckets.within)
    assert ids(buckets, "a") == [theirs]


def test_nothing_of_others_is_taken_back(buckets: Buckets, zone: ObjectsZone) -> None:
    """Who wrote after us keeps what they wrote."""
    wanted = object_key("a", buckets.write("a"))
    made = change(buckets, zone, wanted)
    zone.replace(made.records, within=buckets.within)
    theirs = buckets.replica.put("a", b"theirs", within=buckets.within)
    with pytest.raises(ForeignChange):
        zone.replace(made.reversed().records, within=buckets.within)
    assert ids(buckets, "a")[0] == theirs


class TestWhoseItIs:
    """Delete markers are all alike, and so are copies of the same bytes: what S3 called them tells whose they are."""

    def deleted(self, buckets: Buckets, zone: ObjectsZone) -> tuple[Change, str]:
        """An object that was deleted by a change, and the version that it held."""
        version = buckets.replica.put("a", b"content", within=buckets.within)
        made = change(buckets, zone, object_key("a", ""))
        zone.replace(made.records, within=buckets.within)
        return made, version

    def test_a_marker_above_ours(self, buckets: Buckets, zone: ObjectsZone) -> None:
        """Somebody deleted it as well: it is refused by the marker's name, and nothing is removed."""
        made, version = self.deleted(buckets, zone)
        ours = ids(buckets, "a")[0]
        theirs = buckets.replica.mark_deleted("a", within=buckets.within)
        with pytest.raises(ForeignChange) as refused:
            zone.replace(made.reversed().records, within=buckets.within)
        assert refused.value.seen == f"marker {theirs}"
        assert ids(buckets, "a") == [theirs, ours, version]

    def test_a_marker_in_the_place_of_ours(self, buckets: Buckets, zone: ObjectsZone) -> None:
        """Deleted by others before we came to it: their deletion is not ours to take back."""
        version = buckets.replica.put("a", b"content", within=buckets.within)
        made = change(buckets, zone, object_key("a", ""))
        theirs = buckets.replica.mark_deleted("a", within=buckets.within)
        zone.replace(made.records, within=buckets.within)
        with pytest.raises(ForeignChange):
            zone.replace(made.reversed().records, within=buckets.within)
        assert ids(buckets, "a") == [theirs, version]

    def test_the_same_bytes_uploaded_by_others(self, buckets: Buckets, zone: ObjectsZone) -> None:
        """A deploy that runs beside the rollback keeps what it uploaded."""
        version = buckets.write("a")
        made = change(buckets, zone, object_key("a", version))
        zone.replace(made.records, within=buckets.within)
        ours = ids(buckets, "a")
        theirs = buckets.copy_again("a", version)
        with pytest.raises(ForeignChange):
            zone.replace(made.reversed().records, within=buckets.within)
        assert ids(buckets, "a") == [theirs, *ours]

    def test_others_do_not_keep_the_rest_from_being_taken_back(self, buckets: Buckets, zone: ObjectsZone) -> None:
        """Of a change of three objects two are put back, and the third is named."""
        versions = {key: buckets.replica.put(key, b"content", within=buckets.within) for key in "abc"}
        made = change(buckets, zone, *(object_key(key, "") for key in versions))
        zone.replace(made.records, within=buckets.within)
        buckets.replica.mark_deleted("b", within=buckets.within)
        with pytest.raises(ForeignChange, match="somebody else changed b"):
            zone.replace(made.reversed().records, within=buckets.within)
        assert [ids(buckets, key) for key in "ac"] == [[versions["a"]], [versions["c"]]]

    @pytest.mark.parametrize("torn", [False, True])
    def test_it_is_known_after_a_kill(self, buckets: Buckets, torn: bool) -> None:
        """What was told is on the disk; of the write whose answer was never told one version may be ours, and no more."""
        path = buckets.folder / "made-assets.jsonl"
        made, version = self.deleted(buckets, zone_of_a_run(buckets, path))
        if torn:
            path.write_bytes(path.read_bytes()[:-5])
        again = zone_of_a_run(buckets, path)
        theirs = buckets.replica.mark_deleted("a", within=buckets.within)
        with pytest.raises(ForeignChange):
            again.replace(made.reversed().records, within=buckets.within)
        buckets.replica.remove("a", theirs, within=buckets.within)
        again.replace(made.reversed().records, within=buckets.within)
        assert ids(buckets, "a") == [version]

    def test_what_cannot_be_written_down_is_not_done(self, buckets: Buckets) -> None:
        """Or nobody could take it back."""
        version = buckets.replica.put("a", b"content", within=buckets.within)
        zone = zone_of_a_run(buckets, buckets.folder / "no such folder" / "made-assets.jsonl")
        made = change(buckets, zone, object_key("a", ""))
        with pytest.raises(HomeUnwritable):
            zone.replace(made.records, within=buckets.within)
        assert ids(buckets, "a") == [version]


def zone_of_a_run(buckets: Buckets, path: Path) -> ObjectsZone:
    """The same zone, of a process that keeps what it makes in `path`."""
    pair, made = buckets.pair, Made()
    made.keep_in(path)
    return ObjectsZone(
        buckets.replica, buckets.source, Sameness(pair.source, pair.replica, Allowance(1000, 1000), pair.proofs), made
    )


def test_many_objects_are_a_few_changes(buckets: Buckets, zone: ObjectsZone) -> None:
    """Each is written down before it is made, and small enough to be put back in its turn."""
    wanted = [object_key(f"{number:04}", buckets.write(f"{number:04}")) for number in range(2 * TOGETHER + 1)]
    made = changes_to(zone, wanted, "test", buckets.within)
    assert [len(each.records) for each in made] == [TOGETHER, TOGETHER, 1]
    assert keys_of(made) == tuple(wanted)
    assert {each.vendor for each in made} == {OBJECT_VENDOR}
    assert all(each.piecemeal for each in made)


def test_the_wanted_version_stands_in_the_plan() -> None:
    """So that an approval is given to exactly this version of this object."""
    assert str(object_key("a", "v1")) == "a OBJECT (v1)"
    assert restored(object_key("a", "v1")) == RecordSet(object_key("a", "v1"), timedelta(0), ("as v1",))


def test_what_was_replicated_late_is_not_taken_back(buckets: Buckets, zone: ObjectsZone) -> None:
    """A version that has the id of the wanted one came by replication, after it was copied: it is not what the copy made."""
    version = buckets.write("a")
    made = change(buckets, zone, object_key("a", version))
    buckets.clock.sleep(timedelta(seconds=1))
    zone.replace(made.records, within=buckets.within)
    buckets.replicate("a", version)
    with pytest.raises(ForeignChange):
        zone.replace(made.reversed().records, within=buckets.within)
    assert version in ids(buckets, "a")
