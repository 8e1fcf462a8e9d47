"""One resource of a standby, as its adapter knows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from defib.clock import Deadline
from defib.errors import Conflict, NotFound, Unavailable
from defib.providers.aws import AwsAccess, Clients
from defib.providers.aws_errors import asked, code_of

_CROSSED = {
    "PreconditionFailed",
    "InvalidIfMatchVersion",
    "WAFOptimisticLockException",
    "WAFDuplicateItemException",
    "OperationAborted",
    "BucketAlreadyExists",
    "BucketNotEmpty",
    "OriginAccessControlAlreadyExists",
    "OriginAccessControlInUse",
    "ResponseHeadersPolicyAlreadyExists",
    "ResponseHeadersPolicyInUse",
    "WAFAssociatedItemException",
    "CNAMEAlreadyExists",
    "DistributionAlreadyExists",
}
"""Codes for: somebody else came between, or holds what we want, or stands on what we would take away."""

# What was just made is not known everywhere at once; AWS's advice is to try again:
# https://docs.aws.amazon.com/waf/latest/APIReference/API_CreateWebACL.html. The web ACL was found by its name before.
_NOT_YET = {"WAFUnavailableEntityException", "InvalidWebACLId"}


@dataclass(frozen=True)
class Held:
    """A resource as it stands: canonical JSON, None where there is none; its id, and the version to compare with."""

    text: str | None
    id: str = ""
    version: str = ""


class Resource(Protocol):
    """One resource. What it raises is what every port does."""

    @property
    def type(self) -> str:
        """Its type in a plan."""
        ...

    def read(self, within: Deadline) -> Held:
        """How it stands. Changes nothing."""
        ...

    def wanted(self, held: Held, within: Deadline) -> str:
        """Canonical JSON of how it must stand, given how it does: what Defib does not look after stays."""
        ...

    def write(self, held: Held, text: str | None, within: Deadline) -> str:
        """Let it stand as `text`, or take it away; made where it is not. The receipt's id, "" where nothing is pending."""
        ...

    def settled(self, receipt: str, within: Deadline) -> bool:
        """Whether a write with this receipt is in effect everywhere."""
        ...


class Services:
    """The services of one account; each has one client for all resources, because a client takes long to make."""

    def __init__(self, access: AwsAccess) -> None:
        self.access = access
        self._session = access.session()
        self._known: dict[tuple[str, str], Service] = {}

    def of(self, name: str, region: str = "") -> Service:
        """One service, in `region` or in that of the site file."""
        place = region or self.access.region
        make: Any = self._session.client
        config, endpoint = self.access.config, self.access.endpoint or None
        clients: Clients[Any] = Clients(
            lambda timeout: make(name, region_name=place, endpoint_url=endpoint, config=config(timeout))
        )
        return self._known.setdefault((name, place), Service(name, clients))


class Service:
    """One AWS service: calls that end in time, with its refusals as ours."""

    def __init__(self, name: str, clients: Clients[Any]) -> None:
        self._name = name
        self._clients = clients

    def ask(self, operation: str, within: Deadline, **parameters: Any) -> Any:
        """The answer to one call; :class:`Conflict` where somebody else came between."""
        what = operation.replace("_", " ")
        try:
            return asked(
                lambda: getattr(self._clients.within(within), operation)(**parameters), within, what, self._where(parameters)
            )
        except NotFound as error:
            if code_of(error.__cause__) in _CROSSED:
                then = "look who changed or holds it, then make a new plan"
                raise Conflict(f"{what}: refused", where=error.where, seen=error.seen, then=then) from error.__cause__
            if code_of(error.__cause__) in _NOT_YET:
                raise Unavailable(f"{what}: not yet", where=error.where, seen=error.seen) from error.__cause__
            raise

    def ask_if(self, absent: str, operation: str, within: Deadline, **parameters: Any) -> Any:
        """The same, None where AWS answers with the code `absent`."""
        try:
            return self.ask(operation, within, **parameters)
        except NotFound as error:
            if code_of(error.__cause__) == absent:
                return None
            raise

    def _where(self, parameters: dict[str, Any]) -> str:
        named = [str(parameters[key]) for key in ("Bucket", "Name", "Id") if key in parameters]
        return " ".join([self._name, *named])
