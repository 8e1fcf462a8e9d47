"""A status page in memory, for whole procedures under a simulated clock; its failures come on schedule."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

from defib.alerts.alert import Notice
from defib.clock import Deadline
from defib.providers.failures import Failures, meet, refuse_if_spent


@dataclass(frozen=True)
class MemoryIncident:
    """One incident as the page shows it: every text that was said of it, oldest first."""

    title: str
    stage: str
    texts: tuple[str, ...]


class MemoryStatusPage:
    """Fulfils :class:`defib.alerts.alert.StatusPage`; `incidents` is all that was ever on it, in order."""

    def __init__(self, name: str) -> None:
        self.failures = Failures()
        self._name = name
        self._incidents: list[MemoryIncident] = []
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        return self._name

    @property
    def incidents(self) -> tuple[MemoryIncident, ...]:
        """Every incident, the last one last."""
        with self._lock:
            return tuple(self._incidents)

    def say(self, notice: Notice, *, within: Deadline) -> None:
        self._meet_failures("say", within)
        with self._lock:
            texts = self._incidents.pop().texts if self._open() else ()
            self._incidents.append(MemoryIncident(notice.title, notice.stage.value, (*texts, notice.text)))

    def resolve(self, text: str, *, within: Deadline) -> None:
        self._meet_failures("resolve", within)
        with self._lock:
            if self._open():
                last = self._incidents.pop()
                self._incidents.append(replace(last, stage="resolved", texts=(*last.texts, text)))

    def _open(self) -> bool:
        return bool(self._incidents) and self._incidents[-1].stage != "resolved"

    def _meet_failures(self, method: str, within: Deadline) -> None:
        refuse_if_spent(within, self._name)
        with self._lock:
            failure = self.failures.take(method)
        if failure is not None:
            meet(failure, within)
