"""What CloudFront's edges make of a response headers policy: the headers as users get them.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/understanding-response-headers-policies.html
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from defib.lab.strict import xml

_PLAIN = {
    "FrameOptions": ("X-Frame-Options", "FrameOption"),
    "ReferrerPolicy": ("Referrer-Policy", "ReferrerPolicy"),
    "ContentSecurityPolicy": ("Content-Security-Policy", "ContentSecurityPolicy"),
}
"""By the member of SecurityHeadersConfig: the header, and where its value stands."""


def served_headers(config: Element) -> Iterator[tuple[str, str]]:
    """Each header with its value, the security headers first."""
    for part in config.iterfind("SecurityHeadersConfig/*"):
        if part.tag in _PLAIN:
            header, member = _PLAIN[part.tag]
            yield header, xml.text(part, member)
        elif part.tag == "ContentTypeOptions":
            yield "X-Content-Type-Options", "nosniff"
        elif part.tag == "StrictTransportSecurity":
            yield "Strict-Transport-Security", "; ".join(_transport(part))
        elif part.tag == "XSSProtection":
            yield "X-XSS-Protection", "; ".join(_protection(part))
    for each in config.iterfind("CustomHeadersConfig/Items/ResponseHeadersPolicyCustomHeader"):
        yield xml.text(each, "Header"), xml.text(each, "Value")


def _transport(part: Element) -> Iterator[str]:
    yield f"max-age={xml.text(part, 'AccessControlMaxAgeSec')}"
    if _is_on(part, "IncludeSubdomains"):
        yield "includeSubDomains"
    if _is_on(part, "Preload"):
        yield "preload"


def _protection(part: Element) -> Iterator[str]:
    yield "1" if _is_on(part, "Protection") else "0"
    if _is_on(part, "ModeBlock"):
        yield "mode=block"
    if xml.text(part, "ReportUri"):
        yield f"report={xml.text(part, 'ReportUri')}"


def _is_on(part: Element, member: str) -> bool:
    return xml.text(part, member).lower() == "true"
