"""A repository's settings in memory, for whole procedures under a simulated clock; its failures come on schedule."""

from __future__ import annotations

from dataclasses import replace

from defib.clock import Deadline
from defib.mirror.settings import RepositorySettings
from defib.providers.failures import Failures, meet, refuse_if_spent


class MemoryRepository:
    """Fulfils :class:`defib.mirror.settings.HostedRepository`. `told` may be set at any time."""

    def __init__(self, told: RepositorySettings) -> None:
        self.told = told
        self.failures = Failures()

    @property
    def vendor(self) -> str:
        """The vendor that `told` names."""
        return self.told.vendor

    @property
    def project(self) -> str:
        """The project that `told` names."""
        return self.told.project

    def settings(self, *, within: Deadline) -> RepositorySettings:
        """What `told` holds, as of now."""
        refuse_if_spent(within, f"memory, repository {self.project}")
        failure = self.failures.take("settings")
        if failure is not None:
            meet(failure, within)
        return replace(self.told, asked=within.clock.now())
