"""An AWS account of the lab in which a standby has to be made, and what there is before."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from typing import Any

import trustme

from defib.clock import Deadline, SystemClock
from defib.lab.alone import RunningAws
from defib.lab.furniture import SECURITY_HEADERS
from defib.ports import RecordChange, RecordSet
from defib.providers.aws import AwsAccess
from defib.providers.standby.zone import AwsStandby
from defib.redeploy.groundwork import Groundwork, Limit, key_of

_NUMBERS = itertools.count(1)


def soon(seconds: float = 20) -> Deadline:
    """A deadline that is far enough."""
    return Deadline.after(SystemClock(), timedelta(seconds=seconds))


@dataclass(frozen=True)
class Account:
    """One standby to be, seen through the adapter and past it."""

    aws: RunningAws
    work: Groundwork

    def standby(self, **changed: Any) -> AwsStandby:
        """The adapter, for the standby as it is, or with `changed` parts."""
        return AwsStandby(replace(self.work, **changed), self.access)

    @property
    def access(self) -> AwsAccess:
        """The lab's credentials."""
        keys = self.aws.credentials
        return AwsAccess(endpoint=self.aws.endpoint, access_key=keys.access_key, secret_key=keys.secret_key)

    def client(self, service: str) -> Any:
        """A service itself."""
        return _client(service, self.access)

    def made(self) -> str:
        """The id of the distribution that was made."""
        found = self.client("cloudfront").list_distributions()["DistributionList"].get("Items", [])
        return str(next(each["Id"] for each in found if each["Comment"] == self.work.comment))

    def config(self) -> dict[str, Any]:
        """The configuration of that distribution."""
        told = self.client("cloudfront").get_distribution_config(Id=self.made())
        return dict(told["DistributionConfig"])


@cache
def _client(service: str, access: AwsAccess) -> Any:
    make: Any = access.session().client
    return make(service, endpoint_url=access.endpoint, region_name="us-east-1")


def fresh_account(aws: RunningAws, *, certified: bool = True) -> Account:
    """Names of its own, and a certificate for them where it is `certified`; nothing else."""
    number = next(_NUMBERS)
    zone = f"standby-{number}.test"
    work = Groundwork(
        site=f"site-{number}",
        bucket=f"standby-{number}",
        region="us-east-1",
        distribution=f"ENOTYET{number:06d}",
        names=(f"www.{zone}", zone),
        headers=tuple(sorted(SECURITY_HEADERS)),
        limits=(("all", Limit.per_minute("/", 1000)), ("login", Limit.per_minute("/login", 5))),
        logs=f"standby-{number}-logs",
    )
    account = Account(aws, work)
    if certified:
        issue(account, zone, f"*.{zone}")
    return account


def issue(account: Account, *names: str, instead_of: str = "") -> str:
    """A certificate in ACM that is issued, by its ARN; one that is put `instead_of` another has that one's ARN."""
    issued = trustme.CA().issue_cert(*names)
    leaf, key = issued.cert_chain_pems[0].bytes(), issued.private_key_pem.bytes()
    again = {"CertificateArn": instead_of} if instead_of else {}
    return str(account.client("acm").import_certificate(Certificate=leaf, PrivateKey=key, **again)["CertificateArn"])


def make(account: Account, *types: str) -> tuple[RecordChange, ...]:
    """Make what is missing, of these types alone where any are named, and give the changes that were made."""
    standby = account.standby()
    wanted = [each for each in standby.audit(within=soon()) if not types or each.key.type in types]
    for each in wanted:
        standby.replace([each], within=soon())
    return tuple(wanted)


def present(account: Account, kind: str) -> RecordSet | None:
    """How a resource stands."""
    (found,) = account.standby().read([key_of(kind, account.work.bucket)], within=soon())
    return found


def text(record: RecordSet | None) -> Any:
    """The facts of a resource that is there."""
    assert record is not None
    return json.loads(record.values[0])
