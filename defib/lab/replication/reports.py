"""The completion report of a job, where one was asked for.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-examples-reports.html
"""

from __future__ import annotations

import csv
import io
import json
from typing import Any
from urllib.parse import quote_plus

from defib.lab.replication.job import Job, Task
from defib.lab.strict import versions
from defib.lab.strict.roles import Role
from defib.lab.strict.xml import text

_ARN = "arn:aws:s3:::"
_FIELDS = "Bucket, Key, VersionId, TaskStatus, ErrorCode, HTTPStatusCode, ResultMessage"


def failure(job: Job, role: Role) -> str:
    """Why it could not be written, "" where it could, or is not asked for."""
    bucket, prefix = _bucket(job), text(job.asked, "Report/Prefix").strip("/")
    if text(job.asked, "Report/Enabled") != "true":
        return ""
    if versions.bucket(bucket) is None:
        return f"There is no bucket {bucket} for the report"
    where = f"{_ARN}{bucket}/{prefix}".rstrip("/")
    return "" if role.may("s3:PutObject", f"{where}/job-{job.id}/manifest.json") else f"The role may not write to {where}"


def _bucket(job: Job) -> str:
    return text(job.asked, "Report/Bucket").removeprefix(_ARN)


def write(job: Job) -> tuple[str, list[Any]]:
    """Put it where it was asked for, of all tasks or of those that failed; the bucket, and what was written to it."""
    bucket = _bucket(job)
    if text(job.asked, "Report/Enabled") != "true" or versions.bucket(bucket) is None:
        return bucket, []
    failed_only = text(job.asked, "Report/ReportScope") == "FailedTasksOnly"
    lines = io.StringIO()
    csv.writer(lines).writerows(_line(task) for task in job.tasks if task.failed or not failed_only)
    folder = "/".join(filter(None, (text(job.asked, "Report/Prefix").strip("/"), f"job-{job.id}")))
    results = f"{folder}/results/{job.id.replace('-', '')}.csv"
    told = {"Format": "Report_CSV_20180820", "ReportSchema": _FIELDS, "Results": [{"Bucket": bucket, "Key": results}]}
    backend = versions.backend()
    files = {results: lines.getvalue(), f"{folder}/manifest.json": json.dumps(told)}
    return bucket, [backend.put_object(bucket, key, body.encode(), disable_notification=True) for key, body in files.items()]


def _line(task: Task) -> list[str]:
    reason = task.reason or next((each.reason for each in task.operations if each.reason), "")
    outcome = ["failed", reason, "403", reason] if task.failed else ["succeeded", "", "200", ""]
    return [task.chosen.bucket, quote_plus(task.chosen.key, safe="/"), task.chosen.version_id, *outcome]
