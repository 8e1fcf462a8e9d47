"""Alarms in memory, which fail on schedule."""

from __future__ import annotations

from defib.clock import Deadline
from defib.drills.blocking import AlarmSeen
from defib.providers.failures import Failures, meet, refuse_if_spent


class MemoryAlarms:
    """Fulfils :class:`defib.drills.blocking.Alarms`; `states` may be set at any time."""

    def __init__(self, *states: AlarmSeen) -> None:
        self.states = states
        self.failures = Failures()

    @property
    def where(self) -> str:
        return "memory"

    def seen(self, *, within: Deadline) -> tuple[AlarmSeen, ...]:
        refuse_if_spent(within, self.where)
        failure = self.failures.take("seen")
        if failure is not None:
            meet(failure, within)
        return self.states
