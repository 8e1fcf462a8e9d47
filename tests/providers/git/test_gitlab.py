"""GitLab's adapter keeps the contract against the lab's API, and tells nothing that GitLab does not."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace

import pytest

from defib.errors import Unavailable
from defib.lab.forge import furniture
from defib.lab.forge.alone import RunningForge, serve_gitlab
from defib.lab.forge.repository import Guard, HeldVariable, Hook
from defib.lab.web import Response
from defib.mirror.settings import CiName, Protection, Unknown, Webhook
from defib.mirror.settings_file import write_settings
from defib.providers.git.gitlab import GitLabProject
from tests.contracts.described import GITLAB, compared
from tests.contracts.hosted_repository import HostedRepositoryContract, RepositoryWorld
from tests.providers.git.forge_stage import answering, forge_world

PARTS = {
    "protections": "protected_branches",
    "deploy_keys": "deploy_keys",
    "secrets": "variables",
    "variables": "variables",
    "webhooks": "hooks",
}


@pytest.fixture
def running() -> Iterator[RunningForge]:
    """A fresh API of the lab; what goes over the wire is compared with the vendor's own description."""
    with serve_gitlab() as running, compared(running.endpoint, GITLAB) as endpoint:
        yield replace(running, endpoint=endpoint)


@pytest.fixture
def world(running: RunningForge) -> RepositoryWorld:
    """A fresh project."""

    def make(project: str, token: str) -> GitLabProject:
        return GitLabProject(project, token, running.endpoint)

    return forge_world(running, make, furniture.GITLAB_PROJECT, PARTS)


class TestGitLab(HostedRepositoryContract):
    """The contract over the lab's GitLab."""

    @pytest.fixture
    def world(self, world: RepositoryWorld) -> RepositoryWorld:
        """A fresh project."""
        return world


class TestGitLabAlone:
    """What only GitLab does."""

    def test_project_by_its_id(self, running: RunningForge, world: RepositoryWorld) -> None:
        """An id stays when the project is renamed, so nothing has moved."""
        world.rename("pulse-trading/elsewhere")
        told = GitLabProject(str(furniture.GITLAB_ID), running.token, running.endpoint).settings(within=world.soon())
        assert (told.project, told.moved_to) == (str(furniture.GITLAB_ID), "")
        assert told.variables == (CiName("FLUTTER_CHANNEL"),)

    def test_rule_of_a_branch(self, running: RunningForge, world: RepositoryWorld) -> None:
        """Force pushes as they are set; whether a review is needed is not told with the branch."""
        guards = (Guard("main", force_push=True), Guard("stable", pushers=("nobody",)))
        running.change(lambda repository: replace(repository, guards=guards))
        assert world.asked().protections == (
            Protection("main", force_push=True, deletion=False, reviews=None, pushers=("Maintainers",)),
            Protection("stable", force_push=False, deletion=False, reviews=None, pushers=("No one",)),
        )

    def test_variables_of_several_environments(self, running: RunningForge, world: RepositoryWorld) -> None:
        """A name stands once for each scope; what is masked is a secret."""
        held = (HeldVariable("A", "1"), HeldVariable("A", "2", secret=True, scope="production"))
        running.change(lambda repository: replace(repository, variables=held))
        told = world.asked()
        assert (told.variables, told.secrets) == ((CiName("A"),), (CiName("A", "production"),))

    def test_webhook_that_was_switched_off(self, running: RunningForge, world: RepositoryWorld) -> None:
        """GitLab stops calling who fails; events without counterpart keep GitLab's name."""
        hook = Hook("https://a.test/", ("push", "feature_flag"), active=False, verifies_tls=False)
        running.change(lambda repository: replace(repository, hooks=(hook,)))
        assert world.asked().webhooks == (
            Webhook("https://a.test/", ("gitlab:feature_flag", "push"), active=False, verifies_tls=False),
        )

    def test_values_of_variables_go_nowhere(
        self, world: RepositoryWorld, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """GitLab tells them, and they are in no settings, no file, no log of any level, and no output."""
        with caplog.at_level(logging.DEBUG):
            told = world.asked()
        out, err = capfd.readouterr()
        assert not isinstance(told.secrets, Unknown)
        for text in (repr(told), write_settings(told), caplog.text, out, err):
            assert not [word for word in world.never_told if word in text]


def test_what_gitlab_leaves_out_is_unknown(world: RepositoryWorld) -> None:
    """A token that may not read the code is told no default branch: that is not a repository without one."""
    hidden = b'{"path_with_namespace": "a/b", "visibility": "private"}'
    empty = b'{"path_with_namespace": "a/b", "visibility": "private", "default_branch": null, "archived": true}'
    for project, expected in ((hidden, (Unknown, Unknown)), (empty, (str, bool))):
        with answering(Response(200, (), project), Response(200, (), b"[]")) as (url, _):
            told = GitLabProject("a/b", "t", url).settings(within=world.soon())
        assert (type(told.default_branch), type(told.archived)) == expected


@pytest.mark.parametrize(
    "body",
    [
        b'[{"key": "A", "value": "glpat-never-told"}, {"value": "glpat-never-told"}]',
        b'[{"key": ["glpat-never-told"], "value": 1}]',
        b'{"glpat-never-told": 1}',
        b'"glpat-never-told"',
        b"<html>glpat-never-told",
        b"",
    ],
)
def test_variables_that_are_not_as_described_are_not_quoted(world: RepositoryWorld, body: bytes) -> None:
    """An answer of another shape is an error that names the place, and none of its causes holds what stood there."""
    project = b'{"path_with_namespace": "a/b", "archived": false, "visibility": "private"}'
    with answering(Response(200, (), project), Response(200, (), body)) as (url, _), pytest.raises(Unavailable) as caught:
        GitLabProject("a/b", "t", url).settings(within=world.soon())
    error: BaseException | None = caught.value
    assert "not the answer that GitLab documents" in str(error)
    while error is not None:
        assert "never-told" not in f"{error!r} {error}"
        error = error.__cause__ or error.__context__
