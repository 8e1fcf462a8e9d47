"""Cloudflare as an authoritative vendor in the lab: its records, its batches, and what its name servers make of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from defib.clock import SystemClock
from defib.lab.alone import RunningCloudflare, serve_cloudflare
from defib.lab.cloudflare_names import published
from defib.lab.cloudflare_records import DnsRecord, created
from defib.lab.cloudflare_state import CloudflareZone
from defib.lab.dns.zone import PublishedZone, compile_zone
from defib.lab.furniture import CLOUDFLARE_DNS_ZONE_ID, DISTRIBUTION_DOMAIN, ORIGIN, PROXIED_NAME
from defib.providers.dns.cloudflare_format import wishes_of
from tests.contracts.dns_zone import SEED
from tests.lab.test_lab_cloudflare import CONTRACT, Contract, refusal

APEX = "pulse-trading-cf.test"
RECORDS = f"/zones/{CLOUDFLARE_DNS_ZONE_ID}/dns_records"
NOW = SystemClock().now()
EDGE = "127.77.4.1"
HOSTS = {DISTRIBUTION_DOMAIN: "127.77.3.1", ORIGIN: "127.77.8.1"}


@pytest.fixture
def cloudflare() -> Iterator[RunningCloudflare]:
    """The API alone."""
    with serve_cloudflare() as running:
        yield running


@pytest.fixture
def api(cloudflare: RunningCloudflare) -> Iterator[httpx.Client]:
    """A client with the right token."""
    headers = {"Authorization": f"Bearer {cloudflare.token}"}
    with httpx.Client(base_url=cloudflare.endpoint, headers=headers, trust_env=False) as made:
        yield made


def held(api: httpx.Client) -> list[dict[str, Any]]:
    """All records of the zone."""
    return list(api.get(RECORDS).json()["result"])


def test_the_zone_is_in_full_set_up(api: httpx.Client) -> None:
    """It names its own servers, and holds an address at the apex, mail beside it, and a proxied name."""
    zone = api.get(f"/zones/{CLOUDFLARE_DNS_ZONE_ID}").json()["result"]
    assert (zone["type"], zone["name_servers"]) == ("full", ["cf-ns-1.lab.invalid", "cf-ns-2.lab.invalid"])
    shown = {(each["name"], each["type"], each["ttl"], each["proxied"]) for each in held(api)}
    assert {(f"www.{APEX}", "CNAME", 60, False), (APEX, "A", 60, False), (PROXIED_NAME, "CNAME", 1, True)} <= shown


def test_records_come_and_go_one_by_one(api: httpx.Client) -> None:
    """A record is created with an id of its own, and deleted by it."""
    made = api.post(RECORDS, json={"name": "new", "type": "A", "content": "192.0.2.1", "ttl": 60}).json()["result"]
    assert api.get(f"{RECORDS}/{made['id']}").json()["result"]["name"] == f"new.{APEX}"
    assert api.delete(f"{RECORDS}/{made['id']}").json()["result"] == {"id": made["id"]}
    assert refusal(api.delete(f"{RECORDS}/{made['id']}")) == (404, 81044)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"name": "www", "type": "A", "content": "192.0.2.1"}, 81054),
        ({"name": "www", "type": "CNAME", "content": "other.example.net"}, 81053),
        ({"name": "www", "type": "CNAME", "content": DISTRIBUTION_DOMAIN}, 81058),
        ({"name": "@", "type": "MX", "content": "mail.example.net", "priority": 10}, 81058),
        ({"name": "low", "type": "A", "content": "192.0.2.1", "ttl": 59}, 1004),
        ({"name": "high", "type": "A", "content": "192.0.2.1", "ttl": 86_401}, 1004),
        ({"name": "mail", "type": "MX", "content": "mail.example.net"}, 1004),
        ({"name": "flat", "type": "A", "content": "192.0.2.1", "settings": {"flatten_cname": True}}, 1004),
        ({"name": "caa", "type": "CAA", "data": {"flags": 0, "tag": "issue"}}, 1004),
        ({"name": "both", "type": "TXT", "content": '"x"', "proxied": True}, 1004),
        ({"name": "long", "type": "TXT", "content": '"x"', "comment": "x" * 501}, 1004),
        ({"type": "A", "content": "192.0.2.1"}, 1004),
    ],
)
def test_what_cannot_stand_is_refused(api: httpx.Client, body: dict[str, Any], expected: int) -> None:
    """D3: aliases and addresses exclude each other, nothing stands twice, and TTLs have a range; by the vendor's codes."""
    before = held(api)
    assert refusal(api.post(RECORDS, json=body)) == (400, expected)
    assert held(api) == before


def test_text_stands_beside_an_alias(api: httpx.Client) -> None:
    """Cloudflare refuses only addresses beside an alias."""
    assert api.post(RECORDS, json={"name": "www", "type": "TXT", "content": '"x"'}).json()["success"] is True


def test_a_batch_is_made_in_its_order(api: httpx.Client) -> None:
    """Deletes go before patches, puts and posts, whatever the order of the body, so that types can be exchanged."""
    (www,) = api.get(RECORDS, params={"name.exact": f"www.{APEX}"}).json()["result"]
    alias = api.post(RECORDS, json={"name": "docs", "type": "CNAME", "content": DISTRIBUTION_DOMAIN}).json()["result"]
    (mail,) = api.get(RECORDS, params={"type": "MX"}).json()["result"]
    told = api.post(
        f"{RECORDS}/batch",
        json={
            "posts": [{"name": "www", "type": "A", "content": "192.0.2.1", "ttl": 60, "tags": ["owner:web"]}],
            "puts": [{"id": mail["id"], "name": APEX, "type": "MX", "content": "mx.example.net", "priority": 5}],
            "patches": [{"id": alias["id"], "comment": "alias", "settings": {"flatten_cname": True}}],
            "deletes": [{"id": www["id"]}],
        },
    ).json()
    assert told["success"] is True
    assert list(told["result"]) == ["deletes", "patches", "puts", "posts"]
    assert told["result"]["posts"][0]["tags"] == ["owner:web"]
    after = {each["id"]: each for each in held(api)}
    assert www["id"] not in after
    assert (after[alias["id"]]["comment"], after[alias["id"]]["settings"]) == ("alias", {"flatten_cname": True})
    assert (after[mail["id"]]["content"], after[mail["id"]]["priority"], after[mail["id"]]["ttl"]) == (
        "mx.example.net",
        5,
        1,
    )


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"posts": [{"name": "a", "type": "A", "content": "192.0.2.1"}, {"name": "b", "type": "A", "content": "x"}]}, 1004),
        ({"deletes": [{"id": "WWW"}, {"id": "f" * 32}]}, 81044),
        ({"patches": [{"id": "WWW", "content": "x.example.net"}, {"id": "WWW", "ttl": 5}]}, 1004),
        ({"deletes": [{"id": "WWW"}], "patches": [{"id": "WWW", "ttl": 60}]}, 81044),
        ({"posts": [{"name": f"h{number}", "type": "A", "content": "192.0.2.1"} for number in range(201)]}, 9207),
        ({"deletes": "all"}, 9207),
        ({"moves": []}, 9207),
        ({}, 9207),
    ],
)
def test_a_batch_is_all_or_nothing(api: httpx.Client, body: dict[str, Any], expected: int) -> None:
    """The first failure of a batch undoes all of it; the free plan takes 200 records."""
    (www,) = api.get(RECORDS, params={"name.exact": f"www.{APEX}"}).json()["result"]
    before = held(api)
    named = {
        name: [{**each, "id": www["id"]} if each.get("id") == "WWW" else each for each in operations]
        if isinstance(operations, list)
        else operations
        for name, operations in body.items()
    }
    assert refusal(api.post(f"{RECORDS}/batch", json=named))[1] == expected
    assert held(api) == before


def test_requests_and_answers_fit_the_vendors_description(api: httpx.Client) -> None:
    """What the lab and the adapter say of records is what Cloudflare's own OpenAPI file knows; it has no batch."""
    if not CONTRACT.exists():
        pytest.skip(f"the vendor's description is not beside the project: {CONTRACT}")
    checker = Contract(CONTRACT)
    posts = [wish.whole() for each in SEED for wish in wishes_of(each, "")]
    for post in posts:
        named = post | {"name": str(post["name"]).replace("contract.test", f"contract.{APEX}")}
        made = api.post(RECORDS, json=named)
        checker.check(made)
        checker.check(api.get(f"{RECORDS}/{made.json()['result']['id']}"))
    # The description demands the content of a CAA record and calls it read-only; the vendor's own client sends `data`.
    caa = api.post(RECORDS, json={"name": "c", "type": "CAA", "data": {"flags": 0, "tag": "issue", "value": "ca.test"}})
    checker.check(api.get(f"{RECORDS}/{caa.json()['result']['id']}"))
    checker.check(api.get(RECORDS, params={"name": APEX, "per_page": "5000", "page": "1"}))
    checker.check(api.request("DELETE", f"{RECORDS}/{caa.json()['result']['id']}", json={}))
    checker.check(api.get(f"/zones/{CLOUDFLARE_DNS_ZONE_ID}"))


def zone_of(*bodies: dict[str, Any], paused: bool = False) -> PublishedZone:
    """What the name servers answer for a zone of these records."""
    records = tuple(made(number, body) for number, body in enumerate(bodies))
    zone = CloudflareZone("z", APEX, NOW, NOW, records, paused=paused, full=True)
    answered = published(zone, edge=EDGE, hosts=HOSTS, hosts_ttl=timedelta(seconds=60), serial=7)
    compile_zone(answered)
    return answered


def made(number: int, body: dict[str, Any]) -> DnsRecord:
    """One record."""
    return created(APEX, f"{number:032x}", body, NOW)


def answers(zone: PublishedZone, name: str, kind: str) -> list[tuple[int, tuple[str, ...]]]:
    """TTL and values that are answered."""
    return [(int(each.ttl.total_seconds()), each.values) for each in zone.find(f"{name}.", kind)]


def test_plain_records_answer_as_written() -> None:
    """Values of one name and type are one answer; automatic is 300 s."""
    zone = zone_of(
        {"name": "api", "type": "A", "content": "192.0.2.1", "ttl": 60},
        {"name": "api", "type": "A", "content": "192.0.2.2", "ttl": 60},
        {"name": "www", "type": "CNAME", "content": "a.example.net"},
        {"name": "www", "type": "TXT", "content": '"never seen"'},
        {"name": "@", "type": "MX", "content": "mx.example.net", "priority": 5},
    )
    assert answers(zone, f"api.{APEX}", "A") == [(60, ("192.0.2.1", "192.0.2.2"))]
    assert answers(zone, f"www.{APEX}", "CNAME") == [(300, ("a.example.net.",))]
    assert answers(zone, f"www.{APEX}", "TXT") == []
    assert answers(zone, APEX, "MX") == [(300, ("5 mx.example.net.",))]


def test_proxied_names_answer_the_edges_address() -> None:
    """D5: whatever a proxied record holds, users come to the edge, for 300 s; one such record is enough for its name."""
    records = (
        {"name": "www", "type": "CNAME", "content": "a.example.net", "proxied": True},
        {"name": "api", "type": "A", "content": "192.0.2.1", "proxied": True},
        {"name": "api", "type": "AAAA", "content": "2001:db8::1"},
    )
    zone = zone_of(*records)
    for name in ("www", "api"):
        assert answers(zone, f"{name}.{APEX}", "A") == [(300, (EDGE,))]
    assert answers(zone, f"www.{APEX}", "CNAME") == answers(zone, f"api.{APEX}", "AAAA") == []
    assert answers(zone_of(*records, paused=True), f"www.{APEX}", "CNAME") == [(300, ("a.example.net.",))]


def test_aliases_at_the_apex_and_flattened_ones_answer_addresses() -> None:
    """D3: the target's address under the smaller TTL, also through another alias; a dangling one has no answer."""
    zone = zone_of(
        {"name": "@", "type": "CNAME", "content": f"www.{APEX}", "ttl": 120},
        {"name": "@", "type": "TXT", "content": '"x"'},
        {"name": "www", "type": "CNAME", "content": DISTRIBUTION_DOMAIN, "ttl": 3600},
        {"name": "flat", "type": "CNAME", "content": ORIGIN, "ttl": 3600, "settings": {"flatten_cname": True}},
        {"name": "near", "type": "CNAME", "content": f"host.{APEX}", "ttl": 3600, "settings": {"flatten_cname": True}},
        {"name": "host", "type": "AAAA", "content": "2001:db8::1", "ttl": 90},
        {"name": "gone", "type": "CNAME", "content": "nobody.example.net", "settings": {"flatten_cname": True}},
        {"name": "loop", "type": "CNAME", "content": f"pool.{APEX}", "settings": {"flatten_cname": True}},
        {"name": "pool", "type": "CNAME", "content": f"loop.{APEX}", "settings": {"flatten_cname": True}},
    )
    assert answers(zone, APEX, "A") == [(60, (HOSTS[DISTRIBUTION_DOMAIN],))]
    assert answers(zone, APEX, "TXT") == [(300, ('"x"',))]
    assert answers(zone, f"flat.{APEX}", "A") == [(60, (HOSTS[ORIGIN],))]
    assert answers(zone, f"near.{APEX}", "AAAA") == [(90, ("2001:db8::1",))]
    for name in (f"gone.{APEX}", f"loop.{APEX}"):
        assert [each for kind in ("A", "CNAME") for each in answers(zone, name, kind)] == []
    assert answers(zone, APEX, "CNAME") == answers(zone, f"flat.{APEX}", "CNAME") == []
