"""The part of Vercel's API that a recovery uses, with state and in the vendor's own shapes.

Paths, fields and statuses: Vercel's OpenAPI description; errors: https://vercel.com/docs/rest-api/reference/errors.
``/v4/now/certs`` is not in it: the vendor's command line asks it (vercel/vercel, packages/cli/src/util/certs). Nor is
``/v5/user/tokens/current``: https://vercel.com/docs/rest-api/authentication/get-auth-token-metadata.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from defib.clock import Clock
from defib.lab.faults import Fault
from defib.lab.hosting.api import Answered, RefusalError, json_body, json_response
from defib.lab.hosting.bearings import Ask, certifiable, found, leads_to
from defib.lab.hosting.project import CERTIFIED_FOR, Deployed, HeldName, HostedProject, Promotion
from defib.lab.web import Request, Response

USER = "ZspSRT4ljIEEmMHgoDwKWDei"
_RESOURCES = {"functionDefaultRegions": ["iad1"]}
_EDITED = ("projectDomain", "deploymentPromote", "project")
_PROJECT = re.compile(r"/v9/projects/(?P<project>[^/]+)$")
_DOMAINS = re.compile(r"/v10/projects/(?P<project>[^/]+)/domains$")
_DOMAIN = re.compile(r"/v9/projects/(?P<project>[^/]+)/domains/(?P<domain>[^/]+)$")
_VERIFY = re.compile(r"/v9/projects/(?P<project>[^/]+)/domains/(?P<domain>[^/]+)/verify$")
_CONFIG = re.compile(r"/v6/domains/(?P<domain>[^/]+)/config$")
_DEPLOYMENT = re.compile(r"/v13/deployments/(?P<deployment>[^/]+)$")
_PROMOTE = re.compile(r"/v10/projects/(?P<project>[^/]+)/promote/(?P<deployment>[^/]+)$")


@dataclass(frozen=True)
class VercelDialect:
    """Vercel, whose edge is at `address`; `team` owns the project if it is given, and every request must name it then.

    A promotion takes `promotes_in`. A certificate is issued to a name that leads to the edge, as soon as Vercel looks.
    """

    ask: Ask
    address: str
    clock: Clock
    team: str = ""
    promotes_in: timedelta = timedelta(milliseconds=150)

    async def answer(self, project: HostedProject, request: Request) -> Answered:
        path, asked = request.path, request.query
        if self.team and asked.get("teamId") != self.team and path not in ("/v2/user", "/v5/user/tokens/current"):
            raise RefusalError(403, "forbidden", "Not authorized")
        if request.method == "GET":
            return await self._read(project, path, asked)
        if request.method == "POST":
            return await self._write(project, path, request)
        raise RefusalError(404, "not_found", "The requested resource could not be found")

    async def _read(self, project: HostedProject, path: str, asked: dict[str, str]) -> Answered:
        of_the_account: dict[str, Callable[[], object]] = {
            "/v2/user": lambda: {"user": _user(project, self.team)},
            "/v5/user/tokens/current": lambda: {"token": _token(project)},
            "/v4/now/certs": lambda: {"certs": _certificates(project, asked.get("cn", ""))},
        }
        if path in of_the_account:
            return project, json_response(200, of_the_account[path]())
        if match := _PROJECT.match(path):
            return project, json_response(200, self._project(_named(project, match["project"])))
        if match := _DOMAIN.match(path):
            return project, json_response(200, _domain(project, _held(project, match["project"], match["domain"])))
        if match := _CONFIG.match(path):
            return await self._config(project, match["domain"])
        if match := _DEPLOYMENT.match(path):
            return project, json_response(200, _deployment(project, _deployed(project, match["deployment"])))
        raise RefusalError(404, "not_found", "The requested resource could not be found")

    async def _write(self, project: HostedProject, path: str, request: Request) -> Answered:
        if match := _DOMAINS.match(path):
            return await self._add(_named(project, match["project"]), request)
        if match := _VERIFY.match(path):
            return await self._verify(project, _held(project, match["project"], match["domain"]))
        if match := _PROMOTE.match(path):
            return self._promote(_named(project, match["project"]), match["deployment"])
        raise RefusalError(404, "not_found", "The requested resource could not be found")

    async def _add(self, project: HostedProject, request: Request) -> Answered:
        try:
            name = str(json_body(request)["name"]).lower()
        except (ValueError, KeyError) as error:
            raise RefusalError(400, "bad_request", "Invalid request: missing required property `name`.") from error
        if not re.fullmatch(r"(\*\.)?([a-z0-9-]+\.)+[a-z0-9-]+", name):
            raise RefusalError(400, "invalid_domain", f'The specified value "{name}" is not a fully qualified domain name.')
        if project.held(name) is not None:
            message = f"Cannot add {name} since it's already assigned to the project."
            raise RefusalError(400, "domain_already_exists", message)
        if name in project.foreign:
            message = f"Cannot add {name} since it's already in use by another project."
            raise RefusalError(409, "domain_already_in_use", message)
        held = await self._certified(HeldName(name, self.clock.now()))
        return project.holding(held), json_response(200, _domain(project, held))

    async def _verify(self, project: HostedProject, held: HeldName) -> Answered:
        if not held.verified:
            records = await found(self.ask, f"_vercel.{_apex(held.name)}", "TXT")
            if f'"{_challenge(held.name)}"' not in records:
                message = f"Domain {held.name} is missing required TXT Record"
                raise RefusalError(400, "missing_txt_record", message)
            held = await self._certified(replace(held, verified=True))
        told = {name: value for name, value in _domain(project, held).items() if name != "verification"}
        return project.holding(held), json_response(200, told)

    def _promote(self, project: HostedProject, deployment: str) -> Answered:
        _deployed(project, deployment)
        now = self.clock.monotonic()
        if project.promotion is not None and not project.promotion.done:
            raise RefusalError(409, "conflict", "Another promotion is in progress.")
        promotion = Promotion(project.live, deployment, now + self.promotes_in, self.clock.now())
        return replace(project, promotion=promotion), Response(202)

    async def _config(self, project: HostedProject, name: str) -> Answered:
        held = project.held(name)
        if held is not None:
            project = project.holding(await self._certified(held))
        leads = await leads_to(self.ask, name, self.address)
        aliased = leads and bool(await found(self.ask, name, "CNAME"))
        body = {
            "configuredBy": ("CNAME" if aliased else "A") if leads else None,
            "acceptedChallenges": ["http-01"] if leads else [],
            "recommendedIPv4": [{"rank": 1, "value": [self.address]}],
            "recommendedCNAME": [{"rank": 1, "value": "cname.vercel-dns.com."}],
            "misconfigured": not await certifiable(self.ask, name, self.address),
        }
        return project, json_response(200, body)

    async def _certified(self, held: HeldName) -> HeldName:
        if held.certificate_until is not None or not held.verified:
            return held
        if not await certifiable(self.ask, held.name, self.address):
            return held
        return replace(held, certificate_until=self.clock.now() + CERTIFIED_FOR)

    def _project(self, project: HostedProject) -> dict[str, Any]:
        live = project.deployment(project.live)
        shown: dict[str, Any] = {
            "id": project.id,
            "name": project.name,
            "accountId": self.team or USER,
            "createdAt": _milliseconds(project.created),
            "directoryListing": False,
            "nodeVersion": "22.x",
            "live": False,
            "paused": project.paused,
            "permissions": dict.fromkeys(_EDITED, ["read"] if project.reads_only else ["create", "read", "update"]),
            "resourceConfig": _RESOURCES,
            "defaultResourceConfig": _RESOURCES,
            "targets": {"production": _target(project, live)} if live is not None else {},
        }
        if project.promotion is not None:
            shown["lastAliasRequest"] = {
                "fromDeploymentId": project.promotion.before,
                "toDeploymentId": project.promotion.deployment,
                "jobStatus": "succeeded" if project.promotion.done else "in-progress",
                "requestedAt": _milliseconds(project.promotion.requested),
                "type": "promote",
            }
        return shown

    def spoiled(self, fault: Fault) -> RefusalError:
        if fault.name == "denied":
            return RefusalError(403, "forbidden", "Not authorized", extra={"invalidToken": True})
        if fault.name == "500":
            return RefusalError(500, "internal_server_error", "An unexpected internal error occurred")
        reset = self.clock.now().timestamp() + fault.option("retry_after", 1)
        limit = {"remaining": 0, "reset": math.ceil(reset), "resetMs": math.ceil(reset * 1000), "total": 60}
        message = "The rate limit of 60 exceeded for 'api-projects'."
        return RefusalError(429, "rate_limited", message, extra={"limit": limit})

    def refused(self, refusal: RefusalError) -> Response:
        error = {"code": refusal.code, "message": refusal.message, **refusal.extra}
        return json_response(refusal.status, {"error": error}, *refusal.headers)


def _named(project: HostedProject, asked: str) -> HostedProject:
    if asked not in (project.id, project.name):
        raise RefusalError(404, "not_found", "Project not found.")
    return project


def _held(project: HostedProject, asked: str, name: str) -> HeldName:
    held = _named(project, asked).held(name)
    if held is None:
        raise RefusalError(404, "not_found", f"The domain {name} is not assigned to the project {project.name}.")
    return held


def _deployed(project: HostedProject, asked: str) -> Deployed:
    deployed = project.deployment(asked)
    if deployed is None:
        raise RefusalError(404, "not_found", f'Can\'t find the deployment "{asked}".')
    return deployed


def _domain(project: HostedProject, held: HeldName) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "name": held.name,
        "apexName": _apex(held.name),
        "projectId": project.id,
        "redirect": None,
        "gitBranch": held.branch or None,
        "createdAt": _milliseconds(held.created),
        "updatedAt": _milliseconds(held.created),
        "verified": held.verified,
    }
    if not held.verified:
        shown["verification"] = [
            {
                "type": "TXT",
                "domain": f"_vercel.{_apex(held.name)}",
                "value": _challenge(held.name),
                "reason": "pending_domain_verification",
            }
        ]
    return shown


def _target(project: HostedProject, deployed: Deployed) -> dict[str, Any]:
    host = _hostname(project, deployed)
    return {
        "id": deployed.id,
        "alias": [project.own_name, *(each.name for each in project.names)],
        "createdAt": _milliseconds(deployed.created),
        "createdIn": "iad1",
        "creator": {"uid": USER, "username": "pulse", "email": "ops@pulse-trading.test"},
        "deploymentHostname": host.removesuffix(".vercel.app"),
        "meta": {"githubCommitSha": deployed.build.id, "githubCommitRef": "main"},
        "name": project.name,
        "plan": "pro",
        "private": True,
        "readyState": "READY",
        "target": "production",
        "type": "LAMBDAS",
        "url": host,
        "userId": USER,
    }


def _deployment(project: HostedProject, deployed: Deployed) -> dict[str, Any]:
    created = _milliseconds(deployed.created)
    return {
        "id": deployed.id,
        "name": project.name,
        "aliasAssigned": deployed.id == project.live,
        "bootedAt": created,
        "buildingAt": created,
        "buildSkipped": False,
        "createdAt": created,
        "creator": {"uid": USER, "username": "pulse"},
        "meta": {"githubCommitSha": deployed.build.id, "githubCommitRef": "main"},
        "public": False,
        "readyState": "READY",
        "regions": ["iad1"],
        "status": "READY",
        "target": "production",
        "type": "LAMBDAS",
        "url": _hostname(project, deployed),
        "version": 2,
    }


def _user(project: HostedProject, team: str) -> dict[str, Any]:
    blocked = {"blockedAt": _milliseconds(project.created), "reason": project.blocked} if project.blocked else None
    return {
        "id": USER,
        "email": "ops@pulse-trading.test",
        "name": "Pulse Trading",
        "username": "pulse",
        "avatar": None,
        "defaultTeamId": team or None,
        "createdAt": _milliseconds(project.created),
        "softBlock": blocked,
        "billing": None,
        "resourceConfig": {},
        "stagingPrefix": "pulse",
        "hasTrialAvailable": False,
    }


def _token(project: HostedProject) -> dict[str, Any]:
    created = _milliseconds(project.created)
    scopes = [{"type": "user", "createdAt": created}]
    kept = {"id": "0" * 64, "name": "defib", "type": "token", "origin": "manual", "scopes": scopes}
    return {**kept, "activeAt": created, "createdAt": created}


def _certificates(project: HostedProject, name: str) -> list[dict[str, Any]]:
    return [
        {
            "uid": f"cert_{hashlib.sha256(each.name.encode()).hexdigest()[:24]}",
            "autoRenew": True,
            "cns": [each.name],
            "created": (each.certificate_until - CERTIFIED_FOR).isoformat(),
            "expiration": each.certificate_until.isoformat(),
        }
        for each in project.names
        if each.name == name and each.certificate_until is not None
    ]


def _hostname(project: HostedProject, deployed: Deployed) -> str:
    return f"{project.name}-{deployed.build.id[:9]}.vercel.app"


def _apex(name: str) -> str:
    """The registrable name: in the lab every one has two labels."""
    return ".".join(name.split(".")[-2:])


def _challenge(name: str) -> str:
    return f"vc-domain-verify={name},{hashlib.sha256(name.encode()).hexdigest()[:20]}"


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
