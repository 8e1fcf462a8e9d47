"""``python -m benchmarks.fleet_aws ZONES NAMES``: Route 53 with so many zones of so many names, in a process of its own.

It prints one line of JSON, how to reach it, and another one for each line that it reads: what it was asked until then.
"""

from __future__ import annotations

import bisect
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta

from defib.clock import Clock, SystemClock
from defib.lab.alone import serve_aws
from defib.lab.faults import Fault, FaultSwitch
from defib.ports import RecordKey, RecordSet

PRIMARY, BACKUP = "cname.primary-host.test.", "backup.standby-host.test."
TTL = timedelta(seconds=1)
SPAN = 10.0
"""Seconds over which calls are counted: within a single second, what was held up on the way would count as sent together."""


@dataclass(frozen=True)
class Address:
    """How to reach it."""

    endpoint: str
    access_key: str
    secret_key: str


@dataclass(frozen=True)
class Asked:
    """What it was asked: `busiest` is the largest number of calls within any :data:`SPAN` seconds.

    `switched` is the number of zones whose names lead to the backup, all of them and nothing else.
    """

    calls: int
    busiest: int
    switched: int


def zone_name(number: int) -> str:
    """The name of one of the zones."""
    return f"site-{number:03}.test."


def zone_id(number: int) -> str:
    """Its id at Route 53."""
    return f"ZFLEET{number:03}"


def records(number: int, names: int, target: str) -> tuple[RecordSet, ...]:
    """What a zone holds beside SOA and NS while its names lead to `target`."""
    keys = (RecordKey(f"{'www' if n == 0 else f'app-{n}'}.{zone_name(number)}", "CNAME") for n in range(names))
    return tuple(sorted((RecordSet(key, TTL, (target,)) for key in keys), key=lambda each: each.key))


def busiest(times: Sequence[float]) -> int:
    """The largest number of calls, given in order, within any :data:`SPAN` seconds."""
    return max((bisect.bisect_left(times, at + SPAN) - number for number, at in enumerate(times)), default=0)


class _Noting(FaultSwitch):
    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self.times: list[float] = []

    def spend(self) -> Fault | None:
        self.times.append(self._clock.monotonic().total_seconds())
        return super().spend()


def main(zones: int, names: int) -> None:
    """Serve until the end of the input."""
    with serve_aws() as aws:

        async def add() -> None:
            for number in range(zones):
                aws.aws.route53.add_zone(zone_id(number), zone_name(number), records(number, names, PRIMARY))

        def switched() -> Iterator[int]:
            for number in range(zones):
                held = aws.aws.route53.content(zone_id(number))
                if tuple(each for each in held if each.key.type == "CNAME") == records(number, names, BACKUP):
                    yield number

        aws.loop.run(add())
        noting = _Noting(SystemClock())
        aws.aws.switches["route53"] = noting
        _tell(asdict(Address(aws.endpoint, aws.credentials.access_key, aws.credentials.secret_key)))
        for _ in sys.stdin:
            times, noting.times = noting.times, []
            _tell(asdict(Asked(len(times), busiest(times), len(list(switched())))))


def _tell(value: dict[str, object]) -> None:
    print(json.dumps(value), flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
