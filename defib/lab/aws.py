"""AWS in the lab: moto in process, behind checks of ours, on one HTTP address.

Every request is authenticated, then spoiled if a fault says so, then checked by the strict layer, and only then
seen by moto. Requests are handled one at a time, so a batch is never seen half made. moto's state is global to the
process: one :class:`Aws` a process.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from moto.backends import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.moto_api._internal.models import moto_api_backend
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from defib.clock import Clock, SystemClock
from defib.lab.callbook import CallBook
from defib.lab.faults import Fault, FaultSwitch
from defib.lab.replication.engine import Replication
from defib.lab.replication.jobs import Jobs
from defib.lab.strict import refusals, s3, s3control
from defib.lab.strict.cloudfront import StrictCloudFront
from defib.lab.strict.cloudwatch import StrictCloudWatch
from defib.lab.strict.headers_policies import HeadersPolicies
from defib.lab.strict.identity import StrictIdentity
from defib.lab.strict.objects import StrictObjects
from defib.lab.strict.route53 import Publish, StrictRoute53
from defib.lab.strict.s3control import is_control
from defib.lab.strict.signature import Credentials, authenticate, check_time, region_of, service_of
from defib.lab.strict.spoiling import ahead, reads_only, spoil
from defib.lab.strict.xml import AwsError
from defib.lab.web import Request, Response, WebServer
from defib.lab.wsgi import call

SERVICES = ("route53", "cloudfront", "s3", "s3control", "monitoring")
"""What can be broken by itself."""

REGIONS = ("us-east-1", "eu-west-1")
"""Where the lab's buckets are."""

_JOB_STEP = timedelta(milliseconds=50)
"""How long a job of batch replication keeps a status before the next."""

_CUT_OFF = ("refuse", "hang", "500")
"""Faults of a Region in which nobody can reach it, S3's replication either."""


class Aws:
    """Route 53, CloudFront, S3 and what belongs to them on one address; `switches` break each of them."""

    def __init__(
        self,
        address: str,
        port: int,
        credentials: Credentials,
        publish: Publish,
        clock: Clock | None = None,
        *,
        deploys_in: timedelta = timedelta(seconds=2),
        invalidates_in: timedelta = timedelta(milliseconds=300),
        replicates_in: timedelta = timedelta(milliseconds=300),
    ) -> None:
        moto_api_backend.reset()
        clock = clock or SystemClock()
        self._credentials = credentials
        self._calls = CallBook.of_environment()
        self._app = DomainDispatcherApplication(create_backend_app)
        self._one_at_a_time = asyncio.Lock()
        self.switches = {name: FaultSwitch() for name in (*SERVICES, *(f"s3-{region}" for region in REGIONS))}
        self.identity = StrictIdentity(
            DEFAULT_ACCOUNT_ID, lambda service: service in self.switches and reads_only(self.switches[service].fault)
        )
        self.server = WebServer(address, port, self._answer)
        self.route53 = StrictRoute53(get_backend("route53")[DEFAULT_ACCOUNT_ID]["aws"], clock, publish)
        self.cloudfront = StrictCloudFront(
            get_backend("cloudfront")[DEFAULT_ACCOUNT_ID]["aws"],
            clock,
            deploys_in=deploys_in,
            invalidates_in=invalidates_in,
        )
        self.headers_policies = HeadersPolicies(self.cloudfront.headers_policies_in_use)
        self.replication = Replication(self._one_at_a_time, clock, replicates_in, self._cut_off)
        self.switches["s3-replication"] = self.replication.switch
        self.jobs = Jobs(self.replication, self._one_at_a_time, clock, _JOB_STEP)
        self._objects = StrictObjects(self.replication)
        self._cloudwatch = StrictCloudWatch(self.replication, clock)

    async def start(self) -> None:
        """Listen, and replicate."""
        await self.server.start()
        self.replication.start()
        self.jobs.start()

    async def stop(self) -> None:
        """Stop listening."""
        await self.jobs.stop()
        await self.replication.stop()
        await self.server.stop()

    def _cut_off(self, region: str) -> bool:
        switch = self.switches.get(f"s3-{region}")
        return switch is not None and switch.fault is not None and switch.fault.name in _CUT_OFF

    async def _answer(self, request: Request) -> Response | None:
        anybody = s3.readable_by_all(request)
        service = "s3" if anybody else "s3control" if is_control(request) else service_of(request)
        try:
            if not anybody:
                authenticate(request, self._credentials)
                self._calls.write(request, service)
            faults = [switch.spend() or Fault("none") for switch in self._switches(service, request)]
            for switch, fault in zip(self._switches(service, request), faults, strict=True):
                if fault.name == "refuse":
                    return None
                if fault.name == "hang":
                    await switch.changed()
                    return None
                await spoil(fault, service, request)
            if not anybody:
                # Clients sign by the time of the machine, whatever the time of the lab is.
                check_time(request, SystemClock().now() + sum(map(ahead, faults), timedelta(0)))
            names = {fault.name for fault in faults}
            async with self._one_at_a_time:
                response = await self._through(request, service, lying="lying" in names)
        except AwsError as error:
            return refusals.refuse(error, service, request)
        if "short-listing" in names:
            response = s3.without_last(response)
        return None if "lost-answer" in names else response

    def _switches(self, service: str, request: Request) -> list[FaultSwitch]:
        """Those of the service, and of S3 in the Region that the request is signed for."""
        named = (service, f"s3-{region_of(request)}" if service in ("s3", "s3control") else "")
        return [self.switches[name] for name in named if name in self.switches]

    async def _through(self, request: Request, service: str, *, lying: bool) -> Response:
        if service == "route53":
            answered = self.route53.answer(request, lying=lying)
            return answered or self.route53.completed(request, await self._moto(request))
        if service == "cloudfront":
            return await self._through_cloudfront(request, lying=lying)
        if service in ("iam", "sts"):
            return self.identity.answer(request, service) or await self._moto(request)
        if service == "s3control":
            return s3control.answer(request, self.jobs)
        if service == "monitoring":
            self._cloudwatch.tell(region_of(request))
        if service != "s3":
            return await self._moto(request)
        s3.check_body(request)
        s3.judge_by_us(request)
        told = s3.lie(request) if lying else None
        return told or await self._objects.through(request, self._moto)

    async def _through_cloudfront(self, request: Request, *, lying: bool) -> Response:
        answered = self.cloudfront.conflicts(request) or self.headers_policies.answer(request)
        answered = answered or self.cloudfront.before(request, lying=lying)
        if answered is not None:
            return answered
        if lying and request.method == "PUT":
            target = request.target.removesuffix("/config")
            return self.cloudfront.lie(await self._moto(Request("GET", target, request.headers)))
        return self.cloudfront.after(request, await self._moto(request))

    async def _moto(self, request: Request) -> Response:
        return await asyncio.to_thread(call, self._app, request, self.server.address, self.server.port)
