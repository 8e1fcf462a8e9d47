"""The parts of a repository's settings as GitHub's API tells them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from defib.lab.forge.github_repository import user_shape
from defib.lab.forge.repository import ForgeRepository, Guard, HeldKey, Hook
from defib.lab.hosting.api import RefusalError

_HEAD = "6dcb09b5b57875f334f61aebed695e2e4193db5e"


def not_found() -> RefusalError:
    """What is not there, and what the token may not see."""
    return RefusalError(404, "404", "Not Found")


def _is_ruleset(guard: Guard) -> bool:
    return "*" in guard.pattern


def rulesets(repository: ForgeRepository) -> list[tuple[int, Guard]]:
    """The guards that are rulesets, with their ids."""
    return [(number, guard) for number, guard in enumerate(repository.guards, 1) if _is_ruleset(guard)]


def branches(repository: ForgeRepository, *, protected_only: bool) -> list[dict[str, Any]]:
    """The branches that have a protection rule, and the default branch."""
    protected = [guard.pattern for guard in repository.guards if not _is_ruleset(guard)]
    free = [] if protected_only or repository.default_branch in protected else [repository.default_branch]
    url = f"https://api.github.com/repos/{repository.path}"
    return [
        {
            "name": name,
            "commit": {"sha": _HEAD, "url": f"{url}/commits/{_HEAD}"},
            "protected": name in protected,
        }
        for name in sorted([*protected, *free])
    ]


def protection(repository: ForgeRepository, branch: str) -> dict[str, Any]:
    """The protection rule of a branch."""
    guard = next((each for each in repository.guards if each.pattern == branch and not _is_ruleset(each)), None)
    if guard is None:
        raise RefusalError(404, "404", "Branch not protected")
    url = f"https://api.github.com/repos/{repository.path}/branches/{branch}/protection"
    told: dict[str, Any] = {
        "url": url,
        "enforce_admins": {"url": f"{url}/enforce_admins", "enabled": True},
        "required_signatures": {"url": f"{url}/required_signatures", "enabled": False},
        "allow_force_pushes": {"enabled": guard.force_push},
        "allow_deletions": {"enabled": guard.deletion},
        "lock_branch": {"enabled": False},
    }
    if guard.approvals:
        told["required_pull_request_reviews"] = {
            "url": f"{url}/required_pull_request_reviews",
            "dismiss_stale_reviews": False,
            "require_code_owner_reviews": False,
            "required_approving_review_count": guard.approvals,
        }
    if guard.pushers:
        lists = {f"{kind}_url": f"{url}/restrictions/{kind}" for kind in ("users", "teams", "apps")}
        users = [user_shape(name, number) for number, name in enumerate(guard.pushers, 100)]
        told["restrictions"] = {"url": f"{url}/restrictions", **lists, "users": users, "teams": [], "apps": []}
    return told


def listed_ruleset(repository: ForgeRepository, number: int) -> dict[str, Any]:
    """A ruleset as lists tell it: without its rules."""
    return {
        "id": number,
        "name": f"ruleset {number}",
        "target": "branch",
        "source_type": "Repository",
        "source": repository.path,
        "enforcement": "active",
        "created_at": _stamp(repository.created),
        "updated_at": _stamp(repository.created),
    }


def ruleset(repository: ForgeRepository, number: int) -> dict[str, Any]:
    """A ruleset with its rules."""
    guard = dict(rulesets(repository)).get(number)
    if guard is None:
        raise not_found()
    rules: list[dict[str, Any]] = [] if guard.force_push else [{"type": "non_fast_forward"}]
    rules += [] if guard.deletion else [{"type": "deletion"}]
    if guard.approvals:
        parameters = {
            "required_approving_review_count": guard.approvals,
            "dismiss_stale_reviews_on_push": False,
            "require_code_owner_review": False,
            "require_last_push_approval": False,
            "required_review_thread_resolution": False,
        }
        rules.append({"type": "pull_request", "parameters": parameters})
    include = "~ALL" if guard.pattern == "*" else f"refs/heads/{guard.pattern}"
    conditions = {"ref_name": {"include": [include], "exclude": []}}
    return {**listed_ruleset(repository, number), "bypass_actors": [], "conditions": conditions, "rules": rules}


def key_shape(repository: ForgeRepository, number: int, key: HeldKey) -> dict[str, Any]:
    """A deploy key."""
    return {
        "id": number,
        "key": key.public,
        "url": f"https://api.github.com/repos/{repository.path}/keys/{number}",
        "title": key.title,
        "verified": True,
        "created_at": _stamp(repository.created),
        "read_only": not key.writes,
        "added_by": "octocat",
        "last_used": None,
        "enabled": True,
    }


def hook_shape(repository: ForgeRepository, number: int, hook: Hook) -> dict[str, Any]:
    """A webhook; of its secret only that there is one."""
    url = f"https://api.github.com/repos/{repository.path}/hooks/{number}"
    secret = {"secret": "********"} if hook.secret else {}
    return {
        "type": "Repository",
        "id": number,
        "name": "web",
        "active": hook.active,
        "events": list(hook.events),
        "config": {
            "content_type": "json",
            "insecure_ssl": "0" if hook.verifies_tls else "1",
            "url": hook.url,
            **secret,
        },
        "updated_at": _stamp(repository.created),
        "created_at": _stamp(repository.created),
        "url": url,
        "test_url": f"{url}/test",
        "ping_url": f"{url}/pings",
        "deliveries_url": f"{url}/deliveries",
        "last_response": {"code": None, "status": "unused", "message": None},
    }


def dated(made: datetime, **fields: str) -> dict[str, str]:
    """`fields` and when they were made, as secrets and variables of Actions are told."""
    return {**fields, "created_at": _stamp(made), "updated_at": _stamp(made)}


def _stamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
