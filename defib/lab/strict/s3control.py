"""S3's control API, as far as batch replication needs it: moto knows no jobs.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_AWS_S3_Control.html
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from moto.core.models import DEFAULT_ACCOUNT_ID

from defib.lab.replication.job import Job
from defib.lab.replication.jobs import Jobs
from defib.lab.strict import xml
from defib.lab.strict.xml import AwsError, element, leaf, text
from defib.lab.web import Request, Response

NAMESPACE = "http://awss3control.amazonaws.com/doc/2018-08-20/"
_PATH = re.compile(r"/v20180820/jobs(?:/(?P<id>[\w-]+)(?P<rest>/status|/priority)?)?")


def is_control(request: Request) -> bool:
    """Whether it is the control API that is asked; its clients sign for S3."""
    return "x-amz-account-id" in request.headers and request.path.startswith("/v20180820/")


def answer(request: Request, jobs: Jobs) -> Response:
    """The answer to what is about jobs; refused with AWS's codes, also for what the lab has nothing of."""
    match = _PATH.fullmatch(request.path)
    if match is None:
        raise AwsError(400, "InvalidRequest", f"The lab has nothing of {request.method} {request.path}")
    if request.headers["x-amz-account-id"] != DEFAULT_ACCOUNT_ID:
        raise AwsError(403, "AccessDenied", "Access Denied")
    job_id, rest, query = match["id"] or "", match["rest"] or "", request.query
    if request.method == "POST" and not job_id:
        return xml.answer("CreateJobResult", NAMESPACE, leaf("JobId", jobs.create(request.body).id))
    if request.method == "GET" and not job_id:
        return xml.answer("ListJobsResult", NAMESPACE, element("Jobs", *map(_listed, jobs.all())))
    if request.method == "GET" and not rest:
        return xml.answer("DescribeJobResult", NAMESPACE, element("Job", *_told(jobs.get(job_id))))
    if request.method == "POST" and rest == "/status":
        reason = query.get("statusUpdateReason", "")
        job = jobs.request(job_id, query.get("requestedJobStatus", ""), reason)
        told = leaf("JobId", job.id) + leaf("Status", job.status) + leaf("StatusUpdateReason", reason)
        return xml.answer("UpdateJobStatusResult", NAMESPACE, told)
    raise AwsError(400, "InvalidRequest", f"The lab has nothing of {request.method} {request.path}")


def _told(job: Job) -> list[str]:
    told = _short(job)
    told += [leaf("JobArn", f"arn:aws:s3:us-east-1:{DEFAULT_ACCOUNT_ID}:job/{job.id}"), leaf("RoleArn", job.role)]
    told += [leaf("ConfirmationRequired", str(job.needs_confirmation).lower())]
    told += [leaf("StatusUpdateReason", job.reason)] if job.reason else []
    told += [leaf("SuspendedCause", "AwaitingConfirmation")] if job.status == "Suspended" else []
    told += [element("Operation", "<S3ReplicateObject/>")]
    told += [element("Report", leaf("Enabled", text(job.asked, "Report/Enabled")))]
    code, reason = job.failure
    failure = leaf("FailureCode", code) + leaf("FailureReason", reason)
    return told + ([element("FailureReasons", element("member", failure))] if code else [])


def _listed(job: Job) -> str:
    return element("member", *_short(job), leaf("Operation", "S3ReplicateObject"))


def _short(job: Job) -> list[str]:
    over = [task for task in job.tasks if job.status not in ("Suspended", "Ready") and task.over]
    failed = sum(task.failed for task in over)
    numbers = (("TotalNumberOfTasks", len(job.tasks)), ("NumberOfTasksSucceeded", len(over) - failed))
    progress = [leaf(name, str(number)) for name, number in (*numbers, ("NumberOfTasksFailed", failed))]
    told = [leaf("JobId", job.id), leaf("Status", job.status), leaf("Priority", text(job.asked, "Priority"))]
    told += [leaf("Description", text(job.asked, "Description"))] if text(job.asked, "Description") else []
    told += [leaf("CreationTime", _stamp(job.created))]
    told += [leaf("TerminationDate", _stamp(job.ended))] if job.ended else []
    return [*told, element("ProgressSummary", *progress)]


def _stamp(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
