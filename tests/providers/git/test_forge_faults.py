"""What becomes of the faults of the lab's GitHub and GitLab in the adapters."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from defib.clock import Deadline, SystemClock
from defib.errors import Denied, Unavailable
from defib.lab.faults import Fault
from defib.lab.forge import furniture
from defib.lab.forge.alone import RunningForge, serve_github, serve_gitlab
from defib.mirror.settings import HostedRepository, Unknown
from defib.providers.git.github import GitHubRepository
from defib.providers.git.gitlab import GitLabProject

CLOCK = SystemClock()


def soon(seconds: float = 10) -> Deadline:
    """A deadline."""
    return Deadline.after(CLOCK, timedelta(seconds=seconds))


@pytest.fixture(params=["github", "gitlab"])
def running(request: pytest.FixtureRequest) -> Iterator[RunningForge]:
    """The lab's API of each vendor."""
    with serve_github() if request.param == "github" else serve_gitlab() as running:
        yield running


def repository(running: RunningForge, token: str = "") -> HostedRepository:
    """The adapter for the vendor that runs."""
    made = GitHubRepository if running.repository.path == furniture.GITHUB_PROJECT else GitLabProject
    return made(running.repository.path, token or running.token, running.endpoint)


class TestFaults:
    """What the lab's APIs do when they are broken, and what becomes of it."""

    @pytest.mark.parametrize(("fault", "expected"), [("500", Unavailable), ("denied", Denied)])
    def test_faults_are_told_apart(self, running: RunningForge, fault: str, expected: type[Exception]) -> None:
        """What may pass, and what does not."""
        running.set_fault(Fault(fault))
        with pytest.raises(expected):
            repository(running).settings(within=soon())

    def test_token_that_dies_on_the_way_is_denied(self, running: RunningForge) -> None:
        """G6: 401 in the middle is no part that may not be seen."""
        running.set_fault(Fault("denied", {"every": 4}))
        with pytest.raises(Denied):
            repository(running).settings(within=soon())

    def test_limit_is_waited_for(self, running: RunningForge) -> None:
        """One request of many is throttled for a second."""
        running.set_fault(Fault("429", {"every": 3, "times": 1}))
        assert not isinstance(repository(running).settings(within=soon()).webhooks, Unknown)

    def test_limit_beyond_the_deadline_fails_at_once(self, running: RunningForge) -> None:
        """With the vendor's wish."""
        running.set_fault(Fault("429", {"retry_after": 600}))
        started = CLOCK.monotonic()
        with pytest.raises(Unavailable) as caught:
            repository(running).settings(within=soon())
        assert CLOCK.monotonic() - started < timedelta(seconds=60)
        assert caught.value.retry_after is not None
        assert timedelta(seconds=590) < caught.value.retry_after <= timedelta(seconds=601)

    def test_everything_but_the_repository_itself_may_be_hidden(self, running: RunningForge) -> None:
        """A token for reading code alone."""
        running.set_fault(Fault("forbidden"))
        told = repository(running).settings(within=soon())
        assert told.default_branch == "main"
        parts = (told.protections, told.deploy_keys, told.secrets, told.variables, told.webhooks)
        assert all(isinstance(part, Unknown) for part in parts)

    def test_renamed(self, running: RunningForge) -> None:
        """G7: the fault, and its end."""
        running.set_fault(Fault("renamed"))
        name = running.repository.path
        assert repository(running).settings(within=soon()).moved_to == f"{name}-renamed"
        running.set_fault(None)
        assert repository(running).settings(within=soon()).moved_to == ""

    @pytest.mark.parametrize("fault", [Fault("hang"), Fault("slow", {"delay": 60})])
    def test_late_answer_is_unavailable_by_the_deadline(self, running: RunningForge, fault: Fault) -> None:
        """A vendor that says nothing costs the deadline, not more."""
        running.set_fault(fault)
        started = CLOCK.monotonic()
        with pytest.raises(Unavailable):
            repository(running).settings(within=soon(0.3))
        assert CLOCK.monotonic() - started < timedelta(seconds=20)

    def test_token_stays_out_of_errors(self, running: RunningForge) -> None:
        """E13: no error repeats the token."""
        with pytest.raises(Denied) as caught:
            repository(running, "very-secret").settings(within=soon())
        assert "very-secret" not in f"{caught.value} {caught.value.__cause__!r}"


def test_moment_of_asking_is_the_clocks() -> None:
    """Settings say of when they are."""
    with serve_github() as running:
        assert datetime.now(UTC) - repository(running).settings(within=soon()).asked < timedelta(seconds=60)
