"""The environment of a build: closed, and the same wherever the same commit is built."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

from defib.building.built import Checkout
from defib.building.environment import build_environment
from tests.building.workshop import COMMIT


def test_all_of_it(tmp_path: Path) -> None:
    """These seven and no other; the time is the commit's, to the second and in UTC."""
    committed = datetime(2026, 1, 1, 11, 0, 0, 5, tzinfo=timezone(timedelta(hours=1)))
    found = build_environment(Checkout(COMMIT, committed, tmp_path), ["sdk/bin", "/opt/bin"], Path("/home/d"), Path("/own"))
    expected = {
        "PATH": f"/home/d/sdk/bin:/opt/bin:{os.environ['PATH']}",
        "HOME": "/own",
        "LANG": "C.UTF-8",
        "CI": "true",
        "SOURCE_DATE_EPOCH": str(int(datetime(2026, 1, 1, 10, tzinfo=UTC).timestamp())),
        "DEFIB_COMMIT": COMMIT,
        "DEFIB_COMMITTED": "2026-01-01T10:00:00Z",
    }
    assert expected == found
