"""The part of GitLab's REST API that tells a project's settings.

Paths, fields and statuses: GitLab's OpenAPI description; deploy keys, CI variables and webhooks: https://docs.gitlab.com/api/.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from defib.clock import Clock
from defib.lab.faults import Fault
from defib.lab.forge.api import Found, Page
from defib.lab.forge.repository import ForgeRepository, Guard, HeldKey, HeldVariable, Hook
from defib.lab.hosting.api import RefusalError, json_response
from defib.lab.web import Request, Response

_PROJECT = re.compile(r"/projects/(?P<project>[^/]+)(?:/(?P<part>.*))?$")
_EVENTS = (
    "push merge_requests tag_push issues confidential_issues note confidential_note job pipeline wiki_page deployment "
    "releases feature_flag resource_access_token repository_update"
)
_MAINTAINERS = 40


@dataclass(frozen=True)
class GitLabDialect:
    """GitLab, of the free tier: without users of one's own at protected branches, and without code owners."""

    clock: Clock
    base: str = "/api/v4"

    def find(self, repository: ForgeRepository, path: str) -> Found:
        match = _PROJECT.match(path)
        name = unquote(match["project"]) if match is not None else ""
        part = (match["part"] or "") if match is not None else ""
        if name == str(repository.id) or name.lower() == repository.path.lower():
            return Found(part)
        if name in repository.former:
            return Found(part, former=True)
        raise RefusalError(404, "", "404 Project Not Found")

    def place(self, repository: ForgeRepository, part: str) -> str:
        return f"/projects/{repository.id}" + (f"/{part}" if part else "")

    def told(self, repository: ForgeRepository, part: str, request: Request) -> object:
        whole = {
            "": _project(repository),
            "protected_branches": [_protected(number, each) for number, each in enumerate(repository.guards, 1)],
            "deploy_keys": [_key(repository, number, each) for number, each in enumerate(repository.keys, 1)],
            "variables": [_variable(each) for each in repository.variables],
            "hooks": [_hook(repository, number, each) for number, each in enumerate(repository.hooks, 1)],
        }.get(part)
        if request.method != "GET" or whole is None:
            raise RefusalError(404, "", "404 Not Found")
        return whole

    def page_headers(self, page: Page, links: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        """https://docs.gitlab.com/api/rest/#other-pagination-headers."""
        following = str(page.number + 1) if page.number < page.last else ""
        return (
            ("X-Page", str(page.number)),
            ("X-Per-Page", str(page.size)),
            ("X-Next-Page", following),
            ("X-Total", str(page.total)),
            ("X-Total-Pages", str(page.last)),
            ("Link", ", ".join(f'<{url}>; rel="{relation}"' for relation, url in links.items())),
        )

    def spoiled(self, fault: Fault) -> RefusalError:
        if fault.name == "denied":
            return RefusalError(401, "", "401 Unauthorized")
        if fault.name == "forbidden":
            return RefusalError(403, "", "403 Forbidden")
        if fault.name == "500":
            return RefusalError(500, "", "500 Internal Server Error")
        wish = fault.option("retry_after", 1)
        reset = math.ceil(self.clock.now().timestamp() + wish)
        headers = (
            ("RateLimit-Limit", "2000"),
            ("RateLimit-Remaining", "0"),
            ("RateLimit-Reset", str(reset)),
            ("Retry-After", f"{math.ceil(wish)}"),
        )
        return RefusalError(429, "", "429 Too Many Requests", headers=headers)

    def refused(self, refusal: RefusalError) -> Response:
        return json_response(refusal.status, {"message": refusal.message}, *refusal.headers)

    def check(self, request: Request) -> None:
        """GitLab asks for nothing but the token."""


def _project(repository: ForgeRepository) -> dict[str, Any]:
    name = repository.path.rpartition("/")[2]
    page = f"https://gitlab.com/{repository.path}"
    made = _stamp(repository)
    return {
        "id": repository.id,
        "name": name,
        "path": name,
        "path_with_namespace": repository.path,
        "name_with_namespace": repository.path.replace("/", " / "),
        "created_at": made,
        "last_activity_at": made,
        "default_branch": repository.default_branch,
        "visibility": repository.visibility,
        "archived": repository.archived,
        "web_url": page,
        "http_url_to_repo": f"{page}.git",
        "ssh_url_to_repo": f"git@gitlab.com:{repository.path}.git",
        "topics": [],
        "empty_repo": False,
    }


def _protected(number: int, guard: Guard) -> dict[str, Any]:
    pushing = {"id": 1000 + number, "access_level": _MAINTAINERS, "access_level_description": "Maintainers"}
    if guard.pushers:
        pushing |= {"access_level": 0, "access_level_description": "No one"}
    merging = {"id": 2000 + number, "access_level": _MAINTAINERS, "access_level_description": "Maintainers"}
    return {
        "id": number,
        "name": guard.pattern,
        "push_access_levels": [pushing],
        "merge_access_levels": [merging],
        "allow_force_push": guard.force_push,
        "code_owner_approval_required": False,
    }


def _key(repository: ForgeRepository, number: int, key: HeldKey) -> dict[str, Any]:
    return {
        "id": number,
        "title": key.title,
        "key": key.public,
        "fingerprint": "4a:9d:64:15:ed:3a:e6:07:6e:89:36:b3:3b:03:05:d9",
        "fingerprint_sha256": "SHA256:Jrs3LD1Ji30xNLtTVf9NDCj7kkBgPBb2pjvTZ3HfIgU",
        "created_at": _stamp(repository),
        "expires_at": None,
        "can_push": key.writes,
    }


def _variable(variable: HeldVariable) -> dict[str, Any]:
    return {
        "variable_type": "env_var",
        "key": variable.name,
        "value": variable.value,
        "protected": False,
        "masked": variable.secret,
        "hidden": False,
        "raw": False,
        "environment_scope": variable.scope,
        "description": None,
    }


def _hook(repository: ForgeRepository, number: int, hook: Hook) -> dict[str, Any]:
    return {
        "id": number,
        "url": hook.url,
        "name": "",
        "description": "",
        "project_id": repository.id,
        **{f"{event}_events": event in hook.events for event in _EVENTS.split()},
        "push_events_branch_filter": "",
        "enable_ssl_verification": hook.verifies_tls,
        "alert_status": "executable" if hook.active else "disabled",
        "disabled_until": None,
        "url_variables": [],
        "created_at": _stamp(repository),
        "custom_webhook_template": None,
        "custom_headers": [],
    }


def _stamp(repository: ForgeRepository) -> str:
    return f"{repository.created:%Y-%m-%dT%H:%M:%S}.000Z"
