"""Record sets compare by what they mean."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, strategies

from defib.errors import Conflict
from defib.ports import RecordKey, RecordSet
from defib.providers.dns.records import canonical, compare, same
from tests.contracts.dns_zone import API, MAIL, WWW, WWW_B, change


def made(kind: str, *values: str, name: str = "x.example.org.") -> RecordSet:
    """A record set."""
    return RecordSet(RecordKey(name, kind), timedelta(seconds=60), values)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (made("CNAME", "A.example.net"), made("CNAME", "a.example.net.")),
        (made("MX", "10 MX.example.net"), made("MX", "10 mx.example.net.")),
        (made("SRV", "0 5 443 Host.example.net"), made("SRV", "0 5 443 host.example.net.")),
        (made("AAAA", "2001:DB8:0::1"), made("AAAA", "2001:db8::1")),
        (made("A", "192.0.2.1", "192.0.2.2"), made("A", "192.0.2.2", "192.0.2.1")),
        (made("a", "192.0.2.1", name="X.Example.org"), made("A", "192.0.2.1")),
        (None, None),
    ],
)
def test_spelling_is_no_difference(one: RecordSet | None, other: RecordSet | None) -> None:
    """Case and final dot of host names, order of values and forms of addresses have no meaning."""
    assert same(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (made("CNAME", "a.example.net."), None),
        (None, made("CNAME", "a.example.net.")),
        (made("TXT", '"A"'), made("TXT", '"a"')),
        (
            made("CNAME", "a.example.net."),
            RecordSet(RecordKey("x.example.org.", "CNAME"), timedelta(seconds=61), ("a.example.net.",)),
        ),
        (made("A", "192.0.2.1"), made("A", "192.0.2.1", "192.0.2.2")),
    ],
)
def test_meaning_is_a_difference(one: RecordSet | None, other: RecordSet | None) -> None:
    """Absence, TTL, a missing value and the case of text count."""
    assert not same(one, other)


@given(
    strategies.sampled_from(["A", "AAAA", "CNAME", "MX", "TXT", "NS"]),
    strategies.lists(strategies.text(min_size=1, max_size=20).filter(str.strip), min_size=1, max_size=4),
)
def test_canonical_form_is_its_own(kind: str, values: list[str]) -> None:
    """Making canonical twice changes nothing more, whatever a vendor holds."""
    once = canonical(made(kind, *values))
    assert canonical(once) == once


def test_conflict_names_the_set_and_both_values() -> None:
    """Whoever reads a conflict sees which set, what was expected and what stands."""
    with pytest.raises(Conflict) as caught:
        compare([change(API, None), change(WWW, WWW_B)], [API, WWW_B], "zone x")
    assert str(WWW.key) in caught.value.what
    assert (caught.value.expected, caught.value.seen) == (str(WWW), str(WWW_B))
    with pytest.raises(Conflict) as caught:
        compare([change(None, MAIL)], [MAIL], "zone x")
    assert caught.value.expected == "no such record set"
