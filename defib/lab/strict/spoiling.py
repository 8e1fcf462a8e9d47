"""What a fault makes of a request to AWS: refused in AWS's words, late, or asked of a server whose clock is wrong."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from moto.core.models import DEFAULT_ACCOUNT_ID

from defib.lab.faults import Fault
from defib.lab.strict.xml import AwsError
from defib.lab.web import Request

_AHEAD = timedelta(minutes=16)
"""By how much the clock of a server is wrong that is skewed: more than AWS bears."""


def reads_only(fault: Fault | None) -> bool:
    """Whether nothing may be written."""
    return fault is not None and fault.name == "read-only"


def ahead(fault: Fault) -> timedelta:
    """By how much the server's clock is ahead of the client's."""
    return _AHEAD if fault.name == "skewed" else timedelta(0)


async def spoil(fault: Fault, service: str, request: Request) -> None:
    """Refuse as the fault says, or make it wait."""
    if fault.name == "429":
        # AWS throttles with 400 and a code, not with 429:
        # https://docs.aws.amazon.com/Route53/latest/APIReference/CommonErrors.html
        # S3 with 503: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
        wait = ("Retry-After", f"{fault.option('retry_after', 1):g}")
        if service == "s3":
            raise AwsError(503, "SlowDown", "Please reduce your request rate.", (wait,))
        raise AwsError(400, "Throttling", "Rate exceeded", (wait,))
    if fault.name == "500":
        raise AwsError(500, "InternalFailure", "We encountered an internal error. Please try again.")
    if fault.name == "denied" or (reads_only(fault) and request.method not in ("GET", "HEAD")):
        who = f"arn:aws:iam::{DEFAULT_ACCOUNT_ID}:user/defib"
        raise AwsError(403, "AccessDenied", f"User: {who} is not authorized to perform: {service}:*")
    if fault.name == "slow":
        await asyncio.sleep(fault.option("delay", 5))
