"""A deploy that is killed in the middle."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import timedelta
from functools import partial
from pathlib import Path

from defib.clock import Deadline, SystemClock
from defib.lab.alone import serve_aws
from defib.lab.bucket import Bucket
from defib.providers.aws import AwsAccess
from defib.providers.releases.s3 import S3Releases
from defib.releases.deploy import deploy
from defib.releases.plan import Before
from defib.releases.retention import releases
from defib.releases.rules import MANIFEST, key_of
from defib.releases.tree import files_of
from tests.releases.site_stage import BUILT, FIRST, RETENTION, SECOND, SITE, write

CLOCK = SystemClock()
ROOT = Path(__file__).resolve().parents[3]
FILES = {f"assets/f{number}.png": f"picture {number}" for number in range(200)} | SITE


def test_killed_after_half_the_uploads(tmp_path: Path) -> None:
    """R6: after kill -9 in the middle the live release is as it was, and the next run uploads only the rest."""
    site, old = write(tmp_path / "site", FILES), write(tmp_path / "old", SITE)
    within = Deadline.after(CLOCK, timedelta(seconds=300))
    with serve_aws() as aws:
        bucket = Bucket("releases-killed")
        bucket.create()
        keys = aws.credentials
        store = S3Releases(bucket.name, AwsAccess("us-east-1", aws.endpoint, keys.access_key, keys.secret_key))
        before = Before(None, RETENTION, CLOCK.now())
        deploy(store, SECOND, partial(files_of, old, within=within), BUILT, before, within=within)
        live = store.list(key_of(SECOND, ""), within=within)

        arguments = [aws.endpoint, keys.access_key, keys.secret_key, bucket.name, str(site), FIRST]
        command = [sys.executable, "-m", "tests.providers.releases.deploy_driver", *arguments]
        process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
        while len(bucket.keys()) < len(live) + 60:
            assert process.poll() is None
            CLOCK.sleep(timedelta(milliseconds=5))
        process.send_signal(signal.SIGKILL)
        assert -signal.SIGKILL == process.wait()

        there = {each.key for each in store.list(key_of(FIRST, ""), within=within)}
        assert 60 <= len(there) < len(FILES)
        assert key_of(FIRST, MANIFEST) not in there
        assert {FIRST: False, SECOND: True} == {
            each.commit: each.complete for each in releases(store, SECOND, within=within)
        }
        assert live == store.list(key_of(SECOND, ""), within=within)

        done = deploy(store, FIRST, partial(files_of, site, within=within), BUILT, before, within=within)
        # What was on its way when the process died, from each of its four threads, may have landed since.
        assert len(FILES) - len(there) - 4 <= done.uploaded <= len(FILES) - len(there)
        assert set(FILES) == {entry.path for entry in done.manifest.entries}
