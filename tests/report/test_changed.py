"""Changes as people are told of them: objects in a line each, and of many only so many."""

from __future__ import annotations

from datetime import timedelta

from defib.plan import OBJECT_VENDOR, Change
from defib.ports import RecordChange, RecordKey, RecordSet
from defib.replication.objects import holding, object_key, restored
from defib.report.changed import SHOWN, blocks, few, targets

PURPOSE = "as it was at 2026-01-01T00:00:00Z"


def objects(*names: str, purpose: str = PURPOSE) -> Change:
    """A change of so many objects, each to hold what it held."""
    keys = [object_key(name, f"then-{name}") for name in names]
    records = tuple(RecordChange(holding(key, "now"), restored(key)) for key in keys)
    return Change(OBJECT_VENDOR, "assets as assets", records, purpose)


def dns() -> Change:
    """A change of two record sets."""
    key = RecordKey("www.example.org.", "CNAME")
    before, after = (RecordSet(key, timedelta(seconds=60), (value,)) for value in ("a.", "b."))
    return Change("route53", "Z1", (RecordChange(before, after), RecordChange(before, None)), "send users to b")


def test_objects_of_one_purpose_are_one_block() -> None:
    """However many changes they are cut into."""
    first, second = blocks([objects("a", "b"), objects("c"), objects("d", purpose="another")])
    assert (first.purpose, first.place) == (PURPOSE, "s3-objects/assets as assets")
    assert first.lines == (
        "a: version now → version then-a",
        "b: version now → version then-b",
        "c: version now → version then-c",
    )
    assert second.lines == ("d: version now → version then-d",)


def test_what_was_not_there_and_what_will_not_be() -> None:
    """Nothing is a word."""
    key, gone = object_key("a", "1"), object_key("b", "")
    records = (RecordChange(None, restored(key)), RecordChange(holding(gone, "2"), None))
    (block,) = blocks([Change(OBJECT_VENDOR, "assets as assets", records, PURPOSE)])
    assert block.lines == ("a: nothing → version 1", "b: version 2 → nothing")


def test_of_many_objects_only_so_many_are_told() -> None:
    """The number of the others, and where they are."""
    changes = [objects(*(f"{number:03}-{part}" for part in range(50))) for number in range(100)]
    (block,) = blocks(changes)
    assert len(block.lines) == SHOWN + 1
    assert block.lines[-1] == "… and 4960 more objects: --plan --json lists all"


def test_record_sets_are_told_as_ever() -> None:
    """From what, to what, all of them."""
    (block,) = blocks([dns()])
    assert block.lines[0].startswith("from www.example.org. CNAME 60s a.")
    assert block.lines[-1] == "to   nothing"
    assert len(block.records) == 2


def test_what_is_changed_in_short() -> None:
    """Of objects how many in which bucket."""
    assert targets([dns(), objects("a", "b"), objects("c")]) == [dns().target, "3 objects of assets as assets"]


def test_a_change_of_many_objects_is_called_by_the_first_and_the_last() -> None:
    """What is said each time that it is made is a line."""
    assert objects("a", "b", "c").target == "s3-objects/assets as assets/a to c (3 objects)"
    assert objects("a").names == "a"


def test_a_name_that_would_rewrite_the_terminal() -> None:
    """Whoever may upload may not write on the operator's screen."""
    (block,) = blocks([objects("a\x1b[2J\u202e\nb: nothing → nothing")])
    assert "\x1b" not in block.lines[0]
    assert "\u202e" not in block.lines[0]
    assert "\n" not in block.lines[0].partition(": version")[0]


def test_few() -> None:
    """The first ones, and how many more."""
    assert few(["a", "b", "c"], 2) == "a; b; and 1 more"
    assert few(["a"], 2) == "a"
