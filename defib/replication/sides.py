"""Two questions at the same time, to both sides of a pair for one: from a region away, answers take longer than the rest."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
U = TypeVar("U")


def both(first: Callable[[], T], second: Callable[[], U]) -> tuple[T, U]:
    """What both say, such as the source and the replica; raises what either raises, the error of the first before."""
    with ThreadPoolExecutor(1, thread_name_prefix="defib-side") as aside:
        other = aside.submit(second)
        return first(), other.result()
