"""Certificates that AWS Certificate Manager holds, as CloudFront can use them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from defib.clock import Deadline
from defib.privilege.permission import ACCOUNT, Permission
from defib.providers.aws import AwsAccess
from defib.providers.aws_errors import asked

REGION = "us-east-1"
"""Where a certificate must be for CloudFront to use it, wherever the site is.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cnames-and-https-requirements.html
"""


def describing() -> Permission:
    """Any certificate of the account: which one a distribution has, or would get, only CloudFront and ACM know."""
    return Permission(("acm:DescribeCertificate",), (f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/*",))


@dataclass(frozen=True)
class Certificate:
    """One certificate: its names in lower case, its status in ACM's words, and its end, None where it has none yet."""

    arn: str
    names: tuple[str, ...]
    status: str
    until: datetime | None

    def covers(self, name: str) -> bool:
        """Whether it is for `name`, given in lower case without a dot at the end; a wildcard covers one label."""
        return name in self.names or f"*.{name.partition('.')[2]}" in self.names

    def hindrance(self, name: str, now: datetime) -> str:
        """Why users of `name` could not be shown it, "" where they could."""
        if not self.covers(name):
            return f"the certificate is for {', '.join(self.names) or 'no name'}"
        if self.status != "ISSUED":
            return f"the certificate is {self.status or 'in no state that ACM tells'}"
        if self.until is None:
            return "ACM does not tell until when the certificate is valid"
        return f"the certificate ended at {self.until:%Y-%m-%d %H:%M}" if self.until <= now else ""


class Acm:
    """What ACM says of certificates in :data:`REGION`."""

    def __init__(self, access: AwsAccess) -> None:
        self._clients = access.clients("acm", region=REGION)

    def certificate(self, arn: str, within: Deadline) -> Certificate:
        """One certificate by DescribeCertificate."""
        answer = asked(
            lambda: self._clients.within(within).describe_certificate(CertificateArn=arn),
            within,
            "DescribeCertificate",
            f"ACM, certificate {arn}",
        )
        held = answer["Certificate"]
        names = {str(held.get("DomainName", "")), *map(str, held.get("SubjectAlternativeNames", []))} - {""}
        until: datetime | None = held.get("NotAfter")
        return Certificate(
            arn=arn,
            names=tuple(sorted(name.lower() for name in names)),
            status=str(held.get("Status", "")),
            until=until.astimezone(UTC) if until else None,
        )
