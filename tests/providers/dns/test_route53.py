"""Route 53's adapter keeps the contract against the lab's AWS, and says what its failures mean."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from defib.clock import Deadline, SystemClock
from defib.errors import Conflict, Denied, NotFound, Unavailable
from defib.lab.alone import RunningAws, serve_aws
from defib.lab.faults import Fault, FaultSwitch
from defib.ports import Receipt, RecordKey, RecordSet
from defib.providers.aws import AwsAccess
from defib.providers.dns.records import canonical
from defib.providers.dns.route53 import Route53
from tests.contracts.dns_zone import SEED, WWW, WWW_B, ZONE, DnsZoneContract, ZoneWorld, change, record
from tests.contracts.weighted_zone import WeightedZoneContract

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def aws() -> Iterator[RunningAws]:
    """AWS of the lab, for all tests of this file."""
    with serve_aws() as running:
        yield running


def access(aws: RunningAws, secret_key: str = "") -> AwsAccess:
    """The lab's credentials, or its key with another secret."""
    return AwsAccess(
        endpoint=aws.endpoint,
        access_key=aws.credentials.access_key,
        secret_key=secret_key or aws.credentials.secret_key,
    )


def fresh_zone(aws: RunningAws) -> str:
    """The id of a new hosted zone that holds the seed."""
    return zone_of(aws, *SEED)


def zone_of(aws: RunningAws, *sets: RecordSet) -> str:
    """The id of a new hosted zone that holds `sets`."""
    zone_id = f"Z{next(_NUMBERS):013d}"

    async def add() -> None:
        aws.aws.route53.add_zone(zone_id, ZONE, sets)

    aws.loop.run(add())
    return zone_id


def route53_world(aws: RunningAws) -> ZoneWorld:
    """A world with a hosted zone of its own."""
    zone_id = fresh_zone(aws)

    def content() -> tuple[RecordSet, ...]:
        held = [each for each in aws.aws.route53.content(zone_id) if each.key.type not in {"SOA", "NS"}]
        return tuple(sorted((canonical(each) for each in held), key=lambda each: each.key))

    return ZoneWorld(
        zone=Route53(zone_id, access(aws)),
        content=content,
        denied=Route53(zone_id, access(aws, secret_key="wrong")),
        unknown=Route53("ZUNKNOWN", access(aws)),
    )


class TestRoute53(DnsZoneContract, WeightedZoneContract):
    """The contract over the lab's Route 53."""

    @pytest.fixture
    def world(self, aws: RunningAws) -> ZoneWorld:
        """A fresh hosted zone."""
        return route53_world(aws)


@contextmanager
def counted(aws: RunningAws) -> Iterator[FaultSwitch]:
    """Counts Route 53's calls."""
    before, counter = aws.aws.switches["route53"], FaultSwitch()
    aws.aws.switches["route53"] = counter
    try:
        yield counter
    finally:
        aws.aws.switches["route53"] = before


class TestRoute53Alone:
    """What only Route 53 does."""

    @pytest.fixture
    def zone(self, aws: RunningAws) -> Iterator[Route53]:
        """A fresh zone, healed afterwards."""
        yield Route53(fresh_zone(aws), access(aws))
        aws.set_fault("route53", None)

    def soon(self, seconds: float = 10) -> Deadline:
        """A deadline."""
        return Deadline.after(SystemClock(), timedelta(seconds=seconds))

    def test_far_keys_in_a_large_zone_cost_a_call_each(self, aws: RunningAws) -> None:
        """The number of calls does not grow with the zone: one for each far key read, one for a batch."""
        many = tuple(record(f"host-{number:04}", "A", "192.0.2.1") for number in range(2_000))
        zone = Route53(zone_of(aws, *SEED, *many), access(aws))
        with counted(aws) as counter:
            assert zone.read([WWW.key, many[250].key, many[1500].key], within=self.soon()) == (WWW, many[250], many[1500])
            assert counter.requests == 3
            zone.replace([change(WWW, WWW_B), change(many[7], None)], within=self.soon())
            assert counter.requests == 4

    @pytest.mark.parametrize("others", [0, 40, 2_000])
    def test_keys_of_neighbouring_names_cost_one_call(self, aws: RunningAws, others: int) -> None:
        """Fifteen record sets of five neighbouring names are read at once, present or absent, in any order."""
        names = ("shop-1", "shop-2", "shop-3", "shop-4", "shop-5")
        held = [record(name, kind, value) for name in names for kind, value in (("A", "192.0.2.1"), ("AAAA", "2001:db8::1"))]
        many = [record(f"{'aes'[number % 3]}{number:04}", "A", "192.0.2.1") for number in range(others)]
        zone = Route53(zone_of(aws, *held, *many), access(aws))
        absent = [RecordKey(f"{name}.{ZONE}", "CNAME") for name in names]
        wanted = sorted([each.key for each in held] + absent, key=lambda key: key.name[::-1] + key.type[::-1])
        by_key = {each.key: each for each in held}
        with counted(aws) as counter:
            assert zone.read(wanted, within=self.soon()) == tuple(by_key.get(key) for key in wanted)
            assert counter.requests == 1

    def test_a_read_waits_before_each_call_that_it_makes(self, aws: RunningAws) -> None:
        """The limit of calls is asked once for each call, however many keys it is for."""
        paced: list[Deadline] = []
        zone = Route53(fresh_zone(aws), access(aws), paced.append)
        within = self.soon()
        zone.read([each.key for each in SEED], within=within)
        zone.read([WWW.key], within=within)
        assert paced == [within, within]

    def test_spelling_of_a_host_name_is_no_difference(self, aws: RunningAws) -> None:
        """A value that was entered without its final dot or in capitals is changed and compared as what it means."""

        async def add() -> None:
            aws.aws.route53.add_zone("ZSPELT", ZONE, (replace(WWW, values=("A.example.net",)),))

        aws.loop.run(add())
        zone = Route53("ZSPELT", access(aws))
        assert zone.read([WWW.key], within=self.soon()) == (WWW,)
        zone.replace([change(WWW, WWW_B)], within=self.soon())
        assert zone.read([WWW.key], within=self.soon()) == (WWW_B,)

    def test_alias_reads_and_returns_as_it_was(self, zone: Route53) -> None:
        """D3: an alias record keeps target, zone and health evaluation through a change and its reverse."""
        alias = RecordSet(
            RecordKey("contract.test.", "A"),
            timedelta(0),
            (),
            (
                ("AliasTarget.DNSName", "d1.cloudfront.net."),
                ("AliasTarget.EvaluateTargetHealth", "false"),
                ("AliasTarget.HostedZoneId", "Z2FDTNDATAQYW2"),
            ),
        )
        plain = RecordSet(alias.key, timedelta(seconds=60), ("192.0.2.80",))
        zone.replace([change(None, alias)], within=self.soon())
        assert zone.read([alias.key], within=self.soon()) == (alias,)
        zone.replace([change(alias, plain)], within=self.soon())
        assert zone.read([alias.key], within=self.soon()) == (plain,)
        zone.replace([change(plain, alias)], within=self.soon())
        assert zone.read([alias.key], within=self.soon()) == (alias,)

    @pytest.mark.parametrize("role", ["PRIMARY", "SECONDARY"])
    @pytest.mark.parametrize("aliased", [False, True])
    def test_failover_set_reads_and_returns_as_it_was(self, zone: Route53, role: str, aliased: bool) -> None:
        """D19: role, health check and alias target of a failover set survive a change and its reverse."""
        target = (
            ("AliasTarget.DNSName", f"spare.{ZONE}"),
            ("AliasTarget.EvaluateTargetHealth", "true"),
            ("AliasTarget.HostedZoneId", zone.zone),
        )
        before = RecordSet(
            RecordKey(f"shop.{ZONE}", "A", role.lower()),
            timedelta(0) if aliased else timedelta(seconds=30),
            () if aliased else ("192.0.2.1",),
            tuple(sorted((("Failover", role), ("HealthCheckId", "abcdef11-2222"), *(target if aliased else ())))),
        )
        after = RecordSet(before.key, timedelta(seconds=60), ("192.0.2.2",), (("Failover", role),))
        zone.replace([change(None, before)], within=self.soon())
        assert zone.read([before.key], within=self.soon()) == (before,)
        there = change(before, after)
        zone.replace([there], within=self.soon())
        assert zone.read([before.key], within=self.soon()) == (after,)
        with pytest.raises(Conflict):
            zone.replace([there], within=self.soon())
        zone.replace([there.reversed()], within=self.soon())
        assert zone.read([before.key], within=self.soon()) == (before,)

    def test_health_check_is_part_of_a_weighted_set(self, zone: Route53) -> None:
        """D1: a set that differs in its health check alone is another one, and it keeps the one it has."""
        key = RecordKey(f"split.{ZONE}", "CNAME", "blue")
        checked = RecordSet(key, WWW.ttl, WWW.values, (("HealthCheckId", "abcdef11-2222"), ("Weight", "100")))
        plain = replace(checked, attributes=(("Weight", "100"),))
        zone.replace([change(None, checked)], within=self.soon())
        with pytest.raises(Conflict):
            zone.replace([change(plain, replace(plain, attributes=(("Weight", "0"),)))], within=self.soon())
        assert zone.read([key], within=self.soon()) == (checked,)

    @pytest.mark.parametrize(
        "values",
        [
            tuple(f"10.0.{number // 250}.{number % 250}" for number in range(1_001)),
            tuple(f'"{number:0255}"' for number in range(125)),
        ],
        ids=["values", "characters"],
    )
    def test_batch_above_the_limits_is_not_sent(self, aws: RunningAws, zone: Route53, values: tuple[str, ...]) -> None:
        """1,000 values and 32,000 characters are a batch; more is refused before anything is asked, and never split."""
        kind = "A" if values[0][0] != '"' else "TXT"
        with counted(aws) as counter:
            with pytest.raises(NotFound) as caught:
                zone.replace([change(None, record("many", kind, *values))], within=self.soon())
            assert (counter.requests, "batch" in caught.value.what) == (0, True)
            fitting = record("many", kind, *values[: len(values) - 1])
            zone.replace([change(None, fitting)], within=self.soon(30))
            assert counter.requests == 1

    def test_wildcard_reads_under_its_own_name(self, zone: Route53) -> None:
        """Route 53 lists an asterisk as its octal code; ours is an asterisk."""
        star = record("*", "A", "192.0.2.5")
        zone.replace([change(None, star)], within=self.soon())
        assert zone.read([star.key], within=self.soon()) == (star,)

    def test_invalid_value_is_a_matter_of_configuration(self, zone: Route53) -> None:
        """What Route 53 refuses for another reason than a difference is not called a conflict."""
        with pytest.raises(NotFound) as caught:
            zone.replace([change(None, record("bad", "A", "not-an-address"))], within=self.soon())
        assert "InvalidChangeBatch" in caught.value.seen

    def test_hanging_api_is_unavailable_by_the_deadline(self, aws: RunningAws, zone: Route53) -> None:
        """A vendor that accepts and then says nothing costs the deadline, not more."""
        aws.set_fault("route53", Fault("hang"))
        clock = SystemClock()
        started = clock.monotonic()
        with pytest.raises(Unavailable):
            zone.read([WWW.key], within=self.soon(0.3))
        assert clock.monotonic() - started < timedelta(seconds=20)

    @pytest.mark.parametrize(
        ("fault", "expected"), [("429", Unavailable), ("500", Unavailable), ("denied", Denied), ("lost-answer", Unavailable)]
    )
    def test_faults_of_the_api_are_told_apart(
        self, aws: RunningAws, zone: Route53, fault: str, expected: type[Exception]
    ) -> None:
        """Throttling, a failure of the service and a lost answer may pass; a refusal does not."""
        aws.set_fault("route53", Fault(fault))
        with pytest.raises(expected):
            zone.read([WWW.key], within=self.soon())

    def test_throttling_carries_the_wish_of_the_vendor(self, aws: RunningAws, zone: Route53) -> None:
        """C10: the wait that Route 53 asks for reaches whoever retries."""
        aws.set_fault("route53", Fault("429", {"retry_after": 3}))
        with pytest.raises(Unavailable) as caught:
            zone.replace([change(WWW, WWW_B)], within=self.soon())
        assert caught.value.retry_after == timedelta(seconds=3)

    def test_lost_answer_of_a_write_may_have_landed(self, aws: RunningAws, zone: Route53) -> None:
        """A write whose answer is lost raises and stands; the adapter itself does not try again."""
        aws.set_fault("route53", Fault("lost-answer", {"times": 1}))
        with pytest.raises(Unavailable):
            zone.replace([change(WWW, WWW_B)], within=self.soon())
        assert zone.read([WWW.key], within=self.soon()) == (WWW_B,)

    def test_refused_connection_is_unavailable(self) -> None:
        """D9: an endpoint that nobody listens on may come back."""
        nobody = Route53("Z1", AwsAccess(endpoint="http://127.0.0.1:9", access_key="AKIA0", secret_key="s"))
        with pytest.raises(Unavailable):
            nobody.read([WWW.key], within=self.soon())

    def test_unknown_change_is_not_found(self, zone: Route53) -> None:
        """A receipt that Route 53 does not know is said to be unknown, never settled."""
        with pytest.raises(NotFound):
            zone.settled(Receipt("C0000000000000"), within=self.soon())

    def test_given_keys_need_nothing_of_the_environment(self, aws: RunningAws, monkeypatch: pytest.MonkeyPatch) -> None:
        """With keys in the site file, a profile that does not exist, another endpoint or a proxy do no harm."""
        monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
        monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent/config")
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        monkeypatch.setenv("AWS_ENDPOINT_URL_ROUTE_53", "http://127.0.0.1:9")
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "9")
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        zone = Route53(fresh_zone(aws), access(aws))
        assert zone.read([WWW.key], within=self.soon()) == (WWW,)
        assert access(aws).session().client("route53").meta.endpoint_url == "https://route53.amazonaws.com"
