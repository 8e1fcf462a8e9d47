"""A run makes a standby, and puts it back, with the same journal, fence and undo as any other change."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from defib.changes import Changes
from defib.clock import SystemClock
from defib.errors import Refused
from defib.journal import FileSink, Journal
from defib.lab.alone import RunningAws, serve_aws
from defib.lease import Holder, Lease
from defib.providers.open import open_standby
from defib.redeploy.groundwork import ORDER, provisioning
from defib.sites.site import load_site
from defib.sites.vendors import AwsHost
from tests.providers.standby.standby_stage import Account, fresh_account, soon

SITE = load_site(Path(__file__).parents[3] / "runbooks" / "sites" / "lab.yaml")


@pytest.fixture(scope="module")
def aws() -> Iterator[RunningAws]:
    """AWS of the lab, for all tests of this file."""
    with serve_aws(deploys_in=timedelta(milliseconds=50)) as running:
        yield running


def config_of(account: Account) -> AwsHost:
    """The account's standby as a site file has it."""
    www, apex = account.work.names
    return AwsHost.model_validate(
        {
            "name": "aws",
            "provider": "s3-cloudfront",
            "role": "backup",
            "bucket": account.work.bucket,
            "distribution": account.work.distribution,
            "hostname": "d1.cloudfront.net",
            "logs": account.work.logs,
            "limits": [{"name": "registration", "path": "/register", "per_minute": 3}],
            "records": [
                {"name": www, "type": "CNAME", "values": ["d1.cloudfront.net"]},
                {"name": apex, "type": "A", "values": ["192.0.2.1"]},
            ],
            "aws": {"endpoint": account.aws.endpoint, "access_key": "env:KEY", "secret_key": "env:SECRET"},
        }
    )


def secrets(account: Account) -> dict[str, str]:
    """What the references of the site file lead to."""
    keys = account.aws.credentials
    return {"env:KEY": keys.access_key, "env:SECRET": keys.secret_key}


def test_run_makes_all_of_it_and_undoes_all_of_it(aws: RunningAws, tmp_path: Path) -> None:
    """Each change is intended, made and read back; the undo goes in reverse, and the next plan is the first one again."""
    account, clock = fresh_account(aws), SystemClock()
    lease = Lease.take(tmp_path, clock, Holder.me("run"))
    zone, audit = open_standby(SITE, config_of(account), secrets(account).__getitem__, lease.check)
    changes = Changes(Journal(FileSink(tmp_path / "journal"), clock, str), clock, [zone], lease)
    plan = provisioning(audit, account.work.bucket, soon())
    assert [each.keys[0].type for each in plan] == list(ORDER)
    for number, change in enumerate(plan, 1):
        changes.make(number, change, soon())
    assert zone.read(audit.keys, within=soon()) == tuple(change.after[0] for change in plan)
    assert changes.undo()
    assert provisioning(audit, account.work.bucket, soon()) == plan
    lease.release()


def test_without_a_lease_nothing_is_made(aws: RunningAws) -> None:
    """The fence is asked before the first call that writes."""

    def shut() -> None:
        raise Refused("nothing is written without a lease")

    account = fresh_account(aws)
    zone, audit = open_standby(SITE, config_of(account), secrets(account).__getitem__, shut)
    first, *_ = audit.audit(within=soon())
    with pytest.raises(Refused):
        zone.replace([first], within=soon())
    assert zone.read([first.key], within=soon()) == (None,)
