"""The inverted health check of the lab turns failover record sets by an object in S3, and by nothing of Route 53's API."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dns.message
import dns.query
import dns.rdatatype
import httpx
import pytest

from defib.clock import Deadline, SystemClock
from defib.errors import Denied
from defib.lab import furniture
from defib.lab.background import BackgroundLoop
from defib.lab.healthcheck import THRESHOLD, Endpoint, InvertedCheck
from defib.lab.web import Request, Response, WebServer
from defib.ports import RecordChange, RecordKey, RecordSet
from defib.providers.aws import AwsAccess
from defib.providers.dns.route53 import Route53
from defib.providers.dns.s3_switch import S3Switch
from defib.providers.open import open_zone
from defib.sites.site import load_site
from defib.sites.vendors import FailoverSwitch
from defib.users.ways import leads_at, to_host
from tests.lab.lab_stage import Stage, running_world
from tests.lab.test_lab_world import wait_until

SITES = Path(__file__).parents[2] / "runbooks" / "sites"
CLOCK = SystemClock()
ZONE_ID = "ZARMEDOFTHETEST"
NAME = "www.armed-in-test.test."
PRIMARY, SECONDARY = "192.0.2.1", "192.0.2.2"
FLIP = 10.0
"""Seconds in which a health check and the servers behind it follow, also on a busy machine."""


def soon() -> Deadline:
    """A deadline that is far enough."""
    return Deadline.after(CLOCK, timedelta(seconds=10))


def armed(role: str, address: str, **attributes: str) -> RecordSet:
    """One of the two failover record sets."""
    key = RecordKey(NAME, "A", role.lower())
    return RecordSet(key, timedelta(seconds=3), (address,), tuple(sorted({**attributes, "Failover": role}.items())))


SETS = (
    armed("PRIMARY", PRIMARY, HealthCheckId=furniture.ARMED_HEALTH_CHECK),
    armed("SECONDARY", SECONDARY),
)


def turn(before: str, after: str) -> list[RecordChange]:
    """The batch that turns the switch."""
    sides = [RecordSet(RecordKey(NAME, "SWITCH"), timedelta(0), (value,)) for value in (before, after)]
    return [RecordChange(*sides)]


def answers(stage: Stage) -> set[str]:
    """What Route 53's four servers say."""
    query = dns.message.make_query(NAME, "A")
    found = [dns.query.udp(query, stage.world.plan.at(f"5.{number}"), port=5300, timeout=10) for number in range(1, 5)]
    sets = [rrset for answer in found for rrset in answer.answer if rrset.rdtype == dns.rdatatype.A]
    return {str(item) for rrset in sets for item in rrset}


def resolved(stage: Stage, name: str) -> set[str]:
    """The addresses that users of the first resolver get."""
    answer = dns.query.udp(dns.message.make_query(name, "A"), stage.world.plan.at("6.1"), port=5300, timeout=10)
    return {str(item) for rrset in answer.answer if rrset.rdtype == dns.rdatatype.A for item in rrset}


def wait_for(stage: Stage, address: str) -> None:
    """Wait until all four servers say nothing else."""
    wait_until(lambda: answers(stage) == {address}, within=FLIP)


def access(stage: Stage) -> AwsAccess:
    """The lab's keys."""
    keys = stage.keys.aws
    return AwsAccess("us-east-1", stage.world.aws.server.url, keys.access_key, keys.secret_key)


def switch(stage: Stage) -> S3Switch:
    """The switch, as a run has it."""
    return S3Switch([NAME], furniture.SWITCH_BUCKET, furniture.SWITCH_KEY, access(stage))


@pytest.fixture(scope="module")
def world() -> Iterator[Stage]:
    """One world for the module, with two failover record sets."""
    with running_world() as running:

        async def add() -> None:
            running.world.aws.route53.add_zone(ZONE_ID, "armed-in-test.test.", SETS)

        running.loop.run(add())
        yield running


@pytest.fixture
def stage(world: Stage) -> Iterator[Stage]:
    """The world, healed and turned back after each test."""
    yield world
    world.heal()
    if world.world.switch_bucket.get(furniture.SWITCH_KEY) is not None:
        switch(world).replace(turn("secondary", "primary"), within=soon())
    wait_for(world, PRIMARY)


def test_switch_moves_users_while_route53_takes_no_change(stage: Stage) -> None:
    """D9: with Route 53's API refusing everything the switch sends users to the backup and back, and leaves no trace."""
    stage.break_("route53-api", "denied")
    with pytest.raises(Denied):
        Route53(ZONE_ID, access(stage)).read([SETS[0].key], within=soon())
    wait_for(stage, PRIMARY)
    before = stage.world.fingerprint()
    switch(stage).replace(turn("primary", "secondary"), within=soon())
    wait_for(stage, SECONDARY)
    assert stage.world.fingerprint() != before
    switch(stage).replace(turn("secondary", "primary"), within=soon())
    wait_for(stage, PRIMARY)
    assert stage.world.fingerprint() == before


def test_site_of_the_lab_is_armed(stage: Stage, tmp_path: Path) -> None:
    """D9: by what the site file says, www and apex go to the backup together, at a resolver, while Route 53's API fails."""
    text = (SITES / "lab-armed.yaml").read_text().replace("127.77.", f"{stage.world.plan.net}.")
    (tmp_path / "lab-armed.yaml").write_text(text)
    site = load_site(tmp_path / "lab-armed.yaml")
    (config,) = [each for each in site.dns if isinstance(each, FailoverSwitch)]
    keys = {"aws-access-key": stage.keys.aws.access_key, "aws-secret-key": stage.keys.aws.secret_key}
    zone = open_zone(config, lambda reference: keys[reference.rpartition("/")[2]])
    stage.break_("route53-api", "500")
    for host in (*site.backups, site.primary_host):
        leads = [lead for lead in leads_at(config, to_host(site, host)) if not lead.armed]
        present = zone.read([lead.key for lead in leads], within=soon())
        moves = [RecordChange(record, lead.put_into(record)) for lead, record in zip(leads, present, strict=True)]
        zone.replace(moves, within=soon())
        addresses = {record.values[0] for record in host.records if record.type == "A"}
        for lead in leads:
            wait_until(lambda name=lead.key.name, told=addresses: resolved(stage, name) == told, within=FLIP)  # type: ignore[misc]


def test_lost_bucket_leaves_users_where_they_are(stage: Stage) -> None:
    """An endpoint that fails is what the check takes for health: losing S3 moves nobody to the backup."""
    wait_for(stage, PRIMARY)
    asked: list[str] = []

    async def unavailable(request: Request) -> Response:
        asked.append(request.path)
        return Response(503)

    s3 = stage.world.aws.server
    instead = WebServer(s3.address, s3.port, unavailable)
    stage.loop.run(stage.world.aws.stop())
    stage.loop.run(instead.start())
    try:
        wait_until(lambda: len(asked) > 2 * THRESHOLD, within=FLIP)
        assert answers(stage) == {PRIMARY}
    finally:
        stage.loop.run(instead.stop())
        stage.loop.run(stage.world.aws.start())
    assert set(asked) == {f"/{furniture.SWITCH_BUCKET}/{furniture.SWITCH_KEY}"}


def test_switch_holds_only_while_s3_answers(stage: Stage) -> None:
    """A limit that a run must know: where the object cannot be read any more, users go back to the primary."""
    switch(stage).replace(turn("primary", "secondary"), within=soon())
    wait_for(stage, SECONDARY)
    stage.break_("s3-api", "500")
    wait_for(stage, PRIMARY)


def test_other_health_check_is_another_one(stage: Stage) -> None:
    """Breaking the ordinary health check of the lab does not turn the switch."""
    stage.break_("health-check", "unhealthy")
    assert answers(stage) == {PRIMARY}


def test_only_the_object_of_the_switch_is_read_without_keys(stage: Stage) -> None:
    """As at S3: a policy lets everybody read what is there; absence, other buckets and writes need a signature."""
    base = stage.world.aws.server.url
    path = f"{base}/{furniture.SWITCH_BUCKET}/{furniture.SWITCH_KEY}"
    absent = httpx.get(path).status_code
    switch(stage).replace(turn("primary", "secondary"), within=soon())
    client = access(stage).session().client("s3", endpoint_url=base)
    client.put_object(Bucket=furniture.STATUS_BUCKET, Key="private", Body=b"")
    client.close()
    found = {
        "absent": absent,
        "present": httpx.get(path).status_code,
        "another bucket": httpx.get(f"{base}/{furniture.STATUS_BUCKET}/private").status_code,
        "no bucket": httpx.get(f"{base}/nowhere/{furniture.SWITCH_KEY}").status_code,
        "write": httpx.put(path, content=b"").status_code,
        "removal": httpx.delete(path).status_code,
    }
    assert found == {"absent": 403, "present": 200, "another bucket": 403, "no bucket": 403, "write": 403, "removal": 403}


class TestInvertedCheck:
    """The check by itself, against a server that answers as it is told."""

    def told(self, statuses: list[int]) -> list[tuple[bool, int]]:
        """What is told, and after how many requests, of a server that answers so; the last status stays."""
        served: list[int] = []
        told: list[tuple[bool, int]] = []

        async def answer(_: Request) -> Response:
            served.append(statuses[min(len(served), len(statuses) - 1)])
            return Response(served[-1])

        async def watch() -> None:
            server = WebServer("127.0.0.1", 0, answer)
            await server.start()
            check = InvertedCheck(
                Endpoint("127.0.0.1", server.port, "/b/k"), lambda healthy: told.append((healthy, len(served)))
            )
            await check.start()
            while len(served) <= len(statuses):  # noqa: ASYNC110 - one more request: the check has counted them all
                await asyncio.sleep(0.01)
            await check.stop()
            await server.stop()

        with BackgroundLoop() as loop:
            loop.run(asyncio.wait_for(watch(), 120))
        return told

    def test_three_in_a_row_turn_it(self) -> None:
        """A stray answer turns nothing; three in a row do, and they are told once."""
        assert self.told([200, 200, 404, 200, 301, 399, 200]) == [(False, 6)]

    @pytest.mark.parametrize("failing", [403, 404, 400, 500, 503])
    def test_what_fails_is_healthy_again(self, failing: int) -> None:
        """Whatever is not 2xx or 3xx is absence, and takes three in a row as well."""
        assert self.told([200, 200, 200, failing, failing, 200, failing, failing, failing]) == [(False, 3), (True, 9)]

    def test_nobody_there_is_healthy(self) -> None:
        """An endpoint that refuses says what one without the object says, and checking goes on: it may come up."""
        told: list[bool] = []

        async def answer(_: Request) -> Response:
            return Response(200)

        async def watch() -> None:
            server = WebServer("127.0.0.1", 0, answer)
            await server.start()
            check = InvertedCheck(Endpoint("127.0.0.1", server.port, "/b/k"), told.append)
            await check.start()
            for expected in ([False], [False, True], [False, True, False]):
                while told != expected:  # noqa: ASYNC110 - the check is not asked to tell anybody else
                    await asyncio.sleep(0.01)
                await (server.stop() if expected[-1] is False else server.start())
            await check.stop()

        with BackgroundLoop() as loop:
            loop.run(asyncio.wait_for(watch(), 120))
        assert told == [False, True, False]
