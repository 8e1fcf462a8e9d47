"""What keeps a call that comes back late from having an effect."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from defib.errors import BudgetSpent


class Door:
    """What a call passes to have an effect. Once it is shut, a call that comes back late has none."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._open = True
        self._lock = threading.RLock()

    @contextmanager
    def held_open(self) -> Iterator[None]:
        """Keep it from being shut meanwhile; :class:`BudgetSpent` if it is."""
        with self._lock:
            if not self._open:
                raise BudgetSpent(f"{self._name} is over; a late call has no effect")
            yield

    def shut(self) -> None:
        """Let nothing more pass; waits for a write that is under way, to know its end."""
        with self._lock:
            self._open = False
