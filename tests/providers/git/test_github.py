"""GitHub's adapter keeps the contract against the lab's API, and reads protection rules and rulesets as one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from defib.errors import Unavailable
from defib.lab.forge import furniture
from defib.lab.forge.alone import RunningForge, serve_github
from defib.lab.forge.repository import Guard, Hook
from defib.lab.web import Response
from defib.mirror.settings import EVERYTHING, Protection, Unknown, Webhook
from defib.providers.git.github import GitHubRepository
from tests.contracts.described import GITHUB, compared
from tests.contracts.hosted_repository import HostedRepositoryContract, RepositoryWorld
from tests.providers.git.forge_stage import answering, forge_world

PARTS = {
    "protections": "protection",
    "deploy_keys": "keys",
    "secrets": "secrets",
    "variables": "variables",
    "webhooks": "hooks",
}


@pytest.fixture
def running() -> Iterator[RunningForge]:
    """A fresh API of the lab; what goes over the wire is compared with the vendor's own description."""
    with serve_github() as running, compared(running.endpoint, GITHUB) as endpoint:
        yield replace(running, endpoint=endpoint)


@pytest.fixture
def world(running: RunningForge) -> RepositoryWorld:
    """A fresh repository."""

    def make(project: str, token: str) -> GitHubRepository:
        return GitHubRepository(project, token, running.endpoint)

    return forge_world(running, make, furniture.GITHUB_PROJECT, PARTS)


class TestGitHub(HostedRepositoryContract):
    """The contract over the lab's GitHub."""

    @pytest.fixture
    def world(self, world: RepositoryWorld) -> RepositoryWorld:
        """A fresh repository."""
        return world


class TestGitHubAlone:
    """What only GitHub does."""

    def test_rule_of_a_branch(self, running: RunningForge, world: RepositoryWorld) -> None:
        """Force pushes and deletion as they are set, reviews asked for, and the people who may push."""
        loose = Guard("feature/a", force_push=True, deletion=True, pushers=("mallory", "alice"))
        running.change(lambda repository: replace(repository, guards=(loose, Guard("main", approvals=2))))
        assert world.asked().protections == (
            Protection("feature/a", force_push=True, deletion=True, reviews=False, pushers=("user alice", "user mallory")),
            Protection("main", force_push=False, deletion=False, reviews=True, pushers=("pull requests only",)),
        )

    def test_ruleset_for_all_branches(self, running: RunningForge, world: RepositoryWorld) -> None:
        """``~ALL`` is every branch."""
        running.change(lambda repository: replace(repository, guards=(Guard("*", approvals=1),)))
        assert world.asked().protections == (
            Protection("*", force_push=False, deletion=False, reviews=True, pushers=("pull requests only",)),
        )

    def test_unprotected_repository(self, running: RunningForge, world: RepositoryWorld) -> None:
        """Nothing is protected, and that is known."""
        running.change(lambda repository: replace(repository, guards=()))
        assert world.asked().protections == ()

    def test_rulesets_that_may_not_be_seen_leave_protections_unknown(
        self, running: RunningForge, world: RepositoryWorld
    ) -> None:
        """Half of what protects a branch is not told as the whole."""
        running.change(lambda repository: replace(repository, unseen=frozenset({"rulesets"})))
        assert isinstance(world.asked().protections, Unknown)

    def test_webhook_for_everything_without_verification(self, running: RunningForge, world: RepositoryWorld) -> None:
        """``*``, an event without counterpart, switched off, unverified."""
        hooks = (
            Hook("https://a.test/", ("*",), verifies_tls=False),
            Hook("https://b.test/", ("star", "push"), active=False),
        )
        running.change(lambda repository: replace(repository, hooks=hooks))
        assert world.asked().webhooks == (
            Webhook("https://a.test/", (EVERYTHING,), active=True, verifies_tls=False),
            Webhook("https://b.test/", ("github:star", "push", "tag"), active=False, verifies_tls=True),
        )

    def test_name_in_other_capitals_is_no_rename(self, running: RunningForge) -> None:
        """GitHub's names are case-insensitive."""
        with serve_github() as plain:
            world = forge_world(
                plain,
                lambda project, token: GitHubRepository(project, token, plain.endpoint),
                furniture.GITHUB_PROJECT.upper(),
                PARTS,
            )
            assert world.asked().moved_to == ""


def _json(body: object) -> Response:
    return Response(200, (("Content-Type", "application/json"),), json.dumps(body).encode())


REPOSITORY = _json({"full_name": "a/b", "default_branch": "main", "archived": False, "private": True})
NONE = _json([])


def test_rule_and_ruleset_of_one_branch_hold_together(world: RepositoryWorld) -> None:
    """The stricter word counts, an inactive ruleset does not, and a branch that only rulesets protect has no rule."""
    branches = _json([{"name": "main"}, {"name": "next"}])
    rule = _json({"allow_force_pushes": {"enabled": True}, "allow_deletions": {"enabled": False}})
    unprotected = Response(404, (), b'{"message": "Branch not protected"}')
    listed = [{"id": 1, "enforcement": "active"}, {"id": 2, "enforcement": "evaluate"}, {"id": 3, "enforcement": "active"}]
    names = {"include": ["~DEFAULT_BRANCH", "refs/heads/next"], "exclude": []}
    ruleset = _json({"conditions": {"ref_name": names}, "rules": [{"type": "non_fast_forward"}, {"type": "update"}]})
    holed = {"include": ["~ALL"], "exclude": ["refs/heads/tmp/**"]}
    wide = _json({"conditions": {"ref_name": holed}, "rules": [{"type": "deletion"}, {"type": "merge_queue"}]})
    rest = (NONE, _json({"total_count": 0, "secrets": []}), _json({"total_count": 0, "variables": []}), NONE)
    answers = (REPOSITORY, branches, rule, unprotected, _json(listed), ruleset, wide, *rest)
    with answering(*answers) as (url, _):
        told = GitHubRepository("a/b", "t", url).settings(within=world.soon())
    assert told.protections == (
        Protection(
            "*",
            force_push=True,
            deletion=False,
            reviews=False,
            pushers=("everybody with write access",),
            except_for=("tmp/**",),
        ),
        Protection("main", force_push=False, deletion=False, reviews=False, pushers=("nobody",)),
        Protection("next", force_push=False, deletion=True, reviews=False, pushers=("nobody",)),
    )


def test_list_that_is_shorter_than_its_count_is_not_believed(world: RepositoryWorld) -> None:
    """GitHub counts its secrets; names that are missing are no names that are not there."""
    short = _json({"total_count": 2, "secrets": [{"name": "ONE"}]})
    with answering(REPOSITORY, NONE, NONE, NONE, short) as (url, _), pytest.raises(Unavailable) as caught:
        GitHubRepository("a/b", "t", url).settings(within=world.soon())
    assert (caught.value.expected, caught.value.seen) == ("2, as it counts them", "1 names")


def test_every_request_says_what_github_asks_for(world: RepositoryWorld) -> None:
    """The version of the API, the media type, a name, and the token as a bearer's."""
    with answering(REPOSITORY, NONE, NONE, NONE, Response(401)) as (url, asked), pytest.raises(Exception, match="token"):
        GitHubRepository("a/b", "very-secret", url).settings(within=world.soon())
    for request in asked:
        assert request.headers["x-github-api-version"] == "2022-11-28"
        assert request.headers["accept"] == "application/vnd.github+json"
        assert request.headers["user-agent"] == "defib"
        assert request.headers["authorization"] == "Bearer very-secret"
