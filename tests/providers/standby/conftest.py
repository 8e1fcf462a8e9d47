"""The AWS that the tests of a standby share."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from defib.lab.alone import RunningAws, serve_aws
from tests.providers.standby.standby_stage import Account, fresh_account


@pytest.fixture(scope="module")
def aws() -> Iterator[RunningAws]:
    """AWS of the lab, for all tests of a file."""
    with serve_aws(deploys_in=timedelta(milliseconds=50)) as running:
        yield running


@pytest.fixture
def account(aws: RunningAws) -> Account:
    """Nothing but a certificate."""
    return fresh_account(aws)
