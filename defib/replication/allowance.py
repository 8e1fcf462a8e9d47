"""How much may be asked and read beyond the listings in one comparison, shared by all of its parts."""

from __future__ import annotations

import threading

_BOTH = 2


class Allowance:
    """So many requests and so many bytes; several threads take from it."""

    def __init__(self, requests: int, size: int) -> None:
        self._requests, self._size = requests, size
        self._left_requests, self._left_size = requests, size
        self._lock = threading.Lock()

    def requests(self, number: int) -> bool:
        """Take so many requests; False, and nothing is taken, where fewer are left."""
        return self._take(number, 0)

    def spare_requests(self, number: int) -> bool:
        """The same for what is less urgent: half of all requests stay for the rest."""
        return self._take(number, self._requests // 2)

    def _take(self, number: int, keep: int) -> bool:
        with self._lock:
            if self._left_requests < number + keep:
                return False
            self._left_requests -= number
            return True

    def size(self, number: int) -> bool:
        """Take so many bytes; False, and nothing is taken, where fewer are left."""
        with self._lock:
            if self._left_size < number:
                return False
            self._left_size -= number
            return True

    @property
    def spent(self) -> bool:
        """Whether nothing can be asked any more: every question is for both sides."""
        return self._left_requests < _BOTH

    @property
    def asked(self) -> int:
        """The requests that were taken."""
        return self._requests - self._left_requests

    @property
    def read(self) -> int:
        """The bytes that were taken."""
        return self._size - self._left_size
