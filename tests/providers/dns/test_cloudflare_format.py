"""Cloudflare's records and record sets are two spellings of one thing: nothing is lost either way."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from defib.errors import NotFound
from defib.ports import RecordKey, RecordSet
from defib.providers.dns.cloudflare_format import HeldRecord, Wish, answers_as_written, record_set, wish_of, wishes_of
from defib.users.ways import Lead

KEY = RecordKey("www.example.test.", "A")
ADDRESSES = some.integers(1, 254).map(lambda last: f"192.0.2.{last}")
TEXT = some.text(some.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
TTLS = some.sampled_from([1, 60, 120, 300, 86_400])


@some.composite
def wishes(draw: some.DrawFn) -> Wish:
    """One record as it may stand at Cloudflare: what is proxied has an automatic TTL."""
    proxied = draw(some.booleans())
    return Wish(
        key=KEY,
        value=draw(ADDRESSES),
        ttl=1 if proxied else draw(TTLS),
        proxied=proxied,
        comment=draw(TEXT),
        tags=tuple(sorted(draw(some.lists(some.sampled_from(["a:1", "b:2", "ü:3,4"]), unique=True)))),
        settings=draw(some.sampled_from([(), (("ipv4_only", "true"),), (("ipv4_only", "true"), ("other", '{"x": 1}'))])),
    )


@given(some.lists(wishes(), min_size=1, max_size=4, unique_by=lambda wish: wish.value))
def test_every_record_survives_the_way_there_and_back(records: list[Wish]) -> None:
    """D19: whatever the records of a set hold, alike or not, is in the record set and comes out of it again."""
    made = record_set(records)
    assert made is not None
    assert wishes_of(made, "test") == tuple(sorted(records, key=lambda wish: wish.value))


@given(
    some.lists(wishes(), min_size=1, max_size=4, unique_by=lambda wish: wish.value),
    some.lists(some.integers(1, 254).map(lambda last: f"198.51.100.{last}"), min_size=1, max_size=5, unique=True),
)
def test_another_place_with_more_or_fewer_addresses_can_be_written(records: list[Wish], addresses: list[str]) -> None:
    """D19: whatever each record says of itself, the plan to another place is one that Cloudflare can hold, not refused late.

    What all records say, all say afterwards.
    """
    before = record_set(records)
    assert before is not None
    after = Lead(KEY, tuple(sorted(addresses)), timedelta(seconds=60)).put_into(before)
    assert after is not None
    made = wishes_of(after, "test")
    assert {wish.value for wish in made} == set(addresses)
    assert {wish.comment for wish in made} <= {wish.comment for wish in records}
    assert {wish.ttl for wish in made} <= {wish.ttl for wish in records}


@given(wishes(), wishes())
def test_a_patch_turns_one_record_into_the_other(before: Wish, after: Wish) -> None:
    """D16: the fields that differ, laid over a record that stands, make the wanted one, settings that are off included."""
    fields = before.fields() | after.difference(before)
    settings = {name: value for name, value in dict(fields.pop("settings")).items() if value}  # type: ignore[call-overload]
    wanted = after.fields()
    assert (settings, fields) == (wanted.pop("settings"), wanted)


def listed(kind: str, content: str, **more: object) -> HeldRecord:
    """One record as the API lists it."""
    plain = {"id": "1", "name": "WWW.example.test", "type": kind, "content": content, "ttl": 300} | more
    return HeldRecord.model_validate_json(json.dumps(plain))


@pytest.mark.parametrize(
    ("held", "value"),
    [
        (listed("CNAME", "A.example.net"), "a.example.net."),
        (listed("NS", "ns1.example.net"), "ns1.example.net."),
        (listed("MX", "mx.example.net", priority=10), "10 mx.example.net."),
        (listed("AAAA", "2001:DB8:0::1"), "2001:db8::1"),
        (listed("TXT", '"a b" "c"'), '"a b" "c"'),
        (listed("TXT", 'v=spf1 "-all" \\'), '"v=spf1 \\"-all\\" \\\\"'),
        (listed("TXT", "x" * 300), f'"{"x" * 255}" "{"x" * 45}"'),
        (listed("TXT", ""), '""'),
        (listed("CAA", '0 issue "ca.test"'), '0 issue "ca.test"'),
        (listed("SRV", "10 5 443 a.example.net"), "10 5 443 a.example.net."),
    ],
)
def test_values_read_in_presentation_format(held: HeldRecord, value: str) -> None:
    """Host names are fully qualified, preferences stand before their host, text is quoted as in a zone file."""
    assert wish_of(held).value == value


def test_national_letters_are_read_as_dns_has_them() -> None:
    """A name or target that is shown in its own letters is the one that site files and name servers spell in ASCII."""
    held = HeldRecord(id="1", name="bücher.example.test", type="CNAME", content="bücher.example.net", ttl=60)
    assert held.key == RecordKey("xn--bcher-kva.example.test.", "CNAME")
    assert wish_of(held).value == "xn--bcher-kva.example.net."
    assert listed("A", "192.0.2.1", name=f"{'ü' * 70}.example.test").key.name.startswith("ü")


def test_nothing_that_is_not_set_becomes_an_attribute() -> None:
    """Empty comments, tags and settings that are off or unknown to a plan are the same as none."""
    bare = record_set([wish_of(listed("A", "192.0.2.1"))])
    empty = listed("A", "192.0.2.1", comment="", tags=[], settings={"ipv4_only": False, "other": None})
    assert record_set([wish_of(empty)]) == bare
    assert bare == RecordSet(KEY, timedelta(seconds=300), ("192.0.2.1",))
    assert record_set([]) is None


def test_bodies_hold_what_the_api_takes() -> None:
    """A new record names no comment, tags or settings it does not have, and only what can be proxied says so."""
    (alias,) = wishes_of(RecordSet(RecordKey("www.example.test.", "CNAME"), timedelta(seconds=60), ("a.test.",)), "test")
    assert alias.whole() == {"name": "www.example.test", "type": "CNAME", "content": "a.test", "ttl": 60, "proxied": False}
    (mail,) = wishes_of(RecordSet(RecordKey("example.test.", "MX"), timedelta(seconds=60), ("0 mx.test.",)), "test")
    assert mail.whole() == {"name": "example.test", "type": "MX", "content": "mx.test", "priority": 0, "ttl": 60}
    (caa,) = wishes_of(RecordSet(RecordKey("example.test.", "CAA"), timedelta(seconds=60), ('0 issue "ca.test"',)), "test")
    assert caa.whole()["data"] == {"flags": 0, "tag": "issue", "value": "ca.test"}


@pytest.mark.parametrize(
    ("record", "told"),
    [
        (RecordSet(RecordKey("www.example.test.", "CNAME"), timedelta(seconds=60), ("a.test.",)), True),
        (RecordSet(RecordKey("Example.test", "A"), timedelta(seconds=60), ("192.0.2.1",)), True),
        (RecordSet(RecordKey("Example.test", "CNAME"), timedelta(seconds=60), ("a.test.",)), False),
        (RecordSet(KEY, timedelta(seconds=300), ("192.0.2.1",), (("proxied.2", "true"),)), False),
        (RecordSet(RecordKey("www.example.test.", "CNAME"), timedelta(0), (), (("settings.flatten_cname", "true"),)), False),
    ],
)
def test_what_name_servers_do_not_show_is_known(record: RecordSet, told: bool) -> None:
    """D3, D5: proxied and flattened sets answer with addresses, so nobody waits for their values to appear."""
    assert answers_as_written(record, "example.test.") is told


def test_attributes_of_another_vendor_are_refused() -> None:
    """A weight means nothing at Cloudflare, and is not dropped in silence."""
    weighted = RecordSet(KEY, timedelta(seconds=60), ("192.0.2.1",), (("Weight", "1"),))
    with pytest.raises(NotFound) as caught:
        wishes_of(weighted, "test")
    assert "Weight" in caught.value.seen
