"""``replication_once ENDPOINT SOURCE REPLICA [unversioned]``: one comparison in a process of its own, for a benchmark.

Writes one line of JSON: what was compared and found, and the most memory that the process ever held, in bytes.
"""

from __future__ import annotations

import json
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

from benchmarks.deploy_once import KEYS, most_memory
from defib.clock import Deadline, SystemClock
from defib.providers.open_replicas import open_pair
from defib.replication.allowance import Allowance
from defib.replication.comparison import Comparer
from defib.replication.progress import Progress
from defib.sitereplication import BucketAt, Replicated
from defib.sitevalues import Aws

_WITHIN = timedelta(minutes=15)
_YOUNG = timedelta(hours=1)


def main() -> int:
    """Compare as a check does, without what a run has around it."""
    endpoint, source, replica, *rest = sys.argv[1:]
    aws = Aws(endpoint=endpoint, access_key="env:KEY", secret_key="env:SECRET")
    sides = {"source": BucketAt(bucket=source, aws=aws), "replica": BucketAt(bucket=replica, aws=aws)}
    config = Replicated(name="bench", unversioned="unversioned" in rest, **sides)
    clock = SystemClock()
    within = Deadline.after(clock, _WITHIN)
    with tempfile.TemporaryDirectory(prefix="defib-bench-") as folder:
        pair = open_pair(config, Path(folder), dict(zip(("env:KEY", "env:SECRET"), KEYS, strict=True)).__getitem__)
        allowance = Allowance(config.ask_at_most, config.read_at_most)
        comparer = Comparer(pair, None, allowance, clock.now(), _YOUNG)
        progress = Progress(Path(folder) / "progress.jsonl", clock.now(), _WITHIN)
        tally = comparer.compare(comparer.parts(within), progress, within)
        pair.proofs.close()
    told = {
        "source": tally.source,
        "replica": tally.replica,
        "checked": tally.checked,
        "found": sorted((each.kind.value, each.key) for each in tally.findings),
        "memory": most_memory(),
    }
    sys.stdout.write(json.dumps(told) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
