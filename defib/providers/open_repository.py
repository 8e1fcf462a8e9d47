"""The repository behind a remote, ready to be asked for its settings."""

from __future__ import annotations

from collections.abc import Callable

from defib.errors import SecretMissing
from defib.mirror.settings import HostedRepository
from defib.providers.git.github import API as GITHUB
from defib.providers.git.github import GitHubRepository
from defib.providers.git.gitlab import API as GITLAB
from defib.providers.git.gitlab import GitLabProject
from defib.sites.git import Remote


def open_repository(remote: Remote, secrets: Callable[[str], str]) -> HostedRepository | None:
    """The repository of `remote`, None where the site file does not say how to ask; nothing is asked yet.

    `secrets` turns a reference into its value. :class:`SecretMissing` where neither the remote nor its API has a token.
    """
    api = remote.api
    if api is None:
        return None
    reference = api.token or remote.token
    if reference is None:
        raise SecretMissing(
            "a remote's API is asked with a token, and none is named",
            where=f"remote {remote.name}",
            expected="token under the remote or under its api",
            then="write a reference to it into the site file",
        )
    if api.vendor == "github":
        return GitHubRepository(api.project, secrets(reference), api.url or GITHUB)
    return GitLabProject(api.project, secrets(reference), api.url or GITLAB)
