"""A repository and a user as GitHub's API tells them: many fields, of which clients of the lab use few."""

from __future__ import annotations

from typing import Any

from defib.lab.forge.repository import ForgeRepository

_OF_A_REPOSITORY = (
    "archive assignees blobs branches collaborators comments commits compare contents contributors deployments downloads "
    "events forks git_commits git_refs git_tags hooks issue_comment issue_events issues keys labels languages merges "
    "milestones notifications pulls releases stargazers statuses subscribers subscription tags teams trees"
)
_OF_A_USER = "avatar events followers following gists html organizations received_events repos starred subscriptions"
_COUNTS = (
    "forks forks_count open_issues open_issues_count size stargazers_count watchers watchers_count network_count "
    "subscribers_count"
)


def user_shape(login: str, number: int) -> dict[str, Any]:
    """A user (``simple-user``)."""
    url = f"https://api.github.com/users/{login}"
    return {
        "login": login,
        "id": number,
        "node_id": f"U_{number}",
        "gravatar_id": "",
        "url": url,
        "type": "User",
        "site_admin": False,
        **{f"{each}_url": f"{url}/{each}" for each in _OF_A_USER.split()},
    }


def repository_shape(repository: ForgeRepository) -> dict[str, Any]:
    """A repository (``full-repository``)."""
    owner, name = repository.path.split("/")
    url = f"https://api.github.com/repos/{repository.path}"
    page = f"https://github.com/{repository.path}"
    made = f"{repository.created:%Y-%m-%dT%H:%M:%SZ}"
    return {
        "id": repository.id,
        "node_id": f"R_{repository.id}",
        "name": name,
        "full_name": repository.path,
        "owner": user_shape(owner, 1),
        "private": repository.visibility != "public",
        "visibility": repository.visibility,
        "archived": repository.archived,
        "disabled": False,
        "default_branch": repository.default_branch,
        "description": None,
        "homepage": None,
        "language": None,
        "license": None,
        "mirror_url": None,
        "fork": False,
        "url": url,
        "html_url": page,
        "clone_url": f"{page}.git",
        "git_url": f"git://github.com/{repository.path}.git",
        "ssh_url": f"git@github.com:{repository.path}.git",
        "svn_url": page,
        **dict.fromkeys(("created_at", "updated_at", "pushed_at"), made),
        **dict.fromkeys(("has_issues", "has_projects", "has_wiki"), True),
        **dict.fromkeys(("has_pages", "has_discussions"), False),
        **dict.fromkeys(_COUNTS.split(), 0),
        **{f"{each}_url": f"{url}/{each}" for each in _OF_A_REPOSITORY.split()},
    }
