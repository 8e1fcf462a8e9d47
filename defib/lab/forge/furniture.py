"""What both vendors hold from the start: settings that are alike, as far as the vendors' words go.

Secrets among them are told by no client of ours; each says where it must not turn up.
"""

from __future__ import annotations

from datetime import datetime

from defib.clock import Clock
from defib.lab.forge.api import ForgeApi
from defib.lab.forge.github import GitHubDialect
from defib.lab.forge.gitlab import GitLabDialect
from defib.lab.forge.repository import ForgeRepository, Guard, HeldKey, HeldVariable, Hook

GITHUB_PROJECT, GITLAB_PROJECT = "pulse-trading/pulse-trading", "pulse-trading/mirrors/pulse-trading"
GITHUB_ID, GITLAB_ID = 1296269, 278964

KEYS = (
    HeldKey(
        "builder",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c builder@pulse-trading.test",
    ),
    HeldKey(
        "release robot", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU", writes=True
    ),
)
VARIABLES = (
    HeldVariable("AWS_DEPLOY_ROLE", "value-that-is-never-told-1", secret=True),
    HeldVariable("STATUSPAGE_TOKEN", "value-that-is-never-told-2", secret=True),
    HeldVariable("FLUTTER_CHANNEL", "value-that-is-never-told-3"),
)
GUARDS = (Guard("main", approvals=1), Guard("release/*"))
CI_HOOK = "https://hooks:word-that-is-never-told@ci.pulse-trading.test/build?token=word-that-is-never-told"
CHAT_HOOK = "https://chat.pulse-trading.test/services/T0PULSE12/B0PULSE34/wordThatIsNeverTold56"
HOOK_SECRET = "word-that-is-never-told"  # noqa: S105 - of the lab, and there to be looked for


def github_api(token: str, made: datetime, clock: Clock) -> ForgeApi:
    """GitHub's API over the site's repository."""
    hooks = (
        Hook(CI_HOOK, ("push", "pull_request"), HOOK_SECRET),
        Hook(CHAT_HOOK, ("release",), HOOK_SECRET),
    )
    return ForgeApi(GitHubDialect(clock), _repository(GITHUB_ID, GITHUB_PROJECT, made, hooks), token)


def gitlab_api(token: str, made: datetime, clock: Clock) -> ForgeApi:
    """GitLab's API over the mirror."""
    hooks = (
        Hook(CI_HOOK, ("push", "tag_push", "merge_requests"), HOOK_SECRET),
        Hook(CHAT_HOOK, ("releases",), HOOK_SECRET),
    )
    return ForgeApi(GitLabDialect(clock), _repository(GITLAB_ID, GITLAB_PROJECT, made, hooks), token)


def _repository(number: int, path: str, made: datetime, hooks: tuple[Hook, ...]) -> ForgeRepository:
    return ForgeRepository(number, path, made, guards=GUARDS, keys=KEYS, variables=VARIABLES, hooks=hooks)
