"""S3 Batch Replication: jobs that replicate on demand what live replication never covered, or failed.

A job goes from New over Preparing to Ready or, where it needs confirmation, to Suspended; then it is Active until every
version that it chose has arrived or failed. Its copies wait, lag and break as all others do.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-job-status.html
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from defib.clock import Clock
from defib.lab.replication import reports
from defib.lab.replication.engine import Replication
from defib.lab.replication.job import Chosen, Job, Task
from defib.lab.replication.manifests import BadManifest, manifest
from defib.lab.strict import versions, xml
from defib.lab.strict.roles import Role
from defib.lab.strict.xml import AwsError, text

SERVICE = "batchoperations.s3.amazonaws.com"


class Jobs:
    """All jobs of the lab's account; `lock` is held by who touches S3, and a status stays for `step` at least."""

    def __init__(self, replication: Replication, lock: asyncio.Lock, clock: Clock, step: timedelta) -> None:
        self._replication = replication
        self._lock = lock
        self._clock = clock
        self._step = step.total_seconds()
        self._jobs: dict[str, Job] = {}
        self._made = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Work on what is asked for from now on."""
        if self._worker is None:
            self._worker = asyncio.create_task(self._work(), name="s3-batch")

    async def stop(self) -> None:
        """Work no more. Safe to repeat."""
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)
            self._worker = None

    def create(self, body: bytes) -> Job:
        """A new job, or the one that was made of the same request before."""
        asked = xml.parse(body)
        _check(asked)
        token = text(asked, "ClientRequestToken")
        for job in self._jobs.values():
            if text(job.asked, "ClientRequestToken") == token:
                if job.body != body:
                    raise AwsError(400, "IdempotencyException", "The token was used for another job")
                return job
        made = Job(str(uuid.uuid4()), asked, body, self._clock.now())
        self._jobs[made.id] = made
        self._made.set()
        return made

    def get(self, job_id: str) -> Job:
        """The job of that id; refused where there is none. Where the worker has died of a defect, that is raised."""
        if self._worker is not None and self._worker.done():
            self._worker.result()
        if job_id not in self._jobs:
            raise AwsError(404, "NotFoundException", f"No such job: {job_id}")
        return self._jobs[job_id]

    def all(self) -> Iterator[Job]:
        """Every job, the oldest first."""
        return iter(self._jobs.values())

    def request(self, job_id: str, status: str, reason: str) -> Job:
        """Let a job run that waits for it, or cancel one that is not over."""
        job = self.get(job_id)
        job.reason = reason
        if status == "Ready" and job.status == "Suspended":
            job.confirmed, job.status = True, "Ready"
        elif status == "Cancelled" and not job.over:
            job.status, job.ended = "Cancelled", self._clock.now()
        else:
            raise AwsError(400, "JobStatusException", f"A job that is {job.status} cannot become {status}")
        self._made.set()
        return job

    async def _work(self) -> None:
        while True:
            await self._made.wait()
            self._made.clear()
            while any(not job.over and job.status != "Suspended" for job in self._jobs.values()):
                await asyncio.sleep(self._step)
                async with self._lock:
                    for job in list(self._jobs.values()):
                        self._go_on(job)

    def _go_on(self, job: Job) -> None:
        """One status further, where it is time."""
        if job.status == "New":
            job.status = "Preparing"
        elif job.status == "Preparing":
            self._prepare(job)
        elif job.status == "Ready":
            job.status = "Active"
            for task in job.tasks:
                task.reason, task.operations = self._begin(job, task.chosen)
        elif job.status == "Active" and all(task.over for task in job.tasks):
            job.status, job.ended = "Complete", self._clock.now()
            bucket, written = reports.write(job)
            for version in written:
                self._replication.again(bucket, version)

    def _prepare(self, job: Job) -> None:
        role = Role(job.role)
        if not role.trusts(SERVICE):
            job.fail("AccessDenied", f"S3 Batch Operations may not take the role {job.role}", self._clock.now())
            return
        try:
            job.tasks = [Task(chosen) for chosen in manifest(job, self._replication)]
        except BadManifest as error:
            job.fail(error.code, error.reason, self._clock.now())
            return
        unwritable = reports.failure(job, Role(job.role))
        if unwritable:
            job.fail("ReportNotWritable", unwritable, self._clock.now())
            return
        job.status = "Suspended" if job.needs_confirmation else "Ready"

    def _begin(self, job: Job, chosen: Chosen) -> tuple[str, Any]:
        """Why a version is not replicated, or the operations that do it."""
        held = versions.bucket(chosen.bucket)
        version = versions.find(held, chosen.key, chosen.version_id) if held is not None else None
        if version is None:
            return "NoSuchVersion", ()
        if not Role(job.role).may("s3:InitiateReplication", f"arn:aws:s3:::{chosen.bucket}/{chosen.key}"):
            return "AccessDenied", ()
        operations = self._replication.again(chosen.bucket, version)
        return ("", operations) if operations else ("NotEligibleForReplication", ())


def _check(asked: Any) -> None:
    if asked.find("Operation/S3ReplicateObject") is None:
        raise AwsError(400, "InvalidRequest", "The lab runs jobs of S3ReplicateObject alone")
    if (asked.find("Manifest") is None) == (asked.find("ManifestGenerator") is None):
        raise AwsError(400, "InvalidRequest", "A job has either a manifest or a manifest generator")
    if asked.find("Report/Enabled") is None or not text(asked, "RoleArn") or not text(asked, "Priority"):
        raise AwsError(400, "InvalidRequest", "Report, RoleArn and Priority are required")
    if not text(asked, "ClientRequestToken"):
        raise AwsError(400, "InvalidRequest", "ClientRequestToken is required")
