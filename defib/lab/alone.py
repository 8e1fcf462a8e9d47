"""One vendor of the lab by itself, for whoever tests an adapter against it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from defib.clock import Clock, SystemClock
from defib.lab.aws import Aws
from defib.lab.background import BackgroundLoop
from defib.lab.cloudflare import CloudflareApi
from defib.lab.faults import Fault, FaultSwitch
from defib.lab.furniture import cloudflare_zones, furnish
from defib.lab.inbox import Inbox
from defib.lab.plan import AddressPlan
from defib.lab.replication.furniture import furnish as furnish_replication
from defib.lab.statuspage import StatuspageApi
from defib.lab.strict.signature import Credentials
from defib.ports import RecordSet


@dataclass(frozen=True)
class RunningAws:
    """AWS on `endpoint`, furnished as in :mod:`defib.lab.furniture`."""

    endpoint: str
    credentials: Credentials
    aws: Aws
    loop: BackgroundLoop

    def set_fault(self, service: str, fault: Fault | None) -> None:
        """Break ``route53``, ``s3-replication``, ``s3-eu-west-1`` or another of its switches, or heal it with None."""
        self.loop.run(_set(self.aws.switches[service], fault))


@dataclass(frozen=True)
class RunningCloudflare:
    """Cloudflare's API on `endpoint` (with ``/client/v4``), furnished as in :mod:`defib.lab.furniture`."""

    endpoint: str
    token: str
    api: CloudflareApi
    loop: BackgroundLoop

    def set_fault(self, fault: Fault | None) -> None:
        """Break the API, or heal it with None."""
        self.loop.run(_set(self.api.switch, fault))


@contextmanager
def serve_aws(
    address: str = "127.0.0.1",
    port: int = 0,
    *,
    clock: Clock | None = None,
    settles_in: timedelta = timedelta(milliseconds=50),
    deploys_in: timedelta = timedelta(milliseconds=300),
    replicates_in: timedelta = timedelta(milliseconds=300),
) -> Iterator[RunningAws]:
    """AWS with no name servers behind it: a change is INSYNC after `settles_in`. One at a time in a process."""
    with BackgroundLoop() as loop:
        credentials = Credentials("AKIALABLABLABLABLAB0", secrets.token_urlsafe(30))

        def publish(_zone: str, _sets: tuple[RecordSet, ...]) -> Future[None]:
            everywhere: Future[None] = Future()
            loop.later(settles_in, lambda: everywhere.set_result(None))
            return everywhere

        async def build() -> Aws:
            aws = Aws(address, port, credentials, publish, clock, deploys_in=deploys_in, replicates_in=replicates_in)
            furnish(aws, AddressPlan())
            await aws.start()
            return aws

        aws = loop.run(build())
        try:
            yield RunningAws(aws.server.url, credentials, aws, loop)
        finally:
            loop.run(aws.stop())


@contextmanager
def serve_replicated(*, replicates_in: timedelta = timedelta(milliseconds=100)) -> Iterator[RunningAws]:
    """AWS with the two buckets of :mod:`defib.lab.replication.furniture`, and what copies from one to the other."""
    with serve_aws(replicates_in=replicates_in) as running:
        furnish_replication(running.aws.replication.configurations, SystemClock().now())
        yield running


@contextmanager
def serve_cloudflare(
    address: str = "127.0.0.1", port: int = 0, *, clock: Clock | None = None
) -> Iterator[RunningCloudflare]:
    """Cloudflare's API with no edge behind it."""
    with BackgroundLoop() as loop:
        token = secrets.token_urlsafe(30)
        clock = clock or SystemClock()
        api = CloudflareApi(address, port, token, cloudflare_zones(AddressPlan(), clock.now()), clock)
        loop.run(api.start())
        try:
            yield RunningCloudflare(f"{api.server.url}/client/v4", token, api, loop)
        finally:
            loop.run(api.stop())


async def _set(switch: FaultSwitch, fault: Fault | None) -> None:
    switch.set(fault)


@dataclass(frozen=True)
class RunningInbox:
    """The inbox of alerts; its token is in the URLs of `inbox`."""

    inbox: Inbox
    token: str
    loop: BackgroundLoop

    def set_fault(self, fault: Fault | None) -> None:
        """Break every sink, or heal them with None."""
        self.loop.run(self.inbox.set_fault(fault))


@dataclass(frozen=True)
class RunningStatuspage:
    """Statuspage's API on `endpoint` (with ``/v1``)."""

    endpoint: str
    token: str
    api: StatuspageApi
    loop: BackgroundLoop

    def set_fault(self, fault: Fault | None) -> None:
        """Break the API, or heal it with None."""
        self.loop.run(self.api.set_fault(fault))


@contextmanager
def serve_inbox(address: str = "127.0.0.1") -> Iterator[RunningInbox]:
    """The inbox on free ports."""
    with BackgroundLoop() as loop:
        token = secrets.token_hex(13)
        inbox = Inbox(address, 0, 0, token)
        loop.run(inbox.start())
        try:
            yield RunningInbox(inbox, token, loop)
        finally:
            loop.run(inbox.stop())


@contextmanager
def serve_statuspage(address: str = "127.0.0.1") -> Iterator[RunningStatuspage]:
    """Statuspage's API on a free port."""
    with BackgroundLoop() as loop:
        token = secrets.token_hex(16)
        api = StatuspageApi(address, 0, token)
        loop.run(api.start())
        try:
            yield RunningStatuspage(api.api, token, api, loop)
        finally:
            loop.run(api.stop())
