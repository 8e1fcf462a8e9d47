"""Route 53's change batches as the service takes them: checked and made as a whole, INSYNC when all servers agree.

moto accepts a CNAME at the apex or beside other types, loses track of what a DELETE must match, drops every weighted
set of one identifier at once and gives all changes one id, so batches and changes are answered here and moto holds
the result. Messages are those of the service:
https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import datetime

from moto.route53.models import FakeZone, Route53Backend

from defib.clock import Clock
from defib.lab.strict import batch, xml
from defib.lab.strict.batch import Rrset
from defib.lab.strict.xml import AwsError
from defib.lab.web import Request, Response
from defib.ports import RecordSet

Publish = Callable[[str, tuple[RecordSet, ...]], "Future[None]"]
"""Hands a zone's name and content to its servers; the future is done when every one of them answers with it."""

_ZONE = re.compile(r"/2013-04-01/hostedzone/(?P<zone>[^/]+)/rrset/?$")
_CHANGE = re.compile(r"/2013-04-01/change/(?P<change>[^/]+)$")


@dataclass(frozen=True)
class _Submitted:
    at: datetime
    everywhere: Future[None]


class StrictRoute53:
    """Answers change batches and GetChange; everything else is left to moto."""

    def __init__(self, backend: Route53Backend, clock: Clock, publish: Publish) -> None:
        self._backend = backend
        self._clock = clock
        self._publish = publish
        self._changes: dict[str, _Submitted] = {}

    def add_zone(self, zone_id: str, name: str, sets: tuple[RecordSet, ...]) -> None:
        """Create the hosted zone `name` under an id of our choice, with `sets` beside its SOA and NS."""
        zone = self._backend.create_hosted_zone(name, private_zone=False)
        del self._backend.zones[zone.resource_id]
        zone.resource_id = zone_id
        self._backend.zones[zone_id] = zone
        for rrset in zone.rrsets:
            # moto keeps name servers without their dot, the SOA as a mapping, and one TTL as text
            values = [each["Value"] if isinstance(each, dict) else each for each in rrset.records]
            rrset.ttl = int(rrset.ttl or 0)
            rrset.records = [value.rstrip(".") + "." if rrset.type == "NS" else value for value in values]
        for each in sets:
            zone.add_rrset(batch.from_port(each).for_moto())
        self._publish(name, self.content(zone_id))

    def content(self, zone_id: str) -> tuple[RecordSet, ...]:
        """The zone's record sets in order."""
        return tuple(sorted((each.to_port() for each in self._sets(zone_id)), key=lambda each: each.key))

    def zones(self) -> dict[str, str]:
        """The name of each hosted zone by its id."""
        return {zone_id: zone.name for zone_id, zone in self._backend.zones.items()}

    def answer(self, request: Request, *, lying: bool) -> Response | None:
        """The answer to a request that moto is not to see; None leaves it to moto."""
        change = _CHANGE.match(request.path)
        if change is not None and request.method == "GET":
            return self._get_change(change["change"])
        zone = _ZONE.match(request.path)
        if zone is not None and request.method == "POST":
            return self._submit(zone["zone"], request.body, lying=lying)
        return None

    def completed(self, request: Request, response: Response) -> Response:
        """The answer of moto with what it leaves out: a list of health checks always says whether there are more.

        https://docs.aws.amazon.com/Route53/latest/APIReference/API_ListHealthChecks.html
        """
        end = b"</ListHealthChecksResponse>"
        if request.method != "GET" or b"<IsTruncated>" in response.body or end not in response.body:
            return response
        rest = b"<Marker></Marker><IsTruncated>false</IsTruncated><MaxItems>100</MaxItems>"
        return replace(response, body=response.body.replace(end, rest + end))

    def _submit(self, zone_id: str, body: bytes, *, lying: bool) -> Response:
        zone = self._zone(zone_id)
        changes = batch.parse(body)
        after = batch.apply(changes, self._sets(zone_id), zone.name)
        if lying:
            everywhere: Future[None] = Future()
            everywhere.set_result(None)
        else:
            zone.rrsets = []
            for each in after:
                zone.add_rrset(each.for_moto())
            everywhere = self._publish(zone.name, self.content(zone_id))
        change_id = "C" + "".join(secrets.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") for _ in range(20))
        self._changes[change_id] = _Submitted(self._clock.now(), everywhere)
        return self._info("ChangeResourceRecordSetsResponse", change_id, "PENDING")

    def _get_change(self, change_id: str) -> Response:
        submitted = self._changes.get(change_id)
        if submitted is None:
            raise AwsError(404, "NoSuchChange", f"Could not find resource with ID: {change_id}")
        status = "INSYNC" if submitted.everywhere.done() else "PENDING"
        return self._info("GetChangeResponse", change_id, status)

    def _info(self, root: str, change_id: str, status: str) -> Response:
        at = self._changes[change_id].at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        parts = (
            xml.leaf("Id", f"/change/{change_id}"),
            xml.leaf("Status", status),
            xml.leaf("SubmittedAt", at),
        )
        return xml.answer(root, xml.ROUTE53, xml.element("ChangeInfo", *parts))

    def _zone(self, zone_id: str) -> FakeZone:
        zone = self._backend.zones.get(zone_id)
        if zone is None:
            raise AwsError(404, "NoSuchHostedZone", f"No hosted zone found with ID: {zone_id}")
        return zone

    def _sets(self, zone_id: str) -> tuple[Rrset, ...]:
        return tuple(batch.from_moto(each) for each in self._zone(zone_id).rrsets)
