"""The part of GitHub's REST API that tells a repository's settings, at the path that it has at Enterprise Server.

Paths, fields and statuses: GitHub's OpenAPI description; deploy keys, secrets and variables of Actions and single rulesets:
https://docs.github.com/en/rest.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from defib.clock import Clock
from defib.lab.faults import Fault
from defib.lab.forge.api import Found, Page
from defib.lab.forge.github_repository import repository_shape
from defib.lab.forge.github_shapes import (
    branches,
    dated,
    hook_shape,
    key_shape,
    listed_ruleset,
    not_found,
    protection,
    ruleset,
    rulesets,
)
from defib.lab.forge.repository import ForgeRepository
from defib.lab.hosting.api import RefusalError, json_response
from defib.lab.web import Request, Response

_DOCUMENTED = "https://docs.github.com/rest"
_VERSIONS = ("2022-11-28", "2026-03-10")
_NAMED = re.compile(r"/repos/(?P<path>[^/]+/[^/]+)(?P<part>/.*)?$")
_BY_ID = re.compile(r"/repositories/(?P<id>\d+)(?P<part>/.*)?$")
_PROTECTION = re.compile(r"branches/(?P<branch>[^/]+)/protection$")
_RULESET = re.compile(r"rulesets/(?P<number>\d+)$")


@dataclass(frozen=True)
class GitHubDialect:
    """GitHub. A guard whose pattern holds a ``*`` is a ruleset, any other a protection rule of its branch."""

    clock: Clock
    base: str = "/api/v3"

    def find(self, repository: ForgeRepository, path: str) -> Found:
        named, by_id = _NAMED.match(path), _BY_ID.match(path)
        if by_id is not None and int(by_id["id"]) == repository.id:
            return Found((by_id["part"] or "").removeprefix("/"))
        if named is not None:
            part = (named["part"] or "").removeprefix("/")
            if named["path"].lower() == repository.path.lower():
                return Found(part)
            if named["path"] in repository.former:
                return Found(part, former=True)
        raise not_found()

    def place(self, repository: ForgeRepository, part: str) -> str:
        return f"/repositories/{repository.id}" + (f"/{part}" if part else "")

    def told(self, repository: ForgeRepository, part: str, request: Request) -> object:
        if request.method != "GET":
            raise not_found()
        of_branch, by_number = _PROTECTION.match(part), _RULESET.match(part)
        if of_branch is not None:
            return protection(repository, unquote(of_branch["branch"]))
        if by_number is not None:
            return ruleset(repository, int(by_number["number"]))
        whole = self._parts(repository, request).get(part)
        if whole is None:
            raise not_found()
        return whole

    def _parts(self, repository: ForgeRepository, request: Request) -> Mapping[str, object]:
        made = repository.created
        secret = [each for each in repository.variables if each.secret]
        plain = [each for each in repository.variables if not each.secret]
        return {
            "": repository_shape(repository),
            "branches": branches(repository, protected_only=request.query.get("protected") == "true"),
            "rulesets": [listed_ruleset(repository, number) for number, _ in rulesets(repository)],
            "keys": [key_shape(repository, number, key) for number, key in enumerate(repository.keys, 1)],
            "hooks": [hook_shape(repository, number, hook) for number, hook in enumerate(repository.hooks, 1)],
            "actions/secrets": {"total_count": len(secret), "secrets": [dated(made, name=each.name) for each in secret]},
            "actions/variables": {
                "total_count": len(plain),
                "variables": [dated(made, name=each.name, value=each.value) for each in plain],
            },
        }

    def page_headers(self, page: Page, links: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        """``Link`` alone, and only where there are several pages."""
        if page.last == 1:
            return ()
        return (("Link", ", ".join(f'<{url}>; rel="{relation}"' for relation, url in links.items())),)

    def spoiled(self, fault: Fault) -> RefusalError:
        if fault.name == "denied":
            return RefusalError(401, "401", "Bad credentials")
        if fault.name == "forbidden":
            return RefusalError(403, "403", "Resource not accessible by personal access token")
        if fault.name == "500":
            return RefusalError(500, "500", "Server Error")
        # The primary limit: 403, and the moment from which on calls are free again.
        reset = math.ceil(self.clock.now().timestamp() + fault.option("retry_after", 1))
        headers = (
            ("x-ratelimit-limit", "5000"),
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", str(reset)),
        )
        return RefusalError(403, "403", "API rate limit exceeded for user ID 1.", headers=headers)

    def refused(self, refusal: RefusalError) -> Response:
        body = {"message": refusal.message, "documentation_url": _DOCUMENTED, "status": str(refusal.status)}
        return json_response(refusal.status, body, *refusal.headers)

    def check(self, request: Request) -> None:
        """https://docs.github.com/en/rest/using-the-rest-api/getting-started-with-the-rest-api."""
        if not request.headers.get("user-agent"):
            message = "Request forbidden by administrative rules. Please make sure your request has a User-Agent header"
            raise RefusalError(403, "403", message)
        version = request.headers.get("x-github-api-version", _VERSIONS[0])
        if version not in _VERSIONS:
            raise RefusalError(400, "400", f"{version} is not a supported version")
