"""Jobs of S3 Batch Operations that replicate versions, by S3's control API.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_CreateJob.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from defib.clock import Deadline
from defib.errors import Conflict, NotFound
from defib.privilege.permission import Condition, Permission
from defib.providers.aws import AwsAccess
from defib.providers.aws_errors import asked, code_of
from defib.replication.authority import BATCH, partition_of
from defib.replication.jobs import Job, Order

T = TypeVar("T")

_PAGE = 1000
_CANCELLED = "Cancelled"
_OVER = "JobStatusException"
"""What S3 says where a job is over and cannot be cancelled any more."""


def permissions(account: str, region: str, role: str) -> tuple[Permission, ...]:
    """Finding jobs, asking how they stand, making them, and cancelling them; without a `role` it is that of the rules.

    S3 knows no permission to list or to make single jobs, so that what they may do is limited instead:
    https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
    """
    jobs = (f"arn:aws:s3:{region}:{account}:job/*",)
    only = Condition("StringEquals", "s3:RequestJobOperation", ("S3ReplicateObject",))
    passed = Condition("StringEquals", "iam:PassedToService", (BATCH,))
    return (
        Permission(("s3:ListJobs",)),
        Permission(("s3:DescribeJob",), jobs, acts=True),
        Permission(("s3:CreateJob",), acts=True, conditions=(only,)),
        Permission(("s3:UpdateJobStatus",), jobs, acts=True, why="a job is cancelled where a repair is rolled back"),
        Permission(
            ("iam:PassRole",),
            (role or f"arn:aws:iam::{account}:role/*",),
            acts=True,
            conditions=(passed,),
            why="IAM asks for it where a job is made that acts as the role",
        ),
    )


class S3Jobs:
    """Fulfils :class:`defib.replication.jobs.Jobs`."""

    def __init__(self, account: str, access: AwsAccess) -> None:
        self._account, self._region = account, access.region
        prepare = self._at_an_address if access.endpoint else lambda _: None
        self._clients = access.clients("s3control", prepare=prepare)

    @property
    def where(self) -> str:
        return f"S3 Batch Operations of {self._account} ({self._region})"

    def named(self, name: str, *, within: Deadline) -> Sequence[Job]:
        found: list[Mapping[str, Any]] = []
        more: dict[str, str] = {}
        while True:
            told = self._page(more, within)
            found += [each for each in told.get("Jobs", ()) if each.get("Description") == name]
            if not told.get("NextToken"):
                break
            more = {"NextToken": told["NextToken"]}
        return [_job(each) for each in sorted(found, key=lambda each: each["CreationTime"])]

    def _page(self, more: Mapping[str, str], within: Deadline) -> Mapping[str, Any]:
        return self._ask(lambda client: client.list_jobs(MaxResults=_PAGE, **more), "ListJobs", within)

    def create(self, order: Order, *, within: Deadline) -> str:
        wanted = _request(order)
        try:
            told = self._ask(lambda client: client.create_job(**wanted), "CreateJob", within)
        except NotFound as error:
            if code_of(error.__cause__) == "IdempotencyException":
                raise Conflict("another job has this token", where=self.where, seen=error.seen) from error
            raise
        return str(told["JobId"])

    def job(self, job_id: str, *, within: Deadline) -> Job:
        return _job(self._ask(lambda client: client.describe_job(JobId=job_id), "DescribeJob", within)["Job"])

    def cancel(self, job_id: str, why: str, *, within: Deadline) -> None:
        wanted = {"JobId": job_id, "RequestedJobStatus": _CANCELLED, "StatusUpdateReason": why}
        try:
            self._ask(lambda client: client.update_job_status(**wanted), "UpdateJobStatus", within)
        except NotFound as error:
            if code_of(error.__cause__) != _OVER:
                raise

    def _ask(self, work: Callable[[_Account], T], what: str, within: Deadline) -> T:
        return asked(lambda: work(_Account(self._clients.within(within), self._account)), within, what, self.where)

    def _at_an_address(self, client: Any) -> None:
        client.meta.events.register_first("request-created.s3-control", self._without_account)

    def _without_account(self, request: Any, **_: Any) -> None:
        """Clients put the account into the host's name, for which an address has no room."""
        request.url = request.url.replace(f"//{self._account}.", "//", 1)


class _Account:
    """A client whose every call names the account."""

    def __init__(self, client: Any, account: str) -> None:
        self._client, self._account = client, account

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._client, name)
        return lambda **wanted: call(AccountId=self._account, **wanted)


def _request(order: Order) -> Mapping[str, Any]:
    """S3 makes the manifest: every version that a rule covers now, of these statuses, and older than the plan."""
    arn = f"arn:{partition_of(order.role)}:s3:::"
    chosen = {
        "EligibleForReplication": True,
        "ObjectReplicationStatuses": [str(status) for status in order.statuses],
        "CreatedBefore": order.before,
        **({"KeyNameConstraint": {"MatchAnyPrefix": [order.prefix]}} if order.prefix else {}),
    }
    generator = {"SourceBucket": f"{arn}{order.bucket}", "EnableManifestOutput": False, "Filter": chosen}
    return {
        "Operation": {"S3ReplicateObject": {}},
        "ManifestGenerator": {"S3JobManifestGenerator": generator},
        "Report": _report(arn, order.report),
        "ClientRequestToken": order.token,
        "Description": order.name,
        "Priority": order.priority,
        "RoleArn": order.role,
        "ConfirmationRequired": False,
    }


def _report(arn: str, bucket: str) -> Mapping[str, Any]:
    if not bucket:
        return {"Enabled": False}
    return {
        "Enabled": True,
        "Bucket": f"{arn}{bucket}",
        "Prefix": "defib",
        "Format": "Report_CSV_20180820",
        "ReportScope": "FailedTasksOnly",
    }


def _job(told: Mapping[str, Any]) -> Job:
    progress = told.get("ProgressSummary", {})
    return Job(
        id=str(told["JobId"]),
        name=str(told.get("Description", "")),
        status=str(told["Status"]),
        total=int(progress.get("TotalNumberOfTasks", 0)),
        succeeded=int(progress.get("NumberOfTasksSucceeded", 0)),
        failed=int(progress.get("NumberOfTasksFailed", 0)),
        reasons=tuple(f"{each['FailureCode']}: {each['FailureReason']}" for each in told.get("FailureReasons", ())),
    )
