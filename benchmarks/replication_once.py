"""``replication_once ENDPOINT SOURCE REPLICA [unversioned | LISTS]``: one comparison in a process of its own.

It compares what a listing tells, as other tools do, and asks only for what that does not show to be the same; a check asks
some for their headers and tags as well. With LISTS, another endpoint, it reads the inventories that are there in the bucket
`lists` instead. Writes one line of JSON: what was compared and found, how long it took without the start of the process, the
most memory that the process ever held, in bytes, and its processor time.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from benchmarks.process import KEYS, LISTS, most_memory
from defib.clock import Deadline, SystemClock
from defib.providers.aws import AwsAccess
from defib.providers.bucket.authority import AwsAuthority
from defib.providers.bucket.metrics import CloudWatchMetrics
from defib.providers.bucket.retrying import RetryingBucket
from defib.providers.bucket.s3 import S3Bucket
from defib.replication.allowance import Allowance
from defib.replication.comparison import Comparer
from defib.replication.evidence import Sides
from defib.replication.inventory import Inventories
from defib.replication.pair import Pair
from defib.replication.progress import Progress
from defib.replication.proofs import Proofs
from defib.sites.replication import BucketAt, Replicated
from defib.sites.values import Aws

_WITHIN = timedelta(minutes=15)
_NEVER = 2**62
_HERE, _THERE = "us-east-1", "eu-west-1"


def main() -> int:
    """Compare as a check does, without what a run has around it."""
    endpoint, source, replica, *how = sys.argv[1:]
    clock = SystemClock()
    within, started = Deadline.after(clock, _WITHIN), clock.monotonic()
    with tempfile.TemporaryDirectory(prefix="defib-bench-") as folder:
        pair = _pair(Path(folder), endpoint, source, replica, how)
        allowance = Allowance(pair.config.ask_at_most, pair.config.read_at_most)
        if pair.inventories is None:
            comparer = Comparer(pair, None, allowance, clock.now(), timedelta(0), _NEVER)
            progress = Progress(Path(folder) / "progress.jsonl", clock.now(), _WITHIN)
            tally = comparer.compare(comparer.parts(within), progress, within)
        else:
            from defib.replication.asof import compare_inventories  # noqa: PLC0415 - as the product does, only where it is used

            tally = compare_inventories(pair, None, allowance, within, _NEVER).tally
        pair.proofs.close()
    took = clock.monotonic() - started
    told = {
        "source": tally.source,
        "replica": tally.replica,
        "found": sorted((each.kind.value, each.key) for each in tally.findings),
        "took": took.total_seconds(),
        "memory": most_memory(),
        "processor": time.process_time(),
    }
    sys.stdout.write(json.dumps(told) + "\n")
    return 0


def _pair(folder: Path, endpoint: str, source: str, replica: str, how: Sequence[str]) -> Pair:
    config = Replicated(
        name="bench",
        source=BucketAt(bucket=source, aws=Aws(region=_HERE)),
        replica=BucketAt(bucket=replica, aws=Aws(region=_THERE)),
        unversioned="unversioned" in how,
    )
    here, there = (AwsAccess(region, endpoint, *KEYS) for region in (_HERE, _THERE))
    buckets = S3Bucket(source, here), S3Bucket(replica, there)
    ours, theirs = (RetryingBucket(each, lambda: None, random.Random()) for each in buckets)
    sides = Sides(ours, theirs, AwsAuthority(here), AwsAuthority(there))
    metrics = CloudWatchMetrics(source, replica, here, there)
    inventories = _inventories(how[0], source, replica) if how and not config.unversioned else None
    proofs = Proofs(folder / "proofs.sqlite3")
    return Pair(config, ours, theirs, folder, sides, metrics, proofs, inventories=inventories)


def _inventories(endpoint: str, source: str, replica: str) -> tuple[Inventories, Inventories]:
    from defib.providers.bucket.inventory import S3Inventories  # noqa: PLC0415 - as above

    access = AwsAccess(_HERE, endpoint, *KEYS)
    return S3Inventories(source, LISTS, source, access), S3Inventories(replica, LISTS, replica, access)


if __name__ == "__main__":
    sys.exit(main())
