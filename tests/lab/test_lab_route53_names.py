"""What Route 53's name servers in the lab answer: aliases, weights and failover, as health checks leave them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

import pytest

from defib.lab.dns.zone import PublishedSet, compile_zone
from defib.lab.route53_names import published
from defib.ports import RecordKey, RecordSet

ZONE = "example.test."
APEX = (
    RecordSet(RecordKey(ZONE, "SOA"), timedelta(seconds=900), ("ns-1.test. hostmaster.test. 1 7200 900 1209600 60",)),
    RecordSet(RecordKey(ZONE, "NS"), timedelta(hours=1), ("ns-1.test.",)),
)


def a(name: str, address: str, identifier: str = "", **attributes: str) -> RecordSet:
    """One A record set; an empty address makes an alias."""
    pairs = tuple(sorted((key.replace("Alias", "AliasTarget."), value) for key, value in attributes.items()))
    values = (address,) if address else ()
    return RecordSet(RecordKey(f"{name}.{ZONE}", "A", identifier), timedelta(seconds=30), values, pairs)


def answered(*sets: RecordSet, unhealthy: Collection[str] = (), name: str = "www") -> list[PublishedSet]:
    """The sets that a name server may answer for `name`."""
    zone = published(
        ZONE,
        (*APEX, *sets),
        hosts={"d1.cloudfront.net": "203.0.113.9"},
        hosts_ttl=timedelta(seconds=60),
        unhealthy=unhealthy,
    )
    compile_zone(zone)
    return list(zone.find(f"{name}.{ZONE}", "A"))


def addresses(*sets: RecordSet, unhealthy: Collection[str] = ()) -> list[str]:
    """The addresses that may be answered for www."""
    return sorted(value for each in answered(*sets, unhealthy=unhealthy) for value in each.values)


PAIR = (
    a("www", "192.0.2.1", "one", Failover="PRIMARY", HealthCheckId="hc-1"),
    a("www", "192.0.2.2", "two", Failover="SECONDARY", HealthCheckId="hc-2"),
)


@pytest.mark.parametrize(
    ("unhealthy", "expected"),
    [((), "192.0.2.1"), (("hc-1",), "192.0.2.2"), (("hc-2",), "192.0.2.1"), (("hc-1", "hc-2"), "192.0.2.1")],
)
def test_failover_answers_the_primary_while_it_is_healthy(unhealthy: Collection[str], expected: str) -> None:
    """The secondary answers only while it is healthy and the primary is not."""
    assert addresses(*PAIR, unhealthy=unhealthy) == [expected]


def test_alias_answers_its_target_and_its_ttl() -> None:
    """D3: an alias to another vendor's name, or to a name of the zone, has that one's address and TTL."""
    outside = answered(a("www", "", AliasDNSName="D1.cloudfront.net"))
    assert [(each.values, each.ttl) for each in outside] == [(("203.0.113.9",), timedelta(seconds=60))]
    inside = answered(a("www", "", AliasDNSName=f"web.{ZONE}"), a("web", "192.0.2.7"))
    assert [(each.values, each.ttl) for each in inside] == [(("192.0.2.7",), timedelta(seconds=30))]
    assert answered(a("www", "", AliasDNSName="nobody.example.net")) == []


def test_alias_that_evaluates_its_target_fails_with_it() -> None:
    """A primary that is an alias counts as unhealthy when its target is, if it is to look at that."""
    target = a("web", "192.0.2.7", "web", Weight="10", HealthCheckId="hc-1")
    spare = a("www", "192.0.2.2", "two", Failover="SECONDARY")
    for evaluate, expected in (("true", ["192.0.2.2"]), ("false", ["192.0.2.7"])):
        primary = a("www", "", "one", Failover="PRIMARY", AliasDNSName=f"web.{ZONE}", AliasEvaluateTargetHealth=evaluate)
        assert addresses(primary, spare, target, unhealthy=("hc-1",)) == expected


def test_weights_are_drawn_among_the_healthy() -> None:
    """An unhealthy set is not answered; one of weight zero only when all others are unhealthy; all, when all are."""
    blue = a("www", "192.0.2.1", "blue", Weight="100", HealthCheckId="hc-1")
    green = a("www", "192.0.2.2", "green", Weight="100", HealthCheckId="hc-2")
    spare = a("www", "192.0.2.3", "spare", Weight="0")
    drawn = {each.values[0]: each.weight for each in answered(blue, green, spare)}
    assert drawn == {"192.0.2.1": 100, "192.0.2.2": 100, "192.0.2.3": 0}
    assert addresses(blue, green, unhealthy=("hc-1",)) == ["192.0.2.2"]
    assert addresses(blue, green, spare, unhealthy=("hc-1", "hc-2")) == ["192.0.2.3"]
    assert addresses(blue, green, unhealthy=("hc-1", "hc-2")) == ["192.0.2.1", "192.0.2.2"]


def test_multivalue_answers_all_that_are_healthy() -> None:
    """Sets of multivalue answers are one answer, without those that are unhealthy."""
    sets = [
        a("www", f"192.0.2.{each}", str(each), MultiValueAnswer="true", HealthCheckId=f"hc-{each}") for each in (1, 2, 3)
    ]
    assert addresses(*sets, unhealthy=("hc-2",)) == ["192.0.2.1", "192.0.2.3"]


def test_alias_loops_end() -> None:
    """Aliases that point at each other have no answer."""
    assert answered(a("www", "", AliasDNSName=f"web.{ZONE}"), a("web", "", AliasDNSName=f"www.{ZONE}")) == []
