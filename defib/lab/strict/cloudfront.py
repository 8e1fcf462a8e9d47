"""CloudFront's versions, names, deployments and invalidations, which moto takes lightly.

moto accepts any ``If-Match``, keeps one ETag for ever, lets two distributions hold one name, and calls everything
deployed and every invalidation completed at once. Codes are those listed with each operation in
https://docs.aws.amazon.com/cloudfront/latest/APIReference/. What an edge serves follows the configuration that is
*deployed*, not the one last accepted.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from xml.etree.ElementTree import Element

from moto.cloudfront.models import CloudFrontBackend, Distribution
from moto.moto_api import state_manager

from defib.clock import Clock
from defib.lab.strict import forgotten, xml
from defib.lab.strict.invalidations import Invalidations
from defib.lab.strict.viewer import check_certificate
from defib.lab.strict.xml import AwsError
from defib.lab.web import Request, Response

_PATH = re.compile(r"/2020-05-31/distribution(?:/(?P<id>[^/]+)(?P<rest>/.*)?)?$")
_CONFLICTS = "/2020-05-31/conflicting-alias"
_MODEL = "cloudfront::distribution"


@dataclass(frozen=True)
class Live:
    """One distribution as the edges know it: the configuration that was last deployed."""

    id: str
    enabled: bool
    names: tuple[str, ...]
    origin: str
    root_object: str
    headers_policy: str
    methods: tuple[str, ...]
    origin_path: str
    access_control: str


@dataclass
class _Versions:
    """What the layer knows of one distribution beside moto: ETags given out, and the deployment under way."""

    etags: list[str] = field(default_factory=list)
    live: Live | None = None
    due: timedelta = timedelta(0)


class StrictCloudFront:
    """Checks what moto does not before it sees a request, and keeps what it does not keep."""

    def __init__(
        self, backend: CloudFrontBackend, clock: Clock, *, deploys_in: timedelta, invalidates_in: timedelta
    ) -> None:
        self._backend = backend
        self._clock = clock
        self._deploys_in = deploys_in
        self._versions: dict[str, _Versions] = {}
        self.invalidations = Invalidations(clock, invalidates_in)
        state_manager.set_transition(_MODEL, {"progression": "manual", "times": 2**62})

    def add_distribution(self, distribution_id: str, domain: str, config: Mapping[str, Any]) -> None:
        """Create a distribution under an id and a domain of our choice, deployed from the start."""
        origins = forgotten.origins_of(config)
        made, _, _ = self._backend.create_distribution(deepcopy(dict(config)), [])
        forgotten.remember_origins(_config(made), origins)
        del self._backend.distributions[made.distribution_id]
        made.arn = made.arn.replace(made.distribution_id, distribution_id)
        made.id = made.distribution_id = distribution_id
        made.domain_name = domain
        self._backend.distributions[distribution_id] = made
        self._accept(made)
        self._versions[distribution_id].due = self._clock.monotonic()

    def live(self) -> tuple[Live, ...]:
        """What the edges serve now."""
        self.advance()
        return tuple(each.live for each in list(self._versions.values()) if each.live is not None)

    def configurations(self) -> dict[str, Any]:
        """The whole configuration of each distribution as last accepted, in the shape of JSON."""
        held = self._backend.distributions.items()
        return {distribution_id: _plain(_config(each)) for distribution_id, each in sorted(held)}

    def headers_policies_in_use(self) -> frozenset[str]:
        """The ids of the response headers policies that default behaviours name."""
        behaviors = [_config(each).DefaultCacheBehavior for each in self._backend.distributions.values()]
        return frozenset(each.response_headers_policy_id for each in behaviors if each.response_headers_policy_id)

    def advance(self) -> None:
        """Let deployments that are due take effect."""
        for distribution_id, versions in list(self._versions.items()):
            distribution = self._backend.distributions.get(distribution_id)
            if distribution is None:
                del self._versions[distribution_id]
            elif distribution.status != "Deployed" and self._clock.monotonic() >= versions.due:
                distribution.status = "Deployed"
                versions.live = _live(distribution)

    def before(self, request: Request, *, lying: bool) -> Response | None:
        """Refuse, or answer, what moto is not to see; None lets it through."""
        self.advance()
        match = _PATH.match(request.path)
        if match is None:
            return None
        if request.body:
            _check_quantities(xml.parse(request.body))
        distribution_id, rest = match["id"], match["rest"] or ""
        if distribution_id is None:
            if request.method == "POST":
                self._check_names(request, "")
            return None
        distribution = self._backend.distributions.get(distribution_id)
        if distribution is None:
            raise AwsError(404, "NoSuchDistribution", "The specified distribution does not exist.")
        if rest.startswith("/invalidation"):
            return self.invalidations.answer(request, distribution_id, rest, lying=lying)
        if request.method in ("PUT", "DELETE"):
            self._check_version(request, distribution_id)
        if request.method == "PUT":
            self._check_update(request, distribution)
        if request.method == "DELETE" and _config(distribution).Enabled in (True, "true"):
            raise AwsError(409, "DistributionNotDisabled", "The distribution you are trying to delete is enabled.")
        return None

    def after(self, request: Request, response: Response) -> Response:
        """What moto answered, with the ETag and status that CloudFront would give."""
        match = _PATH.match(request.path)
        if match is None or response.status >= HTTPStatus.MULTIPLE_CHOICES or request.method not in ("POST", "PUT"):
            return response
        distribution_id = match["id"] or response.header("Location").rpartition("/")[2]
        distribution = self._backend.distributions[distribution_id]
        if match["id"] is None or match["rest"] == "/config":
            sent = xml.parse(request.body)
            forgotten.remember_origins(_config(distribution), forgotten.origins_in(sent))
            forgotten.remember_functions(_config(distribution), sent)
        self._accept(distribution)
        body = re.sub(rb"<Status>[^<]*</Status>", b"<Status>InProgress</Status>", response.body, count=1)
        answered = Response(response.status, response.headers, body)
        return answered.with_headers(("ETag", distribution.etag))

    def lie(self, response: Response) -> Response:
        """The answer to a GET of the distribution, dressed up as the answer to an update that was never made."""
        body = re.sub(rb"<Status>[^<]*</Status>", b"<Status>InProgress</Status>", response.body, count=1)
        return Response(response.status, response.headers, body).with_headers(("ETag", _etag()))

    def _accept(self, distribution: Distribution) -> None:
        distribution.etag = _etag()
        distribution.status = "InProgress"
        versions = self._versions.setdefault(distribution.distribution_id, _Versions())
        versions.etags.append(distribution.etag)
        versions.due = self._clock.monotonic() + self._deploys_in

    def _check_version(self, request: Request, distribution_id: str) -> None:
        given = request.headers.get("if-match", "").strip('"')
        known = self._versions[distribution_id].etags
        if given not in known:
            message = "The If-Match version is missing or not valid for the resource."
            raise AwsError(400, "InvalidIfMatchVersion", message)
        if given != known[-1]:
            message = "The request failed because it didn't meet the preconditions in one or more request-header fields."
            raise AwsError(412, "PreconditionFailed", message)

    def _check_update(self, request: Request, distribution: Distribution) -> None:
        reference = xml.text(xml.parse(request.body), "CallerReference")
        if reference != distribution.distribution_config.caller_reference:
            raise AwsError(400, "IllegalUpdate", "The update contains modifications that are not allowed.")
        self._check_names(request, distribution.distribution_id)

    def conflicts(self, request: Request) -> Response | None:
        """Answer ListConflictingAliases: everybody else who holds the name, their ids half hidden; None for other calls."""
        if (request.method, request.path) != ("GET", _CONFLICTS):
            return None
        asked = request.query
        own, wanted = asked.get("DistributionId", ""), asked.get("Alias", "").lower()
        if own not in self._backend.distributions:
            raise AwsError(404, "NoSuchDistribution", "The specified distribution does not exist.")
        overlapping = (wanted, f"*.{wanted.partition('.')[2]}")
        held = [
            f"<ConflictingAlias><Alias>{alias}</Alias><DistributionId>*******{other.distribution_id[-7:]}</DistributionId>"
            "<AccountId>******789012</AccountId></ConflictingAlias>"
            for other in self._backend.distributions.values()
            for alias in _aliases(other)
            if other.distribution_id != own and alias in overlapping
        ]
        body = (
            f'<ConflictingAliasesList xmlns="{xml.CLOUDFRONT}"><MaxItems>100</MaxItems><Quantity>{len(held)}</Quantity>'
            f"<Items>{''.join(held)}</Items></ConflictingAliasesList>"
        )
        return Response(200, (("Content-Type", "text/xml"),), body.encode())

    def _check_names(self, request: Request, distribution_id: str) -> None:
        sent = xml.parse(request.body)
        wanted = {(each.text or "").lower() for each in sent.findall(".//Aliases/Items/CNAME")}
        for other in self._backend.distributions.values():
            if other.distribution_id != distribution_id and wanted & set(_aliases(other)):
                message = "One or more of the CNAMEs you provided are already associated with a different resource."
                raise AwsError(409, "CNAMEAlreadyExists", message)
        check_certificate(sent)


def _check_quantities(root: Element) -> None:
    for each in root.iter():
        items, quantity = each.find("Items"), each.find("Quantity")
        if quantity is not None and int(quantity.text or 0) != len(items if items is not None else ()):
            message = f"The value of Quantity and the size of Items don't match in {each.tag}."
            raise AwsError(400, "InconsistentQuantities", message)


def _live(distribution: Distribution) -> Live:
    config = _config(distribution)
    behaviour = config.DefaultCacheBehavior
    origin = next(each for each in config.Origins["Items"] if each.id == behaviour.target_origin_id)
    return Live(
        id=distribution.distribution_id,
        enabled=config.Enabled in (True, "true"),
        names=(*_aliases(distribution), distribution.domain_name),
        origin=origin.domain_name,
        root_object=config.DefaultRootObject or "",
        headers_policy=behaviour.response_headers_policy_id or "",
        methods=tuple(behaviour.allowed_methods.items),
        origin_path=origin.origin_path,
        access_control=getattr(origin, "origin_access_control_id", ""),
    )


def _aliases(distribution: Distribution) -> tuple[str, ...]:
    return tuple(name.lower() for name in _config(distribution).Aliases.get("Items") or ())


def _config(distribution: Distribution) -> Any:
    """The configuration as moto holds it: attributes named as in the API, which it sets from the request."""
    return distribution.distribution_config


def _plain(held: Any) -> Any:
    """Make JSON of moto's mixture of objects and mappings."""
    if isinstance(held, dict):
        return {str(name): _plain(value) for name, value in held.items()}
    if isinstance(held, list | tuple):
        return [_plain(value) for value in held]
    if held is None or isinstance(held, str | int | float | bool):
        return held
    return _plain(vars(held))


def _etag() -> str:
    return "E" + "".join(secrets.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") for _ in range(13))
