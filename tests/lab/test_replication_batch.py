"""S3 Batch Replication of the lab copies what live replication never covered or failed, as a job that is asked for."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from defib.lab.alone import serve_replicated
from defib.lab.faults import Fault
from defib.lab.replication.furniture import BATCH_ROLE, REPLICA, ROLE, SOURCE
from tests.lab.replication_stage import ACCOUNT, CLOCK, Pair, control, refused, rule, wait_until

SOURCE_ARN = f"arn:aws:s3:::{SOURCE}"


@pytest.fixture(scope="module")
def running() -> Iterator[Pair]:
    """Both buckets as they stand in the lab."""
    with serve_replicated(replicates_in=timedelta(milliseconds=20)) as aws:
        yield Pair.of(aws)


@pytest.fixture
def pair(running: Pair) -> Iterator[Pair]:
    """The same, healed, with the rule of the lab and without what a test wrote."""
    running.configure(rule())
    yield running
    running.aws.set_fault("s3-replication", None)
    running.empty("new/")


@pytest.fixture
def jobs(pair: Pair) -> Any:
    """The control API."""
    return control(pair.aws)


def generator(prefix: str = "new/", **chosen: Any) -> dict[str, Any]:
    """What makes a manifest of the source's keys under a prefix."""
    told = {"EligibleForReplication": True, "KeyNameConstraint": {"MatchAnyPrefix": [prefix]}, **chosen}
    return {"S3JobManifestGenerator": {"SourceBucket": SOURCE_ARN, "EnableManifestOutput": False, "Filter": told}}


def create(jobs: Any, token: str, **more: Any) -> str:
    """Ask for a job, and give its id."""
    asked: dict[str, Any] = {
        "Operation": {"S3ReplicateObject": {}},
        "Report": {"Enabled": False},
        "ClientRequestToken": token,
        "Priority": 1,
        "RoleArn": BATCH_ROLE,
        "ConfirmationRequired": False,
        **more,
    }
    job_id: str = jobs.create_job(AccountId=ACCOUNT, **asked)["JobId"]
    return job_id


def job(jobs: Any, job_id: str) -> dict[str, Any]:
    """How it stands."""
    told: dict[str, Any] = jobs.describe_job(AccountId=ACCOUNT, JobId=job_id)["Job"]
    return told


def ended(jobs: Any, job_id: str) -> tuple[str, int, int]:
    """How it ended, and how many of its tasks succeeded and failed."""
    wait_until(lambda: job(jobs, job_id)["Status"] in ("Complete", "Failed"))
    told = job(jobs, job_id)
    progress = told["ProgressSummary"]
    return told["Status"], progress["NumberOfTasksSucceeded"], progress["NumberOfTasksFailed"]


def before_the_rule(pair: Pair, *keys: str) -> None:
    """Write objects that no rule covers."""
    pair.here.delete_bucket_replication(Bucket=SOURCE)
    for key in keys:
        pair.put(key)
    pair.configure(rule())


def test_what_was_never_covered_is_copied(pair: Pair, jobs: Any) -> None:
    """S9: objects older than the rule, chosen by their missing status, are copied with their versions."""
    before_the_rule(pair, "new/old-1", "new/old-2")
    version = pair.put("new/live")
    assert pair.settled("new/live") == "COMPLETED"
    job_id = create(jobs, "never", ManifestGenerator=generator(ObjectReplicationStatuses=["NONE"]))
    assert ended(jobs, job_id) == ("Complete", 2, 0)
    assert [pair.status(key) for key in ("new/old-1", "new/old-2")] == ["COMPLETED", "COMPLETED"]
    assert pair.replica("new/old-1") is not None
    assert pair.replica("new/live", version) is not None


def test_what_failed_is_copied_on_demand(pair: Pair, jobs: Any) -> None:
    """S8: live replication never tries again, a job does."""
    pair.aws.set_fault("s3-replication", Fault("fail"))
    pair.put("new/failed")
    assert pair.settled("new/failed") == "FAILED"
    pair.aws.set_fault("s3-replication", None)
    job_id = create(jobs, "failed", ManifestGenerator=generator(ObjectReplicationStatuses=["FAILED"]))
    assert ended(jobs, job_id) == ("Complete", 1, 0)
    assert pair.status("new/failed") == "COMPLETED"


def test_a_job_can_wait_for_confirmation(pair: Pair, jobs: Any) -> None:
    """It is suspended, and does nothing, until somebody says that it may run."""
    before_the_rule(pair, "new/waiting")
    job_id = create(jobs, "confirm", ManifestGenerator=generator(), ConfirmationRequired=True)
    wait_until(lambda: job(jobs, job_id)["Status"] == "Suspended")
    CLOCK.sleep(timedelta(milliseconds=150))
    told = job(jobs, job_id)
    assert (told["Status"], told["ProgressSummary"]["TotalNumberOfTasks"]) == ("Suspended", 1)
    assert pair.replica("new/waiting") is None
    assert jobs.update_job_status(AccountId=ACCOUNT, JobId=job_id, RequestedJobStatus="Ready")["Status"] == "Ready"
    assert ended(jobs, job_id) == ("Complete", 1, 0)
    assert pair.replica("new/waiting") is not None


def test_a_job_that_waits_can_be_cancelled(pair: Pair, jobs: Any) -> None:
    """It ends without having copied, and cannot be taken up again."""
    before_the_rule(pair, "new/cancelled")
    job_id = create(jobs, "cancel", ManifestGenerator=generator(), ConfirmationRequired=True)
    wait_until(lambda: job(jobs, job_id)["Status"] == "Suspended")
    jobs.update_job_status(AccountId=ACCOUNT, JobId=job_id, RequestedJobStatus="Cancelled", StatusUpdateReason="no")
    assert (job(jobs, job_id)["Status"], job(jobs, job_id)["StatusUpdateReason"]) == ("Cancelled", "no")
    again = refused(jobs.update_job_status, AccountId=ACCOUNT, JobId=job_id, RequestedJobStatus="Ready")
    assert again == (400, "JobStatusException")


def test_a_manifest_names_versions(pair: Pair, jobs: Any) -> None:
    """A CSV of keys and versions, its ETag compared; what is not there fails its task alone; a report says so."""
    before_the_rule(pair, "new/a +ü")
    version = pair.here.head_object(Bucket=SOURCE, Key="new/a +ü")["VersionId"]
    lines = f"{SOURCE},new/a+%2B%C3%BC,{version}\n{SOURCE},new/nothing,{version}\n"
    put = pair.here.put_object(Bucket=SOURCE, Key="new/manifest.csv", Body=lines.encode())
    spec = {"Format": "S3BatchOperations_CSV_20180820", "Fields": ["Bucket", "Key", "VersionId"]}
    told = {"Spec": spec, "Location": {"ObjectArn": f"{SOURCE_ARN}/new/manifest.csv", "ETag": put["ETag"]}}
    report = {"Enabled": True, "Bucket": SOURCE_ARN, "Prefix": "new/reports", "Format": "Report_CSV_20180820"}
    job_id = create(jobs, "csv", Manifest=told, Report={**report, "ReportScope": "AllTasks"})
    assert ended(jobs, job_id) == ("Complete", 1, 1)
    assert pair.replica("new/a +ü", version) is not None
    held = pair.here.get_object(Bucket=SOURCE, Key=f"new/reports/job-{job_id}/manifest.json")["Body"].read()
    results = json.loads(held)["Results"][0]
    rows = list(csv.reader(pair.here.get_object(**results)["Body"].read().decode().splitlines()))
    assert [(row[1], row[3], row[4]) for row in rows] == [
        ("new/a+%2B%C3%BC", "succeeded", ""),
        ("new/nothing", "failed", "NoSuchVersion"),
    ]
    wrong = create(jobs, "wrong", Manifest={**told, "Location": {**told["Location"], "ETag": "0"}})
    assert ended(jobs, wrong)[0] == "Failed"
    assert job(jobs, wrong)["FailureReasons"][0]["FailureCode"] == "ManifestETagMismatch"


def test_a_job_waits_while_replication_is_stalled(pair: Pair, jobs: Any) -> None:
    """Its copies break as all others do: it is active, and the versions are pending."""
    before_the_rule(pair, "new/stalled")
    pair.aws.set_fault("s3-replication", Fault("stall"))
    job_id = create(jobs, "stall", ManifestGenerator=generator(ObjectReplicationStatuses=["NONE"]))
    wait_until(lambda: job(jobs, job_id)["Status"] == "Active")
    CLOCK.sleep(timedelta(milliseconds=150))
    assert (job(jobs, job_id)["Status"], pair.status("new/stalled")) == ("Active", "PENDING")
    pair.aws.set_fault("s3-replication", None)
    assert ended(jobs, job_id) == ("Complete", 1, 0)


def test_a_version_that_was_deleted_there_is_not_brought_back(pair: Pair, jobs: Any) -> None:
    """Who deleted a replica by its version id has to copy it himself."""
    version = pair.put("new/deleted-there")
    assert pair.settled("new/deleted-there") == "COMPLETED"
    pair.there.delete_object(Bucket=REPLICA, Key="new/deleted-there", VersionId=version)
    job_id = create(jobs, "deleted", ManifestGenerator=generator(ObjectReplicationStatuses=["COMPLETED"]))
    assert ended(jobs, job_id) == ("Complete", 0, 1)
    assert pair.replica("new/deleted-there") is None


def test_what_was_dropped_is_brought_by_a_job(pair: Pair, jobs: Any) -> None:
    """What is completed and is not there is repaired by whoever finds it out."""
    pair.aws.set_fault("s3-replication", Fault("drop"))
    version = pair.put("new/dropped")
    assert pair.settled("new/dropped") == "COMPLETED"
    pair.aws.set_fault("s3-replication", None)
    job_id = create(jobs, "dropped", ManifestGenerator=generator(ObjectReplicationStatuses=["COMPLETED"]))
    assert ended(jobs, job_id) == ("Complete", 1, 0)
    assert pair.replica("new/dropped", version) is not None


def test_a_job_of_another_role_fails(pair: Pair, jobs: Any) -> None:
    """The role of live replication is not one that batch operations may take."""
    before_the_rule(pair, "new/role")
    job_id = create(jobs, "role", ManifestGenerator=generator(), RoleArn=ROLE)
    assert ended(jobs, job_id)[0] == "Failed"
    assert job(jobs, job_id)["FailureReasons"][0]["FailureCode"] == "AccessDenied"
    assert pair.replica("new/role") is None


def test_a_report_needs_a_place(pair: Pair, jobs: Any) -> None:
    """A job whose report cannot be written does not begin."""
    report = {"Enabled": True, "Format": "Report_CSV_20180820", "ReportScope": "AllTasks"}
    for number, bucket in enumerate(("no-such-bucket", REPLICA)):
        told = {**report, "Bucket": f"arn:aws:s3:::{bucket}"}
        job_id = create(jobs, f"report {number}", ManifestGenerator=generator("new/none"), Report=told)
        assert ended(jobs, job_id)[0] == "Failed"
        assert job(jobs, job_id)["FailureReasons"][0]["FailureCode"] == "ReportNotWritable"


def test_a_token_makes_one_job(pair: Pair, jobs: Any) -> None:
    """Who asks twice gets the same job, who asks for something else with the token is refused."""
    first = create(jobs, "token", ManifestGenerator=generator("new/none"))
    assert create(jobs, "token", ManifestGenerator=generator("new/none")) == first
    assert first in [each["JobId"] for each in jobs.list_jobs(AccountId=ACCOUNT)["Jobs"]]
    with pytest.raises(jobs.exceptions.IdempotencyException):
        create(jobs, "token", ManifestGenerator=generator("new/other"))
    missing = "00000000-0000-0000-0000-000000000000"
    assert refused(jobs.describe_job, AccountId=ACCOUNT, JobId=missing) == (404, "NotFoundException")


def test_the_filter_is_about_times_and_names(pair: Pair, jobs: Any) -> None:
    """Created before, under a prefix, with a suffix: nothing else is taken."""
    before_the_rule(pair, "new/taken.txt", "new/other.bin")
    later = CLOCK.now() + timedelta(hours=1)
    names = {"MatchAnyPrefix": ["new/"], "MatchAnySuffix": [".txt"]}
    taken = create(jobs, "names", ManifestGenerator=generator(KeyNameConstraint=names, CreatedBefore=later))
    assert ended(jobs, taken) == ("Complete", 1, 0)
    nothing = create(jobs, "times", ManifestGenerator=generator(CreatedAfter=later))
    assert ended(jobs, nothing) == ("Complete", 0, 0)
    assert pair.status("new/other.bin") == ""
