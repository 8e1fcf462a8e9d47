"""The part of Netlify's API that a recovery uses, with state and in the vendor's own shapes.

Paths, fields and statuses: Netlify's OpenAPI description. ``/sites/{site_id}/ssl/renew`` is told of there in words only.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from defib.clock import Clock
from defib.lab.faults import Fault
from defib.lab.hosting.api import Answered, RefusalError, json_body, json_response
from defib.lab.hosting.bearings import Ask, certifiable
from defib.lab.hosting.project import CERTIFIED_FOR, Deployed, HeldName, HostedProject
from defib.lab.web import Request, Response

_BASE = "/api/v1"
_SITE = re.compile(r"/sites/(?P<site>[^/]+)(?P<rest>/.*)?$")
_DEPLOY = re.compile(r"/deploys/(?P<deploy>[^/]+)(?P<restore>/restore)?$")
_TAKEN = "Another site is already using this domain"
_WRITABLE = ("custom_domain", "domain_aliases")


@dataclass(frozen=True)
class NetlifyDialect:
    """Netlify, whose edge is at `address`. One certificate serves all names of the site that led there when it was asked."""

    ask: Ask
    address: str
    clock: Clock

    async def answer(self, project: HostedProject, request: Request) -> Answered:
        if (request.method, request.path) == ("GET", f"{_BASE}/user"):
            return project, json_response(200, _user(project))
        match = _SITE.match(request.path.removeprefix(_BASE))
        if match is None or not request.path.startswith(_BASE) or match["site"] != project.id:
            raise _not_found()
        method, rest = request.method, match["rest"] or ""
        if rest == "" and method == "GET":
            return project, json_response(200, _site(project))
        if rest == "" and method == "PATCH":
            return self._patch(project, request)
        if rest == "/ssl" and method == "GET":
            return project, json_response(200, _certificate(project))
        if rest in ("/ssl", "/ssl/renew") and method == "POST":
            return await self._certify(project, renewing=rest.endswith("renew"))
        deploy = _DEPLOY.match(rest)
        if deploy is not None and method == ("POST" if deploy["restore"] else "GET"):
            return _deploys(project, deploy["deploy"], restoring=method == "POST")
        raise _not_found()

    def _patch(self, project: HostedProject, request: Request) -> Answered:
        try:
            body = json_body(request)
        except ValueError as error:
            raise RefusalError(400, "", "Malformed JSON") from error
        unknown = set(body) - set(_WRITABLE)
        if unknown:
            raise RefusalError(422, "", f"the lab's Netlify does not change {', '.join(sorted(unknown))}")
        names = _wanted(project, body)
        for name in names:
            if name in project.foreign:
                field = "custom_domain" if name == names[0] else "domain_aliases"
                raise RefusalError(422, "", "Unprocessable Entity", extra={"errors": {field: [_TAKEN]}})
        now = self.clock.now()
        after = replace(project, names=tuple(project.held(name) or HeldName(name, now) for name in names))
        return after, json_response(200, _site(after))

    async def _certify(self, project: HostedProject, *, renewing: bool) -> Answered:
        certified = any(each.certificate_until is not None for each in project.names)
        if certified and not renewing:
            message = "certificate parameter is required when updating an existing certificate"
            raise RefusalError(422, "", message)
        if not project.names:
            raise RefusalError(422, "", "No custom domain configured")
        able = [each for each in project.names if await certifiable(self.ask, each.name, self.address)]
        if not able:
            raise RefusalError(422, "", f"bad dns for custom domain {project.names[0].name}")
        for each in able:
            project = project.holding(replace(each, certificate_until=self.clock.now() + CERTIFIED_FOR))
        return project, json_response(200, _certificate(project))

    def spoiled(self, fault: Fault) -> RefusalError:
        if fault.name == "denied":
            return RefusalError(401, "", "Access Denied")
        if fault.name == "500":
            return RefusalError(500, "", "Internal Server Error")
        reset = math.ceil(self.clock.now().timestamp() + fault.option("retry_after", 1))
        headers = (("X-RateLimit-Limit", "500"), ("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", str(reset)))
        return RefusalError(429, "", "API rate limit exceeded", headers=headers)

    def refused(self, refusal: RefusalError) -> Response:
        body = {"code": refusal.status, "message": refusal.message, **refusal.extra}
        return json_response(refusal.status, body, *refusal.headers)


def _not_found() -> RefusalError:
    return RefusalError(404, "", "Not Found")


def _wanted(project: HostedProject, body: Mapping[str, Any]) -> list[str]:
    """The names of the site after a PATCH, its own domain first."""
    present = [each.name for each in project.names]
    first = body.get("custom_domain", present[0] if present else None)
    aliases = body.get("domain_aliases", present[1:])
    if not isinstance(aliases, list):
        raise RefusalError(422, "", "Unprocessable Entity", extra={"errors": {"domain_aliases": ["must be a list"]}})
    if aliases and not first:
        raise RefusalError(422, "", "Unprocessable Entity", extra={"errors": {"domain_aliases": ["need a custom domain"]}})
    return list(dict.fromkeys(str(name).lower() for name in (first, *aliases) if name))


def _deploys(project: HostedProject, deploy: str, *, restoring: bool) -> Answered:
    found = project.deployment(deploy)
    if found is None:
        raise _not_found()
    if restoring:
        project = replace(project, live=found.id)
    return project, json_response(201 if restoring else 200, _deploy(project, found))


def _user(project: HostedProject) -> dict[str, Any]:
    created = project.created.isoformat()
    return {"id": "5f0c5e3c7d1f4b0007e1a001", "email": "ops@pulse-trading.test", "site_count": 1, "created_at": created}


def _site(project: HostedProject) -> dict[str, Any]:
    live = project.deployment(project.live)
    shown: dict[str, Any] = {
        "id": project.id,
        "state": "current",
        "plan": "nf_team_pro",
        "name": project.name,
        "domain_aliases": [each.name for each in project.names[1:]],
        "url": f"https://{project.own_name}",
        "ssl_url": f"https://{project.own_name}",
        "admin_url": f"https://app.netlify.com/sites/{project.name}",
        "created_at": project.created.isoformat(),
        "updated_at": project.created.isoformat(),
        "ssl": any(each.certificate_until is not None for each in project.names),
        "force_ssl": True,
        "managed_dns": False,
        "account_slug": "pulse-trading",
    }
    if project.names:
        shown["custom_domain"] = project.names[0].name
    if live is not None:
        shown["published_deploy"] = _deploy(project, live)
    return shown


def _deploy(project: HostedProject, deployed: Deployed) -> dict[str, Any]:
    return {
        "id": deployed.id,
        "site_id": project.id,
        "state": "ready",
        "name": project.name,
        "url": f"https://{project.own_name}",
        "deploy_ssl_url": f"https://{deployed.id}--{project.own_name}",
        "branch": "main",
        "commit_ref": deployed.build.id,
        "context": "production",
        "created_at": deployed.created.isoformat(),
        "updated_at": deployed.created.isoformat(),
        "published_at": deployed.created.isoformat(),
    }


def _certificate(project: HostedProject) -> dict[str, Any]:
    ends = {each.name: each.certificate_until for each in project.names if each.certificate_until is not None}
    if not ends:
        raise _not_found()
    until = min(ends.values())
    issued = (until - CERTIFIED_FOR).isoformat()
    return {
        "state": "issued",
        "domains": list(ends),
        "created_at": issued,
        "updated_at": issued,
        "expires_at": until.isoformat(),
    }
