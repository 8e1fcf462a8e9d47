"""The repository in memory keeps the contract, and fails as it was told to."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from defib.clock import Deadline, SimulatedClock, SystemClock
from defib.errors import Denied, NotFound, Unavailable
from defib.mirror.settings import CiName, DeployKey, Protection, RepositorySettings, Unknown, Visibility, Webhook
from defib.providers.git.memory import MemoryRepository
from tests.contracts.hosted_repository import BUILDER, HostedRepositoryContract, RepositoryWorld

CHAT = "https://chat.pulse-trading.test/services/[redacted]/[redacted]/[redacted]"
TOLD = RepositorySettings(
    vendor="github",
    project="pulse-trading/pulse-trading",
    asked=SimulatedClock().now(),
    default_branch="main",
    visibility=Visibility.PRIVATE,
    archived=False,
    protections=tuple(
        Protection(each, force_push=False, deletion=False, reviews=True, pushers=("nobody",))
        for each in ("main", "release/*")
    ),
    deploy_keys=(BUILDER, DeployKey("release robot", "", writes=True)),
    secrets=(CiName("AWS_DEPLOY_ROLE"), CiName("STATUSPAGE_TOKEN")),
    variables=(CiName("FLUTTER_CHANNEL"),),
    webhooks=(
        Webhook(CHAT, ("release",), active=True, verifies_tls=True),
        Webhook("https://ci.pulse-trading.test/build", ("pull request", "push", "tag"), active=True, verifies_tls=True),
    ),
)


def memory_world() -> RepositoryWorld:
    """A world in memory; refusals are scheduled, as there is nobody to refuse."""
    repository, denied, unknown = MemoryRepository(TOLD), MemoryRepository(TOLD), MemoryRepository(TOLD)
    denied.failures.schedule(Denied("no", where=TOLD.project))
    unknown.failures.schedule(NotFound("no", where=TOLD.project))

    def change(**how: object) -> None:
        repository.told = replace(repository.told, **how)  # type: ignore[arg-type]

    return RepositoryWorld(
        repository=repository,
        hide=lambda part: change(**{part: Unknown("HTTP 403; the token needs more")}),
        rename=lambda name: change(moved_to=name),
        archive=lambda: change(archived=True),
        open_up=lambda: change(visibility=Visibility.PUBLIC),
        keep_keys=lambda number: change(deploy_keys=tuple(DeployKey(f"key {each}", "", False) for each in range(number))),
        denied=denied,
        unknown=unknown,
        never_told=("never",),
        clock=SystemClock(),
    )


class TestMemoryRepository(HostedRepositoryContract):
    """The contract over memory."""

    @pytest.fixture
    def world(self) -> RepositoryWorld:
        """A fresh repository."""
        return memory_world()


def test_failure_comes_as_scheduled() -> None:
    """Once, after the wait that goes with it."""
    clock = SimulatedClock()
    repository = MemoryRepository(TOLD)
    repository.failures.schedule(Unavailable("lost"), hangs=True)
    with pytest.raises(Unavailable):
        repository.settings(within=Deadline.after(clock, timedelta(seconds=10)))
    assert clock.monotonic() == timedelta(seconds=10)
    told = repository.settings(within=Deadline.after(clock, timedelta(seconds=10)))
    assert told == replace(TOLD, asked=clock.now())
