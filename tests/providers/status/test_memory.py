"""The status page in memory keeps the contract of the real ones."""

from __future__ import annotations

import pytest

from defib.clock import SimulatedClock
from defib.errors import Denied, NotFound
from defib.providers.status.memory import MemoryStatusPage
from tests.contracts.status_page import PageWorld, Shown, StatusPageContract


class TestMemoryStatusPage(StatusPageContract):
    @pytest.fixture
    def world(self) -> PageWorld:
        """A page under a simulated clock."""
        page, denied, unknown = (MemoryStatusPage(name) for name in ("memory", "denied", "unknown"))
        denied.failures.schedule(Denied("no", where="denied"))
        unknown.failures.schedule(NotFound("none", where="unknown"))

        def shown() -> tuple[Shown, ...]:
            return tuple(Shown(each.title, each.stage != "resolved", each.texts) for each in page.incidents)

        return PageWorld(page, shown, denied, unknown, clock=SimulatedClock())
