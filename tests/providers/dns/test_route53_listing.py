"""What a page of Route 53's list is taken to say is what the zone holds, whichever way its order is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from defib.clock import Deadline, SystemClock
from defib.lab.alone import RunningAws, serve_aws
from defib.ports import RecordKey, RecordSet
from defib.providers.aws import AwsAccess
from defib.providers.dns.records import canonical
from defib.providers.dns.route53 import Route53
from defib.providers.dns.route53_format import to_route53
from defib.providers.dns.route53_listing import Page, in_order

if TYPE_CHECKING:
    from mypy_boto3_route53.type_defs import ResourceRecordSetOutputTypeDef

ZONE = "order.test."
TTL = timedelta(seconds=60)
TYPES = ("A", "AAAA", "TXT")

Order = Callable[[str], object]


def labels_reversed(name: str) -> list[str]:
    """The labels from the right, without the root."""
    return name.removesuffix(".").split(".")[::-1]


ORDERS: dict[str, Order] = {
    "with the final dot": lambda name: ".".join(labels_reversed(name)) + ".",
    "without it": lambda name: ".".join(labels_reversed(name)),
    "label by label": labels_reversed,
    "escaped": lambda name: ".".join(labels_reversed(name)).replace("*", "\\052"),
    "odd ones last": lambda name: ".".join(labels_reversed(name)).replace("*", "~").replace("_", "\x7f"),
}

labels = st.text("a-0_b", min_size=1, max_size=3)
names = st.lists(st.one_of(labels, st.just("*")), max_size=2).map(lambda parts: ".".join([*parts, ZONE]))
keys = st.builds(RecordKey, names, st.sampled_from(TYPES))


def held(key: RecordKey) -> RecordSet:
    """Some record set under `key`."""
    values = {"A": "192.0.2.1", "AAAA": "2001:db8::1", "TXT": '"text"'}
    return RecordSet(key, TTL, (values[key.type],))


def page_of(zone: set[RecordKey], start: str, size: int, order: Order, types: list[str]) -> Page:
    """The page that a Route 53 with that order of names and types would give."""
    listed = sorted(zone, key=lambda key: (order(key.name), types.index(key.type)))
    rest = [key for key in listed if order(key.name) >= order(start)]  # type: ignore[operator]
    sets = tuple(cast("ResourceRecordSetOutputTypeDef", to_route53(held(key))) for key in rest[:size])
    return Page(start, sets, rest[size].name if len(rest) > size else "")


@given(
    zone=st.sets(keys, max_size=30),
    wanted=st.sets(keys, min_size=1, max_size=12),
    size=st.integers(1, 12),
    order=st.sampled_from(sorted(ORDERS)),
    types=st.permutations(TYPES),
)
def test_a_page_decides_nothing_wrongly(
    zone: set[RecordKey], wanted: set[RecordKey], size: int, order: str, types: list[str]
) -> None:
    """Whatever way Route 53 orders names and types, what a page is taken to say of a key is so."""
    start = min(wanted, key=in_order).name
    answered = page_of(zone, start, size, ORDERS[order], types).answered(wanted)
    for key, found in answered.items():
        assert (key in zone) == (found is not None)


@given(zone=st.sets(keys, max_size=30), wanted=st.sets(keys, min_size=1, max_size=12))
def test_a_page_with_the_whole_zone_decides_every_plain_name(zone: set[RecordKey], wanted: set[RecordKey]) -> None:
    """Where the zone ends on the page, names of letters and digits are all decided: one call is enough."""
    plain = {key for key in wanted if not set("-_*") & set(key.name)}
    start = min(plain, key=in_order, default=RecordKey(ZONE, "A")).name
    answered = page_of(zone, start, 1_000, ORDERS["with the final dot"], list(TYPES)).answered(plain)
    assert plain == set(answered)


@pytest.fixture(scope="module")
def large() -> Iterator[tuple[RunningAws, tuple[RecordSet, ...]]]:
    """The lab's Route 53 with a zone of some seven hundred record sets, odd names and weighted sets among them."""
    named = [RecordKey(f"{'ab'[n % 2]}{n:03}{('', '-x', '_y')[n % 3]}.{ZONE}", TYPES[n % 3]) for n in range(330)]
    odd = [RecordKey(f"{name}.{ZONE}", kind) for name in ("*", "*.a", "_dmarc", "a-", "a-b.c", "-") for kind in TYPES]
    weights = [
        RecordSet(RecordKey(f"many.{ZONE}", kind, f"set-{n:02}"), TTL, (value,), (("Weight", "1"),))
        for kind, value in (("A", "192.0.2.1"), ("AAAA", "2001:db8::1"), ("TXT", '"text"'), ("CAA", '0 issue "ca.test"'))
        for n in range(80)
    ]
    sets = (*map(held, (*named, *odd)), *weights)
    with serve_aws() as aws:

        async def add() -> None:
            aws.aws.route53.add_zone("ZORDER", ZONE, sets)

        aws.loop.run(add())
        yield aws, tuple(map(canonical, sets))


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_reading_gives_what_the_zone_holds(data: st.DataObject, large: tuple[RunningAws, tuple[RecordSet, ...]]) -> None:
    """Any keys, near or far, present or absent, read as they stand, in the order in which they were asked for."""
    aws, sets = large
    by_key = {each.key: each for each in sets}
    known = st.sampled_from(sorted(by_key))
    wanted = data.draw(st.lists(st.one_of(known, keys), max_size=12))
    endpoint = AwsAccess(endpoint=aws.endpoint, access_key=aws.credentials.access_key, secret_key=aws.credentials.secret_key)
    soon = Deadline.after(SystemClock(), timedelta(seconds=30))
    assert Route53("ZORDER", endpoint).read(wanted, within=soon) == tuple(by_key.get(key) for key in wanted)
