"""A deploy in a process of its own, for tests that kill it: endpoint, key, secret, bucket, folder, commit."""

from __future__ import annotations

import sys
from datetime import timedelta
from functools import partial
from pathlib import Path

from defib.clock import Deadline, SystemClock
from defib.providers.aws import AwsAccess
from defib.providers.releases.s3 import S3Releases
from defib.releases.crowd import Crowd
from defib.releases.deploy import deploy
from defib.releases.plan import Before
from defib.releases.tree import files_of
from tests.releases.site_stage import BUILT, RETENTION

if __name__ == "__main__":
    endpoint, key, secret, bucket, folder, commit = sys.argv[1:]
    clock = SystemClock()
    within = Deadline.after(clock, timedelta(seconds=300))
    store = S3Releases(bucket, AwsAccess("us-east-1", endpoint, key, secret))
    read = partial(files_of, Path(folder), within=within)
    deploy(store, commit, read, BUILT, Before(None, RETENTION, clock.now()), within=within, crowd=Crowd(4))
