"""Readiness tells what of a standby on AWS is missing or was changed, before it is needed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from defib.clock import Deadline
from defib.errors import Denied
from defib.lab.alone import RunningAws, serve_aws
from defib.ports import RecordChange, RecordKey
from defib.ready.check import Check, State
from defib.ready.inspect import Instruments, inspect
from defib.redeploy.groundwork import DISTRIBUTION, ORDER, POLICY, Audit
from tests.providers.standby.standby_stage import Account, fresh_account, soon
from tests.stage import Stage

HOST = "last-resort"
"""Not the site's own host on AWS, which is its CDN as well."""


@pytest.fixture(scope="module")
def aws() -> Iterator[RunningAws]:
    """AWS of the lab, for all tests of this file."""
    with serve_aws(deploys_in=timedelta(milliseconds=50)) as running:
        yield running


@pytest.fixture
def account(aws: RunningAws) -> Account:
    """A standby that is as it must be, with its distribution's id in the site file."""
    account = fresh_account(aws)
    for _ in range(2):
        standby = account.standby()
        for change in standby.audit(within=soon()):
            standby.replace([change], within=soon())
        account = replace(account, work=replace(account.work, distribution=account.made()))
    return account


def found(tmp_path: Path, audit: Audit) -> tuple[Check, ...]:
    """What readiness says of the standby of a site that is well otherwise."""
    stage = Stage(tmp_path / "home")
    tools = Instruments(lambda *_: (), lambda *_: {}, lambda _: 10**12, 1, lambda *_: {HOST: audit}, lambda *_: {})
    checks = inspect(stage.desk, str(stage.site_path), tools).checks
    return tuple(check for check in checks if check.name == "standby")


def test_standby_as_it_must_be_is_ready(tmp_path: Path, account: Account) -> None:
    """One finding that says so."""
    (check,) = found(tmp_path, account.standby())
    assert (check.about, check.state) == (HOST, State.OK)


def test_each_missing_resource_fails(tmp_path: Path, aws: RunningAws) -> None:
    """C14: an account in which nothing was made: every resource is named, and what must hold is shown by a command."""
    checks = found(tmp_path, fresh_account(aws).standby())
    warned = {f"WEB-ACL of {HOST}", f"LOGGING of {HOST}"}
    assert {check.about: check.state for check in checks} == {
        f"{kind} of {HOST}": State.WARN if f"{kind} of {HOST}" in warned else State.FAIL for kind in ORDER
    }
    assert checks[0].text == "there is no private, versioned, encrypted bucket"
    assert checks[0].then.startswith("defib export terraform --site")


def test_what_was_weakened_is_named_with_what_it_must_be(tmp_path: Path, account: Account) -> None:
    """A distribution that takes old TLS again serves, but not as it should."""
    cloudfront = account.client("cloudfront")
    held = cloudfront.get_distribution_config(Id=account.work.distribution)
    held["DistributionConfig"]["ViewerCertificate"]["MinimumProtocolVersion"] = "TLSv1"
    cloudfront.update_distribution(
        Id=account.work.distribution, IfMatch=held["ETag"], DistributionConfig=held["DistributionConfig"]
    )
    (check,) = found(tmp_path, account.standby())
    assert (check.about, check.state) == (f"{DISTRIBUTION} of {HOST}", State.WARN)
    assert check.text == 'the distribution: minimum_tls is "TLSv1", must be "TLSv1.2_2021"'


def test_distribution_that_the_site_file_does_not_name_fails(tmp_path: Path, account: Account) -> None:
    """A standby that was made, and an id that was never put into the site file."""
    checks = found(tmp_path, account.standby(distribution="EFORGOTTEN"))
    assert f"put distribution: {account.work.distribution} into the site file" in [check.then for check in checks]
    assert POLICY in [check.about.partition(" ")[0] for check in checks]


def test_header_that_cannot_be_served_fails(tmp_path: Path, account: Account) -> None:
    """What CloudFront has no words for is found before an incident."""
    (check,) = found(tmp_path, account.standby(headers=(("X-Frame-Options", "ALLOWALL"),)))
    assert check.state is State.FAIL
    assert "ALLOWALL" in check.text


@dataclass(frozen=True)
class Refusing:
    """An account that lets nobody look."""

    keys: tuple[RecordKey, ...] = ()

    def audit(self, *, within: Deadline) -> tuple[RecordChange, ...]:
        """Refuse."""
        raise Denied("list web acls: AWS refuses the credentials", seen=f"AccessDenied, {bool(within.remaining())}")

    def misplaced(self, *, within: Deadline) -> str:
        """Refuse."""
        raise Denied("refused", seen=str(within.expired()))


def test_what_may_not_be_looked_at_is_not_called_good(tmp_path: Path) -> None:
    """Promise 10: credentials that may not audit leave it unknown, or worse."""
    (check,) = found(tmp_path, Refusing())
    assert check.state in (State.UNKNOWN, State.FAIL)
    assert "refuses the credentials" in check.text
