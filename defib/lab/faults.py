"""What can be broken in the lab: every target, its faults, and the options of each."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field

from defib.errors import InputError

EDGE_FAULTS = (
    "refuse",
    "hang",
    "slow",
    "5xx",
    "wrong-page",
    "empty-page",
    "truncated",
    "expired-certificate",
    "wrong-certificate",
    "stale-build",
    "missing-headers",
)
REFERENCE_FAULTS = ("refuse", "hang")
ORIGIN_FAULTS = ("refuse", "hang", "slow", "5xx")
OTHERS_API_FAULTS = ("refuse", "hang", "5xx")
AWS_FAULTS = ("429", "500", "denied", "read-only", "slow", "hang", "lying", "lost-answer")
S3_FAULTS = (*AWS_FAULTS, "short-listing", "skewed")
READ_FAULTS = ("429", "500", "denied", "slow", "hang")
REGION_FAULTS = ("refuse", *READ_FAULTS, "skewed")
REPLICATION_FAULTS = ("stall", "lag", "corrupt", "drop", "fail")
MONITORING_FAULTS = ("refuse", "hang", "429", "500", "denied", "lying", "stale")
CLOUDFLARE_FAULTS = (*AWS_FAULTS, "ignored")
LFS_FAULTS = ("lfs-missing", "lfs-429")
GIT_FAULTS = ("refuse", "hang", "slow", "5xx", "expired-token", "emptied", "force-pushed", "behind", *LFS_FAULTS)
FORGE_FAULTS = ("429", "500", "denied", "forbidden", "slow", "hang", "renamed")

OPTIONS = {
    "retry_after": "seconds that a 429 asks to wait (1)",
    "delay": "seconds that slow waits before it answers (5)",
    "status": "HTTP status of 5xx (503)",
    "age": "seconds by which a stale build is older (10800)",
    "commits": "commits by which a Git host is behind (1)",
    "objects": "objects that a Git host's LFS server has lost (1)",
    "seconds": "seconds by which replication lags (60)",
    "silent": "1 for a corrupt copy that has the ETag of its source (0)",
    "every": "of so many requests one is spoiled (1, that is each)",
    "times": "number of requests to spoil before the fault heals itself (no limit)",
}
_OWN_OPTION = {
    "429": "retry_after",
    "slow": "delay",
    "5xx": "status",
    "stale-build": "age",
    "behind": "commits",
    "lfs-missing": "objects",
    "lfs-429": "retry_after",
    "lag": "seconds",
    "corrupt": "silent",
}
# These are states of a server, not of its answers, so there is nothing to count.
_UNCOUNTED = (
    *("refuse", "hang", "expired-certificate", "wrong-certificate"),
    *("emptied", "force-pushed", "behind", "lfs-missing", "renamed"),
    *("stall", "lag", "stale"),
)


@dataclass(frozen=True)
class Fault:
    """One fault as it was asked for; `options` are numbers under the names of :data:`OPTIONS`."""

    name: str
    options: Mapping[str, float] = field(default_factory=dict)

    def option(self, name: str, default: float) -> float:
        """The option `name`, or `default` where it was not given."""
        return self.options.get(name, default)


class FaultSwitch:
    """Holds the fault that one server shows now, and counts down those that heal themselves."""

    def __init__(self) -> None:
        self._fault: Fault | None = None
        self._left: float | None = None
        self._asked = 0
        self._changed = asyncio.Event()
        self.requests = 0
        """How many requests came to the server, whatever became of them."""

    @property
    def fault(self) -> Fault | None:
        """The fault in force, None when all is well; asking does not use it up."""
        return self._fault

    def set(self, fault: Fault | None) -> None:
        """Put `fault` in force in place of any other; None heals."""
        self._fault = fault
        self._left = fault.options.get("times") if fault is not None else None
        self._asked = 0
        self._changed.set()
        self._changed = asyncio.Event()

    async def changed(self) -> None:
        """Wait until another fault, or none, is put in force."""
        await self._changed.wait()

    def spend(self) -> Fault | None:
        """The fault for one request, where it is the turn of that; after the last of `times` requests it is over."""
        fault = self._fault
        self.requests += 1
        self._asked += 1
        if fault is not None and self._asked % max(1, int(fault.option("every", 1))):
            return None
        if fault is not None and self._left is not None:
            self._left -= 1
            if self._left <= 0:
                self._fault = None  # without waking the requests that this fault still holds
        return fault


def check(targets: Mapping[str, tuple[str, ...]], target: str, fault: Fault) -> None:
    """Refuse a target, a fault or an option that does not exist, with the nearest one that does."""
    if target not in targets:
        raise _unknown("target", target, tuple(targets))
    if fault.name not in targets[target]:
        raise _unknown(f"fault of {target}", fault.name, targets[target])
    for name in fault.options:
        if name not in options_of(fault.name):
            raise _unknown(f"option of {fault.name}", name, options_of(fault.name))


def options_of(fault: str) -> tuple[str, ...]:
    """The options that a fault of a web server or an API takes."""
    own = (_OWN_OPTION[fault],) if fault in _OWN_OPTION else ()
    return own if fault in _UNCOUNTED else (*own, "every", "times")


def check_target(targets: Mapping[str, tuple[str, ...]], target: str) -> None:
    """Refuse a target that does not exist, with the nearest one that does."""
    if target not in targets:
        raise _unknown("target", target, tuple(targets))


def _unknown(kind: str, seen: str, known: tuple[str, ...]) -> InputError:
    near = difflib.get_close_matches(seen, known, n=1, cutoff=0.4)
    return InputError(
        f"the lab has no {kind} {seen!r}" + (f"; did you mean {near[0]!r}?" if near else ""),
        expected=f"one of: {', '.join(known)}" if known else "none",
        seen=seen,
        then="defib lab status",
    )
