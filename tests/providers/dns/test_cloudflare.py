"""Cloudflare's DNS adapter keeps the contract against the lab's API, and restores what only Cloudflare knows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from defib.errors import Conflict, NotFound
from defib.lab.alone import RunningCloudflare, serve_cloudflare
from defib.lab.cloudflare import CloudflareApi
from defib.lab.faults import FaultSwitch
from defib.ports import RecordKey, RecordSet
from defib.providers.dns.cloudflare import calls_to_read, calls_to_replace
from tests.contracts.dns_zone import API, SEED, WWW, WWW_B, ZONE, DnsZoneContract, ZoneWorld, change, record
from tests.providers.dns.cloudflare_stage import (
    adapter,
    add_zone,
    cloudflare_world,
    having,
    records_of,
    soon,
    wrapped,
)


@pytest.fixture(scope="module")
def cloudflare() -> Iterator[RunningCloudflare]:
    """Cloudflare of the lab, for all tests of this file."""
    with serve_cloudflare() as running:
        yield running


@pytest.fixture(autouse=True)
def healed(cloudflare: RunningCloudflare) -> Iterator[None]:
    """No test leaves the API broken."""
    yield
    cloudflare.api.switch = FaultSwitch()


@pytest.fixture
def counter(cloudflare: RunningCloudflare) -> Iterator[FaultSwitch]:
    """Counts the requests of one test."""
    before, counting = cloudflare.api.switch, FaultSwitch()
    cloudflare.api.switch = counting
    yield counting
    cloudflare.api.switch = before


class TestCloudflareDns(DnsZoneContract):
    """The contract over the lab's Cloudflare."""

    @pytest.fixture
    def world(self, cloudflare: RunningCloudflare) -> ZoneWorld:
        """A fresh zone."""
        return cloudflare_world(cloudflare)


class TestWrapped(DnsZoneContract):
    """The contract over the adapter with retry and rate limit around it, as a site file opens it."""

    @pytest.fixture
    def world(self, cloudflare: RunningCloudflare) -> ZoneWorld:
        """A fresh zone, wrapped."""
        bare = cloudflare_world(cloudflare)
        return replace(bare, zone=wrapped(bare.zone), denied=wrapped(bare.denied), unknown=wrapped(bare.unknown))


PROXIED = (("proxied", "true"), ("ttl", "automatic"))


class TestAttributes:
    """What only Cloudflare knows of a record comes across and back."""

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            pytest.param(
                having(WWW, *PROXIED, ("comment", "by hand"), ("tags", '["owner:web", "tier:1"]'), ttl=300),
                WWW_B,
                id="proxied, comment and tags give way to a plain record",
            ),
            pytest.param(
                having(WWW, ("settings.flatten_cname", "true"), ("comment", "flat")),
                having(WWW_B, *PROXIED, ttl=300),
                id="flattened becomes proxied",
            ),
            pytest.param(having(WWW, ("ttl", "automatic"), ttl=300), WWW_B, id="automatic TTL"),
            pytest.param(
                having(
                    API, ("comment.1", "first"), ("proxied.2", "true"), ("ttl.1", "120"), ("ttl.2", "automatic"), ttl=300
                ),
                having(API, ("comment", "both")),
                id="records of one set that differ",
            ),
        ],
    )
    def test_undo_restores_exactly(self, cloudflare: RunningCloudflare, before: RecordSet, after: RecordSet) -> None:
        """D19: TTL, proxied flag, comment, tags and settings are read, compared, changed and restored, ids too."""
        zone_id = add_zone(cloudflare, [before])
        stood = records_of(cloudflare, zone_id)
        zone = adapter(cloudflare, zone_id)
        assert zone.read([before.key], within=soon()) == (before,)
        there = change(before, after)
        zone.replace([there], within=soon())
        assert zone.read([before.key], within=soon()) == (after,)
        assert [each.id for each in records_of(cloudflare, zone_id)] == [each.id for each in stood]
        zone.replace([there.reversed()], within=soon())
        restored = tuple(replace(each, modified=stood[0].modified) for each in records_of(cloudflare, zone_id))
        assert restored == stood

    def test_other_attributes_make_another_record_set(self, cloudflare: RunningCloudflare) -> None:
        """D1: a comment that somebody changed is somebody's change."""
        standing = having(WWW, ("comment", "hands off"))
        zone = adapter(cloudflare, add_zone(cloudflare, [standing]))
        with pytest.raises(Conflict):
            zone.replace([change(WWW, WWW_B)], within=soon())
        assert zone.read([WWW.key], within=soon()) == (standing,)

    @pytest.mark.parametrize(
        "wrong",
        [
            having(WWW, ("proxied", "true"), ttl=60),
            having(WWW, ("ttl", "automatic"), ttl=60),
            having(WWW, ttl=1),
            having(WWW, ("colour", "red")),
            having(WWW, ("comment.2", "no such record")),
            having(WWW, ("tags", "not JSON")),
            having(WWW, ("settings.flatten_cname", "not JSON")),
            replace(WWW, values=()),
            replace(WWW, key=RecordKey(WWW.key.name, "CNAME", "blue")),
            record("service", "SRV", "10 5 443 a.example.net."),
            record("mail", "MX", "mx1.example.net."),
        ],
    )
    def test_what_would_read_back_otherwise_is_refused_unasked(
        self, cloudflare: RunningCloudflare, counter: FaultSwitch, wrong: RecordSet
    ) -> None:
        """D3, D5: a TTL that Cloudflare would not keep, or an attribute nobody knows, never becomes a silent difference."""
        zone = adapter(cloudflare, add_zone(cloudflare, SEED))
        with pytest.raises(NotFound):
            zone.replace([change(None, wrong)], within=soon())
        assert counter.requests == 0

    def test_type_that_cannot_be_written_is_not_removed(self, cloudflare: RunningCloudflare) -> None:
        """D19: what an undo could not put back stays."""
        zone = adapter(cloudflare, add_zone(cloudflare, SEED))
        with pytest.raises(NotFound):
            zone.replace([change(record("service", "SRV", "10 5 443 a.example.net."), None)], within=soon())


BOTH = (("A", "192.0.2.1"), ("AAAA", "2001:db8::1"))


class TestBatches:
    """How little is asked and changed."""

    def test_already_there_is_not_written(self, cloudflare: RunningCloudflare, counter: FaultSwitch) -> None:
        """D2: a change to what stands costs a read and no write."""
        zone_id = add_zone(cloudflare, SEED)
        stood = records_of(cloudflare, zone_id)
        receipt = adapter(cloudflare, zone_id).replace([change(WWW, WWW), change(API, API)], within=soon())
        assert adapter(cloudflare, zone_id).settled(receipt, within=soon())
        assert (counter.requests, records_of(cloudflare, zone_id)) == (2, stood)

    def test_records_keep_their_ids_where_their_set_stays(self, cloudflare: RunningCloudflare) -> None:
        """D16: values are exchanged under the ids that stand; only what is fewer goes, and only what is more comes."""
        zone_id = add_zone(cloudflare, SEED)
        zone = adapter(cloudflare, zone_id)
        stood = {each.content: each.id for each in records_of(cloudflare, zone_id)}
        three = replace(API, values=("192.0.2.1", "192.0.2.8", "192.0.2.9"))
        zone.replace([change(API, three)], within=soon())
        after = {each.content: each.id for each in records_of(cloudflare, zone_id)}
        assert (after["192.0.2.1"], after["192.0.2.8"]) == (stood["192.0.2.1"], stood["192.0.2.2"])
        one = replace(API, values=("192.0.2.9",))
        zone.replace([change(three, one)], within=soon())
        last = {each.content: each.id for each in records_of(cloudflare, zone_id) if each.type == "A"}
        assert last == {"192.0.2.9": after["192.0.2.9"]}

    @pytest.mark.parametrize("size", [1, 51, 1000])
    def test_number_of_calls_does_not_depend_on_the_zone(
        self, cloudflare: RunningCloudflare, counter: FaultSwitch, size: int
    ) -> None:
        """One call reads a name, three change it; several names cost no more than one listing each time."""
        many = [record(f"host-{number}", "A", "192.0.2.1") for number in range(size)]
        zone = adapter(cloudflare, add_zone(cloudflare, [*SEED, *many]))
        assert zone.read([WWW.key, RecordKey(WWW.key.name, "A"), API.key], within=soon()) == (WWW, None, API)
        assert counter.requests == 2
        zone.replace([change(WWW, WWW_B)], within=soon())
        assert counter.requests == 5

    def test_fifty_names_are_changed_with_three_calls(self, cloudflare: RunningCloudflare, counter: FaultSwitch) -> None:
        """A zone of 51 records is listed, changed and read back, whatever the number of names."""
        many = [record(f"host-{number}", "A", "192.0.2.1") for number in range(50)]
        zone_id = add_zone(cloudflare, [WWW, *many])
        changes = [change(each, replace(each, values=("192.0.2.2",))) for each in many]
        adapter(cloudflare, zone_id).replace([*changes, change(WWW, WWW_B)], within=soon(30))
        assert counter.requests == 3
        assert {each.content for each in records_of(cloudflare, zone_id)} == {"192.0.2.2", "b.example.net"}

    @pytest.mark.parametrize("names", [1, 2, 3, 4, 9])
    def test_calls_are_as_many_as_are_counted(self, cloudflare: RunningCloudflare, counter: FaultSwitch, names: int) -> None:
        """What the limit of calls is charged for a read and a change is what they need."""
        many = [record(f"host-{number}", kind, value) for number in range(names) for kind, value in BOTH]
        keys = [each.key for each in many]
        zone = adapter(cloudflare, add_zone(cloudflare, many))
        zone.read(keys, within=soon())
        assert counter.requests == calls_to_read(keys)
        counter.requests = 0
        zone.replace([change(each, replace(each, ttl=timedelta(seconds=60))) for each in many], within=soon())
        assert counter.requests == calls_to_replace(keys)

    def test_pages_smaller_than_asked_for_are_followed(self, cloudflare: RunningCloudflare) -> None:
        """A name with more records than the vendor's page is read whole, and so is a zone of more than a page."""
        addresses = tuple(f"192.0.2.{number}" for number in range(1, 8))
        names = [record(f"host-{number}", "A", "192.0.2.1") for number in range(5)]
        zone = adapter(cloudflare, add_zone(cloudflare, [*names, record("many", "A", *addresses)]))
        cloudflare.api.largest_page = 3
        try:
            (found,) = zone.read([RecordKey(f"many.{ZONE}", "A")], within=soon())
            assert found is not None
            assert found.values == addresses
            assert zone.read([each.key for each in names], within=soon()) == tuple(names)
        finally:
            cloudflare.api.largest_page = CloudflareApi.largest_page

    def test_batch_above_the_plans_limit_changes_nothing(self, cloudflare: RunningCloudflare) -> None:
        """A plan that takes fewer records refuses the batch as a whole, and no part of it is sent alone."""
        many = [record(f"host-{number}", "A", "192.0.2.1") for number in range(6)]
        zone_id = add_zone(cloudflare, many, batch_limit=5)
        stood = records_of(cloudflare, zone_id)
        changes = [change(each, replace(each, values=("192.0.2.2",))) for each in many]
        with pytest.raises(NotFound):
            adapter(cloudflare, zone_id).replace(changes, within=soon())
        assert records_of(cloudflare, zone_id) == stood

    def test_batch_above_every_plans_limit_is_not_sent(self, cloudflare: RunningCloudflare, counter: FaultSwitch) -> None:
        """More than 3,500 records are no batch at Cloudflare; that is said before anything is written."""
        many = record("many", "A", *(f"10.0.{number // 250}.{number % 250}" for number in range(3_501)))
        zone = adapter(cloudflare, add_zone(cloudflare, []))
        with pytest.raises(NotFound) as caught:
            zone.replace([change(None, many)], within=soon())
        assert (caught.value.seen, counter.requests) == ("3,501", 1)

    def test_foreign_name_is_refused_unasked(self, cloudflare: RunningCloudflare, counter: FaultSwitch) -> None:
        """Cloudflare would take a foreign name as a relative one; ours is not asked for it."""
        zone = adapter(cloudflare, add_zone(cloudflare, SEED))
        for name in ("www.elsewhere.test.", f"www{ZONE}", "test."):
            with pytest.raises(NotFound):
                zone.read([RecordKey(name, "A")], within=soon())
        assert counter.requests == 0


class TestApex:
    """The name of the zone itself."""

    APEX = RecordSet(RecordKey(ZONE, "CNAME"), timedelta(seconds=60), ("a.example.net.",))

    def test_alias_stands_at_the_apex_beside_mail(self, cloudflare: RunningCloudflare) -> None:
        """D3: addresses at the apex give way to an alias, beside MX and TXT, and come back."""
        mail = RecordSet(RecordKey(ZONE, "MX"), timedelta(seconds=300), ("10 mx.example.net.",))
        address = RecordSet(RecordKey(ZONE, "A"), timedelta(seconds=60), ("192.0.2.1",))
        zone = adapter(cloudflare, add_zone(cloudflare, [mail, address]))
        batch = [change(address, None), change(None, self.APEX)]
        zone.replace(batch, within=soon())
        keys = [address.key, self.APEX.key, mail.key]
        assert zone.read(keys, within=soon()) == (None, self.APEX, mail)
        zone.replace([each.reversed() for each in batch], within=soon())
        assert zone.read(keys, within=soon()) == (address, None, mail)

    def test_alias_beside_addresses_is_refused_by_the_vendor_too(self, cloudflare: RunningCloudflare) -> None:
        """D4: an alias where only one family of addresses goes is a conflict, also at the apex."""
        address = RecordSet(RecordKey(ZONE, "A"), timedelta(seconds=60), ("192.0.2.1",))
        six = RecordSet(RecordKey(ZONE, "AAAA"), timedelta(seconds=60), ("2001:db8::1",))
        zone_id = add_zone(cloudflare, [address, six])
        stood = records_of(cloudflare, zone_id)
        with pytest.raises(Conflict) as caught:
            adapter(cloudflare, zone_id).replace([change(address, None), change(None, self.APEX)], within=soon())
        assert "81053" in caught.value.seen
        assert records_of(cloudflare, zone_id) == stood
