"""CloudFront's adapter keeps the contract against the lab's AWS."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from defib.clock import Deadline, SystemClock
from defib.errors import NotFound, Unavailable
from defib.lab.alone import RunningAws, serve_aws
from defib.lab.background import BackgroundLoop
from defib.lab.faults import Fault
from defib.lab.furniture import ORIGIN, distribution_config
from defib.lab.web import Request, Response, WebServer
from defib.ports import Receipt
from defib.providers.aws import AwsAccess
from defib.providers.cdn.cloudfront import CloudFront
from tests.contracts.cdn import CdnContract, CdnWorld

_NUMBERS = itertools.count(1)

DEPLOYS_IN = timedelta(milliseconds=300)
"""How long the lab takes to deploy and to invalidate at the least."""


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


def fresh_distribution(aws: RunningAws, **changes: Any) -> tuple[str, str]:
    """A new distribution and the one name that it answers for."""
    number = next(_NUMBERS)
    distribution, name = f"E{number:013d}", f"www-{number}.contract.test"

    async def add() -> None:
        config = distribution_config([name]) | {"CallerReference": distribution} | changes
        aws.aws.cloudfront.add_distribution(distribution, f"d{number}.cloudfront.net", config)

    aws.loop.run(add())
    return distribution, name


def disable(aws: RunningAws, distribution: str) -> None:
    """Switch a distribution off, as its owner does."""
    client = access(aws).session().client("cloudfront", endpoint_url=aws.endpoint)
    held = client.get_distribution_config(Id=distribution)
    config = held["DistributionConfig"]
    config["Enabled"] = False
    client.update_distribution(Id=distribution, IfMatch=held["ETag"], DistributionConfig=config)


# moto refuses a behaviour whose target is an origin group, so this answer is spelt out, as in CloudFront's API reference.
_GROUPED = b"""<?xml version="1.0"?>
<Distribution xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/">
  <Id>E1</Id><Status>Deployed</Status><DomainName>d1.cloudfront.net</DomainName>
  <DistributionConfig>
    <CallerReference>x</CallerReference>
    <Aliases>
      <Quantity>2</Quantity><Items><CNAME>WWW.contract.test</CNAME><CNAME>*.contract.test</CNAME></Items>
    </Aliases>
    <Origins>
      <Quantity>2</Quantity>
      <Items>
        <Origin><Id>second</Id><DomainName>second.example.net</DomainName></Origin>
        <Origin><Id>first</Id><DomainName>first.example.net</DomainName></Origin>
      </Items>
    </Origins>
    <OriginGroups>
      <Quantity>1</Quantity>
      <Items>
        <OriginGroup>
          <Id>both</Id>
          <Members>
            <Quantity>2</Quantity>
            <Items>
              <OriginGroupMember><OriginId>first</OriginId></OriginGroupMember>
              <OriginGroupMember><OriginId>second</OriginId></OriginGroupMember>
            </Items>
          </Members>
        </OriginGroup>
      </Items>
    </OriginGroups>
    <DefaultCacheBehavior>
      <TargetOriginId>both</TargetOriginId><ViewerProtocolPolicy>https-only</ViewerProtocolPolicy>
    </DefaultCacheBehavior>
    <Comment></Comment><Enabled>true</Enabled>
  </DistributionConfig>
</Distribution>"""


@contextmanager
def canned(body: bytes) -> Iterator[str]:
    """An endpoint that answers every request with `body`."""

    async def handler(_: Request) -> Response:
        return Response(200, (("Content-Type", "text/xml"), ("ETag", "E3")), body)

    with BackgroundLoop() as loop:
        server = WebServer("127.0.0.1", 0, handler)
        loop.run(server.start())
        try:
            yield server.url
        finally:
            loop.run(server.stop())


class TestCloudFront(CdnContract):
    """The contract over the lab's CloudFront."""

    @pytest.fixture
    def world(self, aws: RunningAws) -> CdnWorld:
        """A fresh distribution."""
        distribution, name = fresh_distribution(aws)
        return CdnWorld(
            cdn=CloudFront(distribution, access(aws)),
            name=f"{name}.",
            origin=ORIGIN,
            disable=lambda: disable(aws, distribution),
            purged=lambda: tuple(
                path for each in aws.aws.cloudfront.invalidations.completed(distribution) for path in each.paths
            ),
            denied=CloudFront(distribution, access(aws, secret_key="wrong")),
            unknown=CloudFront("E0UNKNOWN", access(aws)),
        )


class TestCloudFrontAlone:
    """What only CloudFront does."""

    def soon(self, seconds: float = 10) -> Deadline:
        """A deadline."""
        return Deadline.after(SystemClock(), timedelta(seconds=seconds))

    def test_methods_that_an_origin_group_does_not_cover(self, aws: RunningAws) -> None:
        """C15: with an origin group, every method that CloudFront does not fail over is reported; without, none is."""
        with canned(_GROUPED) as endpoint:
            status = CloudFront("E1", AwsAccess(endpoint=endpoint, access_key="AKIA0", secret_key="s")).status(
                within=self.soon()
            )
        assert status.uncovered_methods == ("DELETE", "PATCH", "POST", "PUT")
        assert status.origin == "first.example.net"
        assert status.names == ("*.contract.test.", "www.contract.test.")
        plain, _ = fresh_distribution(aws)
        assert CloudFront(plain, access(aws)).status(within=self.soon()).uncovered_methods == ()

    def test_deployment_under_way_is_not_called_deployed(self, aws: RunningAws) -> None:
        """C13: while the status is InProgress, deployed is False."""
        deadline = self.soon()
        looked_in_time = False
        while not looked_in_time and not deadline.expired():
            distribution, _ = fresh_distribution(aws)
            cdn = CloudFront(distribution, access(aws))
            began = deadline.clock.monotonic()
            disable(aws, distribution)
            deployed = cdn.status(within=self.soon()).deployed
            # On a busy machine the answer may come when the lab has deployed already: then it says nothing.
            looked_in_time = deadline.clock.monotonic() - began < DEPLOYS_IN
            assert not (looked_in_time and deployed)
        assert looked_in_time
        while not cdn.status(within=self.soon()).deployed:
            assert not deadline.expired()
            deadline.clock.sleep(timedelta(milliseconds=20))

    def test_purge_takes_its_time(self, aws: RunningAws) -> None:
        """An invalidation that is in progress is not settled."""
        deadline = self.soon()
        looked_in_time = False
        while not looked_in_time and not deadline.expired():
            distribution, _ = fresh_distribution(aws)
            cdn = CloudFront(distribution, access(aws))
            began = deadline.clock.monotonic()
            settled = cdn.settled(cdn.purge(["/index.html"], within=self.soon()), within=self.soon())
            looked_in_time = deadline.clock.monotonic() - began < DEPLOYS_IN
            assert not (looked_in_time and settled)
        assert looked_in_time

    def test_too_many_purges_may_pass(self, aws: RunningAws) -> None:
        """R16: the limit of invalidations in progress is a matter of waiting."""
        distribution, _ = fresh_distribution(aws)
        cdn = CloudFront(distribution, access(aws))
        with pytest.raises(Unavailable) as caught:
            cdn.purge([f"/{number}/*" for number in range(16)], within=self.soon())
        assert "TooManyInvalidationsInProgress" in caught.value.seen

    def test_bad_path_is_a_matter_of_configuration(self, aws: RunningAws) -> None:
        """A path that CloudFront refuses will be refused again."""
        distribution, _ = fresh_distribution(aws)
        with pytest.raises(NotFound):
            CloudFront(distribution, access(aws)).purge(["no-slash"], within=self.soon())

    def test_unknown_purge_is_not_found(self, aws: RunningAws) -> None:
        """A receipt that CloudFront does not know is never settled."""
        distribution, _ = fresh_distribution(aws)
        with pytest.raises(NotFound):
            CloudFront(distribution, access(aws)).settled(Receipt("I0"), within=self.soon())

    def test_hanging_api_is_unavailable_by_the_deadline(self, aws: RunningAws) -> None:
        """C5: a vendor that accepts and then says nothing costs the deadline, not more."""
        distribution, _ = fresh_distribution(aws)
        aws.set_fault("cloudfront", Fault("hang"))
        clock = SystemClock()
        started = clock.monotonic()
        try:
            with pytest.raises(Unavailable):
                CloudFront(distribution, access(aws)).status(within=self.soon(0.3))
        finally:
            aws.set_fault("cloudfront", None)
        assert clock.monotonic() - started < timedelta(seconds=20)
