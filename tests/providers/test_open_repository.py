"""A remote's API is opened as the site file says, with its own token or the remote's."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from defib.clock import Deadline, SystemClock
from defib.errors import SecretMissing
from defib.lab.forge import furniture
from defib.lab.forge.alone import serve_github, serve_gitlab
from defib.mirror.settings_compared import differences
from defib.mirror.settings_difference import Kind
from defib.providers.git.github import GitHubRepository
from defib.providers.git.gitlab import GitLabProject
from defib.providers.open_repository import open_repository
from defib.sites.git import Remote


def remote(api: dict[str, Any] | None, token: str | None = "env:GIT") -> Remote:
    """A remote with this API."""
    return Remote.model_validate({"name": "r", "url": "https://github.com/a/b.git", "token": token, "api": api})


def test_remote_without_api_has_no_settings() -> None:
    """Nothing is opened, and no secret resolved."""
    assert open_repository(remote(None), lambda _: pytest.fail("no secret is needed")) is None


def test_public_vendors_by_default() -> None:
    """Without a URL; the project is what the adapter tells."""
    github = open_repository(remote({"vendor": "github", "project": "a/b"}), str)
    gitlab = open_repository(remote({"vendor": "gitlab", "project": "278964"}), str)
    assert isinstance(github, GitHubRepository)
    assert isinstance(gitlab, GitLabProject)
    assert (github.project, gitlab.project) == ("a/b", "278964")


def test_token_of_the_api_comes_first() -> None:
    """A token that may read settings is not the one that fetches; where none is named, the remote's serves."""
    asked: list[str] = []

    def secret(reference: str) -> str:
        asked.append(reference)
        return "t"

    open_repository(remote({"vendor": "github", "project": "a/b", "token": "env:API"}), secret)
    open_repository(remote({"vendor": "github", "project": "a/b"}), secret)
    assert asked == ["env:API", "env:GIT"]


def test_api_without_any_token_is_refused() -> None:
    """The remote is named."""
    with pytest.raises(SecretMissing) as caught:
        open_repository(remote({"vendor": "github", "project": "a/b"}, token=None), str)
    assert caught.value.where == "remote r"


def test_both_vendors_of_the_lab() -> None:
    """With a URL of one's own, down to the comparison: the lab's mirror is as its source, as far as words go."""
    clock = SystemClock()
    within = Deadline.after(clock, timedelta(seconds=10))
    projects = {"github": furniture.GITHUB_PROJECT, "gitlab": furniture.GITLAB_PROJECT}
    told = []
    with serve_github() as github, serve_gitlab() as gitlab:
        for vendor, running in (("github", github), ("gitlab", gitlab)):
            api = {"vendor": vendor, "project": projects[vendor], "url": running.endpoint}
            opened = open_repository(remote(api), {"env:GIT": running.token}.__getitem__)
            assert opened is not None
            told.append(opened.settings(within=within))
    assert [each.vendor for each in told] == ["github", "gitlab"]
    assert {each.kind for each in differences(*told)} == {Kind.INCOMPARABLE}


@pytest.mark.parametrize(
    "api",
    [
        {"vendor": "bitbucket", "project": "a/b"},
        {"vendor": "github", "project": "a"},
        {"vendor": "github", "project": "278964"},
        {"vendor": "github", "project": "a/b/c"},
        {"vendor": "gitlab", "project": "../../x"},
        {"vendor": "gitlab", "project": "a/b?x=1"},
        {"vendor": "github", "project": "a/b", "url": "http://ghe.example.org/api/v3"},
        {"vendor": "github", "project": "a/b", "url": "http://127.evil.example.org/api/v3"},
        {"vendor": "github", "project": "a/b", "url": "https://user:pass@ghe.example.org/api/v3"},
        {"vendor": "github", "project": "a/b", "token": "ghp_literal"},
        {"vendor": "github", "project": "a/b", "projekt": "a/b"},
    ],
)
def test_mistakes_in_the_site_file_are_refused(api: dict[str, Any]) -> None:
    """Other vendors, projects that are none, URLs without TLS or with a password, literal secrets, unknown keys."""
    with pytest.raises(ValidationError):
        remote(api)


def test_projects_of_a_gitlab_may_be_deep() -> None:
    """Subgroups, and loopback for the lab."""
    api = remote({"vendor": "gitlab", "project": "a/b/c.d-e_f", "url": "http://127.0.1.12:4566/api/v4"}).api
    assert api is not None
    assert api.project == "a/b/c.d-e_f"
