"""A channel in memory, for whole procedures under a simulated clock; its failures come on schedule."""

from __future__ import annotations

import threading

from defib.alerts.alert import Alert
from defib.clock import Deadline
from defib.providers.failures import Failures, meet, refuse_if_spent


class MemoryChannel:
    """Fulfils :class:`defib.alerts.alert.Channel`; `sent` is every alert that arrived, in order."""

    def __init__(self, name: str) -> None:
        self.failures = Failures()
        self._name = name
        self._sent: list[Alert] = []
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        return self._name

    @property
    def sent(self) -> tuple[Alert, ...]:
        """Every alert that arrived."""
        with self._lock:
            return tuple(self._sent)

    def send(self, alert: Alert, *, within: Deadline) -> None:
        refuse_if_spent(within, self._name)
        with self._lock:
            failure = self.failures.take("send")
        if failure is not None and failure.lands_after is None:
            meet(failure, within)
        with self._lock:
            self._sent.append(alert)
        if failure is not None:
            meet(failure, within)
