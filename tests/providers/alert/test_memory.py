"""The channel in memory keeps the contract of the real ones."""

from __future__ import annotations

import pytest

from defib.clock import SimulatedClock
from defib.errors import Denied, Unavailable
from defib.providers.alert.memory import MemoryChannel
from tests.contracts.channel import ChannelContract, ChannelWorld


class TestMemoryChannel(ChannelContract):
    @pytest.fixture
    def world(self) -> ChannelWorld:
        """A channel under a simulated clock."""
        channel = MemoryChannel("memory")
        denied = MemoryChannel("denied")
        denied.failures.schedule(Denied("no", where="denied"))

        def fail(fault: str) -> None:
            if fault:
                channel.failures.schedule(Unavailable("broken", where="memory"), hangs=fault == "hang")

        def arrived() -> tuple[str, ...]:
            return tuple(f"{alert.title}\n{alert.text}" for alert in channel.sent)

        return ChannelWorld(channel, arrived, fail, denied, SimulatedClock())
