"""Netlify, as the host of one site.

Operations and fields: Netlify's OpenAPI description (https://github.com/netlify/open-api, ``swagger.yml``);
limits of calls: https://docs.netlify.com/api-and-cli-guides/api-guides/get-started-with-api/#rate-limiting.
"""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import quote

import httpx
from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from defib.clock import Deadline
from defib.errors import Conflict, NotFound, Unavailable
from defib.ports import Attachment, Deployment, Quota
from defib.providers.host.api import HostApi, Told, host_name, quoted, until

_ISSUED = "issued"
_READY = "ready"
_CURRENT = "current"


class _Deploy(BaseModel):
    id: str
    state: str = ""
    created_at: AwareDatetime
    commit_ref: str | None = None

    def deployment(self) -> Deployment:
        return Deployment(self.id, self.created_at, self.commit_ref or "")


class _Site(BaseModel):
    id: str
    state: str = ""
    plan: str | None = None
    custom_domain: str | None = None
    domain_aliases: list[str] | None = None
    published_deploy: _Deploy | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The site's own domain with its twin, and its aliases.

        "When you assign an apex domain or a www subdomain as the primary domain for your site, two entries are added […]
        The other entry is for the alternative domain that gets redirected automatically to the primary domain":
        https://docs.netlify.com/manage/domains/manage-domains/manage-multiple-domains/. The API does not list it.
        """
        own = host_name(self.custom_domain or "")
        twin = own.removeprefix("www.") if own.startswith("www.") else f"www.{own}"
        aliases = tuple(host_name(each) for each in self.domain_aliases or ())
        return (own, twin, *aliases) if own else aliases


class _Certificate(BaseModel):
    state: str = ""
    domains: list[str] = Field(default_factory=list)
    expires_at: AwareDatetime | None = None

    def covers(self, host: str) -> bool:
        return host in self.domains or f"*.{host.partition('.')[2]}" in self.domains


class _Refusal(BaseModel):
    message: str = ""
    errors: dict[str, list[str]] | None = None


Shape = TypeVar("Shape", bound=BaseModel)


class Netlify:
    """Fulfils :class:`defib.ports.Host` for one site, by its id.

    Netlify takes a name that no other team holds and asks for no further proof, so a name that is attached is verified.
    One certificate serves all names of a site; it is issued over HTTP, and so only for names that lead to Netlify.
    """

    def __init__(self, site_id: str, token: str, api: str) -> None:
        self._site = site_id
        self._api = HostApi(api, token, "Netlify", f"Netlify, site {site_id}", _read_refusal)

    @property
    def vendor(self) -> str:
        """``netlify``."""
        return "netlify"

    @property
    def project(self) -> str:
        """The site's id."""
        return self._site

    def live(self, *, within: Deadline) -> Deployment | None:
        """The site's published deploy."""
        published = self._read_site(within).published_deploy
        return published.deployment() if published is not None else None

    def attachment(self, name: str, *, within: Deadline) -> Attachment:
        """Whether the name is the site's domain or one of its aliases, and what its certificate says of it."""
        host = host_name(name)
        if host not in self._read_site(within).names:
            return Attachment(f"{host}.", attached=False, verified=False, certificate_until=None, problem="not attached")
        return _described(host, self._read_certificate(within))

    def attach(self, name: str, *, within: Deadline) -> Attachment:
        """Add the name to the site's where it is missing, and ask for a certificate where none covers it.

        Netlify has no compare-and-set: the names are read and written back with this one, so two who attach at the same
        time may undo each other. The lease of the site keeps our own runs apart.
        """
        host = host_name(name)
        site = self._read_site(within)
        if host not in site.names:
            self._write_names(site, host, within)
        certificate = self._read_certificate(within)
        refusal = ""
        if certificate is None or not certificate.covers(host):
            certificate, refusal = self._certified(certificate, within)
        return _described(host, certificate, refusal)

    def publish(self, deployment: str, *, within: Deadline) -> Deployment:
        """Restore an earlier deploy."""
        published = self._read_site(within).published_deploy
        if published is not None and published.id == deployment:
            return published.deployment()
        earlier = self._get(_Deploy, f"{self._path}/deploys/{quote(deployment, safe='')}", within)
        if earlier.state != _READY:
            raise Conflict(
                f"deploy {deployment} cannot be restored", where=self._api.where, expected=_READY, seen=earlier.state
            )
        path = f"{self._path}/deploys/{deployment}/restore"
        return self._parsed(_Deploy, self._api.ask("POST", path, within), f"POST {path}").deployment()

    def quota(self, *, within: Deadline) -> Quota:
        """Nothing that could be relied on: Netlify's documented API says neither that a site is suspended nor why.

        A site over its limits answers its visitors with a page of Netlify's, which is for observers to see.
        """
        site = self._read_site(within)
        state = f", its state is {site.state!r}" if site.state not in {"", _CURRENT} else ""
        plan = f" (plan {site.plan})" if site.plan else ""
        told = f"unknown: Netlify's API does not tell whether the site is suspended{plan}{state}"
        return Quota(suspended=None, details=told)

    @property
    def _path(self) -> str:
        return f"/sites/{self._site}"

    def _read_site(self, within: Deadline) -> _Site:
        return self._get(_Site, self._path, within)

    def _write_names(self, site: _Site, host: str, within: Deadline) -> None:
        body: dict[str, object] = {"custom_domain": host}
        if site.custom_domain:
            body = {"domain_aliases": [*(site.domain_aliases or ()), host]}
        answer = self._api.ask("PATCH", self._path, within, body=body)
        after = self._parsed(_Site, answer, f"PATCH {self._path}")
        if host not in after.names:
            # netlify/open-api#330: an update of the aliases that Netlify takes and does not make.
            raise Unavailable(
                f"PATCH {self._path}: Netlify answered with success and did not attach {host}",
                where=self._api.where,
                seen=", ".join(after.names) or "no names",
            )

    def _read_certificate(self, within: Deadline) -> _Certificate | None:
        try:
            return self._get(_Certificate, f"{self._path}/ssl", within)
        except NotFound:
            return None  # the site was read a moment ago: it is the certificate that is not there

    def _certified(self, present: _Certificate | None, within: Deadline) -> tuple[_Certificate | None, str]:
        """The certificate after asking for one, and Netlify's words where it cannot be issued now.

        "Use POST /api/v1/sites/{site_id}/ssl/renew to renew an existing Let's Encrypt certificate": the description of
        ``POST /sites/{site_id}/ssl``, which refuses to be asked where there is one already.
        """
        path = f"{self._path}/ssl" if present is None else f"{self._path}/ssl/renew"
        try:
            answer = self._api.ask("POST", path, within)
        except (Conflict, NotFound) as error:
            return present, error.seen
        return self._parsed(_Certificate, answer, f"POST {path}"), ""

    def _get(self, shape: type[Shape], path: str, within: Deadline) -> Shape:
        return self._parsed(shape, self._api.ask("GET", path, within), f"GET {path}")

    def _parsed(self, shape: type[Shape], answer: bytes, what: str) -> Shape:
        try:
            return shape.model_validate_json(answer)
        except ValidationError as error:
            seen = answer[:200].decode(errors="replace")
            raise Unavailable(f"{what}: not the answer that Netlify documents", where=self._api.where, seen=seen) from error


def _described(host: str, certificate: _Certificate | None, refusal: str = "") -> Attachment:
    problem, ends = "", None
    if certificate is None:
        problem = refusal or "no certificate"
    elif not certificate.covers(host):
        problem = refusal or f"the certificate is for {', '.join(certificate.domains) or 'no name'}"
    elif certificate.state != _ISSUED:
        problem = f"the certificate is {certificate.state or 'in no state that Netlify tells'}"
    else:
        ends = certificate.expires_at
    return Attachment(f"{host}.", attached=True, verified=True, certificate_until=ends, problem=problem)


def _read_refusal(answer: httpx.Response, now: datetime) -> Told:
    """``{"code", "message"}``, or ``{"errors": {field: [words]}}`` for a value that is not taken."""
    reset = answer.headers.get("X-RateLimit-Reset", "")
    # Every answer names the moment at which calls are free again; only a throttled one is a wish to wait for it.
    throttled = answer.status_code == HTTPStatus.TOO_MANY_REQUESTS and reset.isdecimal()
    wish = until(datetime.fromtimestamp(int(reset), UTC), now) if throttled else None
    try:
        refusal = _Refusal.model_validate_json(answer.content)
    except ValidationError:
        return Told(quoted(answer), wish)
    fields = [f"{field} {', '.join(words)}" for field, words in (refusal.errors or {}).items()]
    return Told("; ".join(filter(None, (refusal.message, *fields))) or quoted(answer), wish)
