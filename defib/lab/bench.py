"""The lab as the bench of a drill: faults on demand, a fingerprint of the outside, and the eyewitness's log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from defib.clock import Clock
from defib.drills.drilled import Witnessed
from defib.lab import process
from defib.lab.eyewitness import TIME_LIMIT, log_name, outages, read_looks

_SETTLE = TIME_LIMIT + timedelta(milliseconds=200)
"""After this, every look that was under way has ended and is in the log."""


class LabBench:
    """Breaks and heals the lab of one home, and reads what its eyewitness saw of `host`."""

    def __init__(self, home: Path, host: str, clock: Clock) -> None:
        self._home = home
        self._log = home / "lab" / log_name(host)
        self._clock = clock

    def break_(self, target: str, fault: str) -> None:
        process.break_(self._home, target, fault)

    def heal(self) -> None:
        process.heal(self._home)

    def fingerprint(self) -> tuple[str, ...]:
        return tuple(sorted(_flatten(json.loads(process.client(self._home).fingerprint()), "")))

    def witnessed(self, since: datetime, until: datetime) -> Witnessed:
        self._clock.sleep(max(until + _SETTLE - self._clock.now(), timedelta(0)))
        looks = [look for look in read_looks(self._log, since) if look.sent_at <= until]
        seen = [outage for outage in outages(self._log, since) if outage.start <= until]
        if not seen:
            return Witnessed(None, None, None, len(looks), self._log.name)
        ended = seen[-1].end
        # From the first loss of service to the last return: what users call the outage, interruptions included.
        length = ended - seen[0].start if ended else None
        return Witnessed(length, seen[0].start, ended, len(looks), self._log.name)


def _flatten(tree: Any, path: str) -> Iterator[str]:
    """One line a fact: the path to it, and its value."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from _flatten(value, f"{path}/{key}")
    elif isinstance(tree, list):
        for number, value in enumerate(tree):
            yield from _flatten(value, f"{path}/{_name(value, number)}")
    else:
        yield f"{path} = {json.dumps(tree)}"


def _name(value: Any, number: int) -> str:
    if isinstance(value, dict) and "name" in value and "type" in value:
        return f"{value['name']} {value['type']} {value.get('set_identifier', '')}".rstrip()
    return str(number)
