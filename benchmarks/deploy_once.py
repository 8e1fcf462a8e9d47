"""One deploy in a process of its own, as a benchmark times it: ``deploy_once ENDPOINT BUCKET ROOT COMMIT``.

Writes one line of JSON: what was uploaded, and the most memory that the process ever held, in bytes.
"""

from __future__ import annotations

import json
import random
import sys
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from benchmarks.process import KEYS, most_memory
from defib.cli import leave
from defib.clock import Deadline, SystemClock
from defib.providers.aws import AwsAccess
from defib.providers.releases.retrying import RetryingReleases
from defib.providers.releases.s3 import S3Releases
from defib.releases.deploy import deploy
from defib.releases.plan import Before
from defib.releases.tree import files_of

_WITHIN = timedelta(minutes=15)


def main() -> int:
    """Deploy as a run does, without what a run has around it; the process ends as that of a command does."""
    endpoint, bucket, root, commit = sys.argv[1:]
    clock = SystemClock()
    within = Deadline.after(clock, _WITHIN)
    access = AwsAccess(endpoint=endpoint, region="us-east-1", access_key=KEYS[0], secret_key=KEYS[1])
    store = RetryingReleases(S3Releases(bucket, access), random.Random())
    before = Before(None, timedelta(days=30), clock.now())
    read = partial(files_of, Path(root), within=within)
    done = deploy(store, commit, read, datetime(2026, 1, 1, tzinfo=UTC), before, within=within)
    told = {
        "uploaded": done.uploaded,
        "complete": len(done.manifest.entries),
        "repeated": store.repeated,
        "memory": most_memory(),
    }
    sys.stdout.write(json.dumps(told) + "\n")
    return 0


if __name__ == "__main__":
    leave(main())
