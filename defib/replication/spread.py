"""Where ranges of keys are compared, if it is not here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from defib.clock import Deadline
from defib.replication.findings import Tally
from defib.replication.port import Cursor

Spread = Callable[[Sequence[Cursor], Deadline], Iterator[tuple[Cursor, Tally]]]
"""Has ranges compared, wherever that is, and gives what was found in each as it is done."""

SpreadOf = Callable[[str, datetime, int], Spread]
"""Whoever has the ranges of the pair of that name compared, as of that moment; everything has its turn after so many."""
