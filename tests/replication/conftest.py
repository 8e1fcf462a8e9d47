"""Two buckets for every test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.replication.buckets import Buckets


@pytest.fixture
def buckets(tmp_path: Path) -> Buckets:
    """A source and its replica, both empty."""
    return Buckets(tmp_path)
