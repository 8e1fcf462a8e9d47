"""Which certificate a distribution may have for its names: one in ACM, issued, for every one of them.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/CNAMEs.html#alternate-domain-names-requirements, and
InvalidViewerCertificate in https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_UpdateDistribution.html.
"""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element

from moto.backends import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID

from defib.lab.strict import xml
from defib.lab.strict.xml import AwsError

_REGION = "us-east-1"


def check_certificate(sent: Element) -> None:
    """Refuse a configuration whose certificate is not there, not issued, or not for one of its names.

    A configuration with names and without a certificate of its own goes through, as CloudFront left those that are older
    than its rule; the lab's CDN distribution is one.
    """
    arn = xml.text(sent, ".//ViewerCertificate/ACMCertificateArn")
    if not arn:
        return
    held = get_backend("acm")[DEFAULT_ACCOUNT_ID][_REGION]._certificates.get(arn)  # noqa: SLF001 - no other way knows all
    if held is None:
        raise _refused("The specified SSL certificate doesn't exist, isn't in us-east-1 region, or isn't valid.")
    told: dict[str, Any] = held.describe()["Certificate"]
    covered = {str(name).lower() for name in (told["DomainName"], *told.get("SubjectAlternativeNames", []))}
    if told["Status"] != "ISSUED":
        raise _refused("The certificate that is attached to your distribution is not issued.")
    for each in sent.iterfind(".//Aliases/Items/CNAME"):
        name = (each.text or "").lower()
        if name not in covered and f"*.{name.partition('.')[2]}" not in covered:
            raise _refused(f"The certificate that is attached to your distribution doesn't cover the name {name}.")


def _refused(message: str) -> AwsError:
    return AwsError(400, "InvalidViewerCertificate", message)
