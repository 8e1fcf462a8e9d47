"""Vercel, as the host of one project.

Operations, fields and statuses: Vercel's OpenAPI description (https://github.com/vercel/sdk, ``vercel-spec.json``);
errors: https://vercel.com/docs/rest-api/reference/errors.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import quote

import httpx
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from defib.clock import Deadline
from defib.errors import Conflict, Denied, NotFound, Unavailable
from defib.ports import Attachment, Deployment, Quota
from defib.providers.host.api import HostApi, Told, host_name, quoted, until

_READY = "READY"
_UNDER_WAY = {"pending", "in-progress"}
_COMMITS = ("githubCommitSha", "gitlabCommitSha", "bitbucketCommitSha", "gitCommitSha")


class _Part(BaseModel):
    """Names in Vercel's JSON are in camel case."""

    model_config = ConfigDict(alias_generator=to_camel)


class _Target(_Part):
    id: str
    created_at: int
    ready_state: str = _READY
    meta: dict[str, str] = Field(default_factory=dict)

    def deployment(self) -> Deployment:
        commit = next((self.meta[name] for name in _COMMITS if self.meta.get(name)), "")
        return Deployment(self.id, datetime.fromtimestamp(self.created_at / 1000, UTC), commit)


class _AliasRequest(_Part):
    to_deployment_id: str
    job_status: str
    type: str


class _Project(_Part):
    id: str
    account_id: str
    paused: bool = False
    last_alias_request: _AliasRequest | None = None
    targets: dict[str, _Target | None] = Field(default_factory=dict)

    @property
    def production(self) -> _Target | None:
        return self.targets.get("production")

    @property
    def coming(self) -> str:
        """The deployment that Vercel has been asked to promote or roll back to, and is about to; "" for none."""
        asked = self.last_alias_request
        return asked.to_deployment_id if asked is not None and asked.job_status in _UNDER_WAY else ""


class _Challenge(_Part):
    type: str
    domain: str
    value: str


class _Domain(_Part):
    name: str
    verified: bool
    git_branch: str | None = None
    custom_environment_id: str | None = None
    verification: list[_Challenge] = Field(default_factory=list)


class _Configuration(_Part):
    misconfigured: bool


class _Certificate(_Part):
    cns: list[str]
    expiration: AwareDatetime


class _Certificates(_Part):
    certs: list[_Certificate]


class _SoftBlock(_Part):
    reason: str
    blocked_due_to_overage_type: str = ""


class _Account(_Part):
    id: str
    limited: bool = False
    soft_block: _SoftBlock | None = None


class _User(_Part):
    user: _Account


class _Limit(_Part):
    reset: int


class _Error(_Part):
    code: str = ""
    message: str = ""
    limit: _Limit | None = None


class _Refusal(_Part):
    error: _Error


Shape = TypeVar("Shape", bound=BaseModel)


class Vercel:
    """Fulfils :class:`defib.ports.Host` for one project, by its id; `team` is the id of the team that owns it, if any.

    Vercel issues certificates by itself, as soon as a verified name leads to it, so there is nothing to ask for. Its
    documented API does not tell which certificates it holds. The list that Vercel's own command line reads
    (``/v4/now/certs?cn=``) does, and is used where it answers; where it does not, the end of the certificate stays untold.
    A name that does not lead to Vercel is `misconfigured`: a problem only where no certificate is known to be held.
    """

    def __init__(self, project: str, team: str, token: str, api: str) -> None:
        self._project = project
        self._query = {"teamId": team} if team else {}
        self._api = HostApi(api, token, "Vercel", f"Vercel, project {project}", _read_refusal)

    @property
    def vendor(self) -> str:
        """``vercel``."""
        return "vercel"

    @property
    def project(self) -> str:
        """The project's id."""
        return self._project

    def live(self, *, within: Deadline) -> Deployment | None:
        """The project's production deployment; :class:`Unavailable` while Vercel cannot say which one is served."""
        target = self._read_project(within).production
        if target is None:
            return None
        if target.ready_state != _READY:
            raise Unavailable(
                "which deployment is served cannot be told",
                where=self._api.where,
                expected=f"a production deployment that is {_READY}",
                seen=f"{target.id} is {target.ready_state}",
            )
        return target.deployment()

    def attachment(self, name: str, *, within: Deadline) -> Attachment:
        """The project's domain, its DNS as Vercel sees it, and the certificate where Vercel tells."""
        host = host_name(name)
        domain = self._read_domain(host, within)
        if domain is None:
            return Attachment(f"{host}.", attached=False, verified=False, certificate_until=None, problem="not attached")
        return self._described(domain, within)

    def attach(self, name: str, *, within: Deadline) -> Attachment:
        """Add the domain where the project lacks it, and have it verified where it is not."""
        host = host_name(name)
        domain = self._read_domain(host, within) or self._add(host, within)
        if not domain.verified:
            domain = self._verified(domain, within)
        return self._described(domain, within)

    def publish(self, deployment: str, *, within: Deadline) -> Deployment:
        """Promote an earlier deployment. Vercel takes the promotion and carries it out: :meth:`live` tells when it did.

        :class:`Unavailable` while the promotion of another is under way, which would come to stand in place of this one.
        """
        project = self._read_project(within)
        if project.coming not in {"", deployment}:
            raise Unavailable(
                f"deployment {deployment} cannot be promoted yet",
                where=self._api.where,
                expected="no other promotion under way",
                seen=f"{project.coming} is about to go live",
            )
        if project.production is not None and project.production.id == deployment:
            return project.production.deployment()
        earlier = self._get(_Target, f"/v13/deployments/{quote(deployment, safe='')}", within)
        if project.coming == deployment:
            return earlier.deployment()
        if earlier.ready_state != _READY:
            raise Conflict(
                f"deployment {deployment} cannot be promoted",
                where=self._api.where,
                expected=_READY,
                seen=earlier.ready_state,
            )
        self._api.ask("POST", f"/v10/projects/{self._project}/promote/{deployment}", within, query=self._query)
        return earlier.deployment()

    def quota(self, *, within: Deadline) -> Quota:
        """Whether the project is paused, and whether the account is blocked where that can be told.

        Vercel tells of blocks for the token's own user alone: of a team that owns the project its documented API says
        nothing, nor of a user whose token is limited.
        """
        project = self._read_project(within)
        if project.paused:
            return Quota(suspended=True, details="the project is paused (spend management, or by hand)")
        account = self._get(_User, "/v2/user", within).user
        if account.id != project.account_id:
            told = "unknown: Vercel's API does not tell whether the team that owns the project is blocked"
            return Quota(suspended=None, details=told)
        if account.soft_block is not None:
            block = account.soft_block
            kind = f", {block.blocked_due_to_overage_type}" if block.blocked_due_to_overage_type else ""
            return Quota(suspended=True, details=f"the account is blocked: {block.reason}{kind}")
        if account.limited:
            return Quota(suspended=None, details="unknown: the token is too limited to read whether the account is blocked")
        return Quota(suspended=False, details="neither paused nor blocked, says Vercel")

    def _described(self, domain: _Domain, within: Deadline) -> Attachment:
        named = {"projectIdOrName": self._project}
        path = f"/v6/domains/{domain.name}/config"
        configuration = self._get(_Configuration, path, within, named)
        certificate = self._certificate(domain.name, within)
        problem = ""
        if not domain.verified:
            asked = "; ".join(f"{each.type} {each.domain} = {each.value}" for each in domain.verification)
            problem = f"not verified: Vercel wants {asked}" if asked else "not verified"
        elif domain.git_branch or domain.custom_environment_id:
            problem = f"leads to {domain.git_branch or domain.custom_environment_id}, not to the production deployment"
        elif configuration.misconfigured and certificate is None:
            problem = "misconfigured, says Vercel: the name does not lead there, and no certificate can be issued"
        return Attachment(
            f"{domain.name}.", attached=True, verified=domain.verified, certificate_until=certificate, problem=problem
        )

    def _certificate(self, host: str, within: Deadline) -> datetime | None:
        """The end of the certificate that ends last, None where Vercel holds none or does not tell."""
        try:
            answer = self._api.ask("GET", "/v4/now/certs", within, query={**self._query, "cn": host})
            found = _Certificates.model_validate_json(answer)
        except (NotFound, Denied, ValidationError):
            # The list is not documented, and may change or go. The same token has just read the domain, so a refusal here
            # is no news of the token.
            return None
        return max((each.expiration for each in found.certs if host in each.cns), default=None)

    def _read_domain(self, host: str, within: Deadline) -> _Domain | None:
        try:
            return self._get(_Domain, f"/v9/projects/{self._project}/domains/{host}", within)
        except NotFound:
            self._read_project(within)  # raises where it is the project that Vercel does not know
            return None

    def _add(self, host: str, within: Deadline) -> _Domain:
        path = f"/v10/projects/{self._project}/domains"
        try:
            answer = self._api.ask("POST", path, within, query=self._query, body={"name": host})
        except Conflict:
            # "If the domain already exists on the project, the request will fail with a 400": an earlier request of ours,
            # whose answer was lost, may have landed meanwhile.
            domain = self._read_domain(host, within)
            if domain is None:
                raise
            return domain
        return self._parsed(_Domain, answer, f"POST {path}")

    def _verified(self, domain: _Domain, within: Deadline) -> _Domain:
        path = f"/v9/projects/{self._project}/domains/{domain.name}/verify"
        try:
            answer = self._api.ask("POST", path, within, query=self._query)
        except Conflict:
            return domain  # the challenge is not met; what it is, the domain says
        return self._parsed(_Domain, answer, f"POST {path}")

    def _read_project(self, within: Deadline) -> _Project:
        return self._get(_Project, f"/v9/projects/{self._project}", within)

    def _get(self, shape: type[Shape], path: str, within: Deadline, query: dict[str, str] | None = None) -> Shape:
        answer = self._api.ask("GET", path, within, query={**self._query, **(query or {})})
        return self._parsed(shape, answer, f"GET {path}")

    def _parsed(self, shape: type[Shape], answer: bytes, what: str) -> Shape:
        try:
            return shape.model_validate_json(answer)
        except ValidationError as error:
            seen = answer[:200].decode(errors="replace")
            raise Unavailable(f"{what}: not the answer that Vercel documents", where=self._api.where, seen=seen) from error


def _read_refusal(answer: httpx.Response, now: datetime) -> Told:
    """``{"error": {"code", "message", "limit": {"reset"}}}``; `reset` is a Unix time in seconds."""
    try:
        error = _Refusal.model_validate_json(answer.content).error
    except ValidationError:
        return Told(quoted(answer))
    reset = datetime.fromtimestamp(error.limit.reset, UTC) if error.limit is not None else None
    return Told(f"{error.code}: {error.message}", until(reset, now))
