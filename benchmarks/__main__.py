"""``python -m benchmarks [NAME …]``: measure, print a table, write ``build/bench.json``.

Exit 0 if every target is met, 1 otherwise, with the list of those that are not; 2 where the command itself is wrong, 130
where it was stopped. What could not be told, because a peer is missing, is not met.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from types import FrameType

from benchmarks import report
from benchmarks.figures import Findings, Target
from benchmarks.order import Order
from defib.clock import SystemClock
from defib.errors import DefibError
from defib.objectives import Verdict

NAMES = (
    "startup",
    "dns-change",
    "zone-sizes",
    "fleet",
    "deploy",
    "replication",
    "git-mirror",
    "detection",
    "event",
    "outage",
)
RESULT = Path(__file__).resolve().parents[1] / "build" / "bench.json"
FEWEST = 5


def main() -> int:
    """Run what was asked for, and give the exit code."""
    given = _arguments()
    signal.signal(signal.SIGTERM, _stop)
    try:
        return _run(given.names or NAMES, Order(given.rounds, given.seed, given.net, given.all))
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
        return 130


def _run(names: Sequence[str], order: Order) -> int:
    measured = []
    for name in names:
        measured.append(_measured(name, order))
        sys.stdout.write(report.as_text(measured[-1]) + "\n\n")
        sys.stdout.flush()
        report.write(RESULT, measured, order.rounds, order.seed)
    missed = report.short_of(measured)
    if not missed:
        sys.stdout.write("All targets are met.\n")
        return 0
    sys.stdout.write("\n".join([f"{len(missed)} target(s) not met:", *(f"  {line}" for line in missed)]) + "\n")
    return 1


def _measured(name: str, order: Order) -> report.Measured:
    sys.stderr.write(f"{name}\n")
    measure: Callable[[Order], Findings] = import_module(f"benchmarks.{name.replace('-', '_')}").measure
    started, before = SystemClock().now(), report.load_now()
    try:
        findings = measure(order)
    except DefibError as error:
        findings = Findings((), (Target("could be measured", Verdict.UNKNOWN, " ".join(str(error).split())),))
    return report.Measured(name, started, report.Load(before, report.load_now()), findings)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Defib against its peers and its targets.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(NAMES)}; all of them if none is named")
    parser.add_argument("--rounds", type=int, default=FEWEST, help="that count, after one that does not (%(default)s)")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32), help="makes what is random the same again")
    parser.add_argument("--net", default="127.99", help="network of the lab that the drills run in (%(default)s)")
    parser.add_argument("--all", action="store_true", help="drills with every fault, not only refuse and hang")
    given = parser.parse_args()
    unknown = sorted(set(given.names) - set(NAMES))
    if unknown:
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}")
    if given.rounds < FEWEST:
        parser.error(f"fewer than {FEWEST} rounds prove nothing")
    return given


def _stop(_number: int, _frame: FrameType | None) -> None:
    """SIGTERM unwinds as Ctrl-C does, so that everything that was started is ended."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
