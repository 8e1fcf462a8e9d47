"""AWS in the lab: moto in process, behind checks of ours, on one HTTP address.

Every request is authenticated, then spoiled if a fault says so, then checked by the strict layer, and only then
seen by moto. Requests are handled one at a time, so a batch is never seen half made. moto's state is global to the
process: one :class:`Aws` a process.
"""

from __future__ import annotations

import asyncio
import io
import sys
from datetime import timedelta
from typing import Any
from urllib.parse import unquote, urlsplit

from moto.backends import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.moto_api._internal.models import moto_api_backend
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from defib.clock import Clock, SystemClock
from defib.lab.faults import Fault, FaultSwitch
from defib.lab.replication.engine import Replication
from defib.lab.strict import s3, xml
from defib.lab.strict.cloudfront import StrictCloudFront
from defib.lab.strict.headers_policies import HeadersPolicies
from defib.lab.strict.identity import StrictIdentity
from defib.lab.strict.objects import StrictObjects
from defib.lab.strict.route53 import Publish, StrictRoute53
from defib.lab.strict.signature import Credentials, authenticate, service_of
from defib.lab.strict.xml import AwsError
from defib.lab.web import Request, Response, WebServer

_NAMESPACES = {"route53": xml.ROUTE53, "cloudfront": xml.CLOUDFRONT}


class Aws:
    """Route 53, CloudFront and S3 on one address; `switches` break each of them."""

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
        self._app = DomainDispatcherApplication(create_backend_app)
        self._one_at_a_time = asyncio.Lock()
        self.switches = {service: FaultSwitch() for service in ("route53", "cloudfront", "s3")}
        self.identity = StrictIdentity(
            DEFAULT_ACCOUNT_ID, lambda service: service in self.switches and _reads_only(self.switches[service].fault)
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
        self.replication = Replication(self._one_at_a_time, clock, replicates_in, lambda _region: False)
        self._objects = StrictObjects(self.replication)

    async def start(self) -> None:
        """Listen, and replicate."""
        await self.server.start()
        self.replication.start()

    async def stop(self) -> None:
        """Stop listening."""
        await self.replication.stop()
        await self.server.stop()

    async def _answer(self, request: Request) -> Response | None:
        anybody = s3.readable_by_all(request)
        service = "s3" if anybody else service_of(request)
        fault = Fault("none")
        try:
            if not anybody:
                authenticate(request, self._credentials)
            switch = self.switches.get(service)
            if switch is not None:
                fault = switch.spend() or fault
                if fault.name == "hang":
                    await switch.changed()
                    return None
                await _spoil(fault, service, request)
            async with self._one_at_a_time:
                response = await self._through(request, service, lying=fault.name == "lying")
        except AwsError as error:
            return xml.refuse(error, _NAMESPACES.get(service, ""))
        if fault.name == "short-listing":
            response = s3.without_last(response)
        return None if fault.name == "lost-answer" else response

    async def _through(self, request: Request, service: str, *, lying: bool) -> Response:
        if service == "route53":
            answered = self.route53.answer(request, lying=lying)
            return answered or self.route53.completed(request, await self._moto(request))
        if service == "cloudfront":
            return await self._through_cloudfront(request, lying=lying)
        if service in ("iam", "sts"):
            return self.identity.answer(request, service)
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
        return await asyncio.to_thread(_call, self._app, request, self.server.address, self.server.port)


def _reads_only(fault: Fault | None) -> bool:
    return fault is not None and fault.name == "read-only"


async def _spoil(fault: Fault, service: str, request: Request) -> None:
    """Refuse as the fault says, or make it wait."""
    if fault.name == "429":
        # AWS throttles with 400 and a code, not with 429:
        # https://docs.aws.amazon.com/Route53/latest/APIReference/CommonErrors.html
        # S3 with 503: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
        wait = ("Retry-After", f"{fault.option('retry_after', 1):g}")
        if service == "s3":
            raise AwsError(503, "SlowDown", "Please reduce your request rate.", (wait,))
        raise AwsError(400, "Throttling", "Rate exceeded", (wait,))
    if fault.name == "500":
        raise AwsError(500, "InternalFailure", "We encountered an internal error. Please try again.")
    if fault.name == "denied" or (_reads_only(fault) and request.method not in ("GET", "HEAD")):
        who = f"arn:aws:iam::{DEFAULT_ACCOUNT_ID}:user/defib"
        raise AwsError(403, "AccessDenied", f"User: {who} is not authorized to perform: {service}:*")
    if fault.name == "slow":
        await asyncio.sleep(fault.option("delay", 5))


def _call(app: DomainDispatcherApplication, request: Request, address: str, port: int) -> Response:
    """One WSGI call, all of its answer at once."""
    answered: list[tuple[int, tuple[tuple[str, str], ...]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], *_: object) -> None:
        answered.append((int(status[:3]), tuple(headers)))

    chunks = app(_environ(request, address, port), start_response)
    body = b"".join(chunks)
    status, headers = answered[-1]
    return Response(status, headers, body)


def _environ(request: Request, address: str, port: int) -> dict[str, Any]:
    url = urlsplit(request.target)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(url.path, "latin-1"),
        "RAW_URI": request.target,
        "REQUEST_URI": request.target,
        "QUERY_STRING": url.query,
        "SERVER_NAME": address,
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": address,
        "CONTENT_LENGTH": str(len(request.body)),
        "CONTENT_TYPE": request.headers.get("content-type", ""),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in request.headers.items():
        if name not in ("content-type", "content-length", "transfer-encoding"):
            environ[f"HTTP_{name.upper().replace('-', '_')}"] = value
    return environ
