"""What CloudFront keeps beside distributions: how it signs for a bucket, and the headers that it adds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from defib.clock import Deadline
from defib.errors import InputError
from defib.privilege.permission import ACCOUNT, Permission
from defib.providers.standby.resource import Held, Service, Services
from defib.redeploy.groundwork import (
    ACCESS_CONTROL,
    HEADERS_POLICY,
    AccessControlFacts,
    Groundwork,
    HeadersFacts,
    read_facts,
    written,
)

_HSTS = re.compile(r"max-age=(?P<age>\d+)(?P<subdomains>; includeSubDomains)?(?P<preload>; preload)?")
_XSS = re.compile(r"(?P<on>[01])(?P<block>; mode=block)?")


def permissions(work: Groundwork) -> tuple[Permission, ...]:
    """Access controls and headers policies. AWS chooses their ids, so that none can be named here."""
    found = [("OriginAccessControl", f"arn:aws:cloudfront::{ACCOUNT}:origin-access-control/*")]
    if work.headers and not work.shared:
        found.append(("ResponseHeadersPolicy", f"arn:aws:cloudfront::{ACCOUNT}:response-headers-policy/*"))
    reading = [Permission((f"cloudfront:Get{each}",), (place,)) for each, place in found]
    by_hand = "asked where somebody changed it by hand"
    writing = [Permission((f"cloudfront:Delete{each}",), (place,), acts=True) for each, place in found]
    writing += [Permission((f"cloudfront:Update{each}",), (place,), acts=True, why=by_hand) for each, place in found]
    making = [Permission((f"cloudfront:Create{each}",), acts=True) for each, _ in found]
    listing = Permission(("cloudfront:ListOriginAccessControls", "cloudfront:ListResponseHeadersPolicies"))
    return (listing, *reading, *writing, *making)


class AccessControl:
    """An origin access control, by its name, which is the bucket's."""

    type = ACCESS_CONTROL

    def __init__(self, work: Groundwork, services: Services) -> None:
        self.name = work.bucket
        self._cloudfront = services.of("cloudfront")

    def read(self, within: Deadline) -> Held:
        """By ListOriginAccessControls, and GetOriginAccessControl for the version."""
        for each in listed(self._cloudfront, "list_origin_access_controls", "OriginAccessControlList", within):
            if each["Name"] == self.name:
                answer = self._cloudfront.ask("get_origin_access_control", within, Id=each["Id"])
                config = answer["OriginAccessControl"]["OriginAccessControlConfig"]
                facts = AccessControlFacts(
                    behavior=config["SigningBehavior"],
                    protocol=config["SigningProtocol"],
                    origin=config["OriginAccessControlOriginType"],
                )
                return Held(written(facts), each["Id"], answer["ETag"])
        return Held(None)

    def wanted(self, held: Held, within: Deadline) -> str:  # noqa: ARG002 - the same whatever stands
        """Every request to a bucket signed."""
        return written(AccessControlFacts())

    def write(self, held: Held, text: str | None, within: Deadline) -> str:
        """Make, change or take away, by compare-and-set."""
        if text is None:
            self._cloudfront.ask("delete_origin_access_control", within, Id=held.id, IfMatch=held.version)
            return ""
        facts = read_facts(AccessControlFacts, text)
        config = {
            "Name": self.name,
            "Description": "defib",
            "SigningBehavior": facts.behavior,
            "SigningProtocol": facts.protocol,
            "OriginAccessControlOriginType": facts.origin,
        }
        if held.text is None:
            self._cloudfront.ask("create_origin_access_control", within, OriginAccessControlConfig=config)
        else:
            self._cloudfront.ask(
                "update_origin_access_control",
                within,
                Id=held.id,
                IfMatch=held.version,
                OriginAccessControlConfig=config,
            )
        return ""

    def settled(self, receipt: str, within: Deadline) -> bool:  # noqa: ARG002 - it has no status of its own
        """True: CloudFront tells of deployment for distributions alone."""
        return True


class HeadersPolicy:
    """The response headers policy that the distribution has, or one by the bucket's name.

    It gives the site's headers, over any that the bucket gives. CORS and the rest of it stay.
    """

    type = HEADERS_POLICY

    def __init__(self, work: Groundwork, services: Services, in_use: Callable[[Deadline], str]) -> None:
        self._in_use = in_use
        self._work = work
        self._cloudfront = services.of("cloudfront")

    def read(self, within: Deadline) -> Held:
        """By ListResponseHeadersPolicies, and GetResponseHeadersPolicy for the version."""
        found = self._found(within)
        if found is None:
            return Held(None)
        config = found["ResponseHeadersPolicy"]["ResponseHeadersPolicyConfig"]
        return Held(written(HeadersFacts(told(config))), found["ResponseHeadersPolicy"]["Id"], found["ETag"])

    def wanted(self, held: Held, within: Deadline) -> str:  # noqa: ARG002 - the same whatever stands
        """The headers of the site file; :class:`InputError` for values that CloudFront has no words for."""
        return written(HeadersFacts(told(spelt(dict(self._work.headers)))))

    def write(self, held: Held, text: str | None, within: Deadline) -> str:
        """Make, change or take away, by compare-and-set."""
        if text is None:
            self._cloudfront.ask("delete_response_headers_policy", within, Id=held.id, IfMatch=held.version)
            return ""
        parts = spelt(read_facts(HeadersFacts, text).headers)
        if held.text is None:
            config = {"Name": self._work.bucket, "Comment": self._work.comment, **parts}
            self._cloudfront.ask("create_response_headers_policy", within, ResponseHeadersPolicyConfig=config)
            return ""
        found = self._cloudfront.ask("get_response_headers_policy", within, Id=held.id)
        kept = found["ResponseHeadersPolicy"]["ResponseHeadersPolicyConfig"]
        others = {key: part for key, part in kept.items() if key not in ("SecurityHeadersConfig", "CustomHeadersConfig")}
        self._cloudfront.ask(
            "update_response_headers_policy",
            within,
            Id=held.id,
            IfMatch=held.version,
            ResponseHeadersPolicyConfig={**others, **parts},
        )
        return ""

    def settled(self, receipt: str, within: Deadline) -> bool:  # noqa: ARG002 - it has no status of its own
        """True: CloudFront tells of deployment for distributions alone."""
        return True

    def _found(self, within: Deadline) -> Any:
        name = self._in_use(within) or self._work.bucket
        for each in listed(
            self._cloudfront, "list_response_headers_policies", "ResponseHeadersPolicyList", within, Type="custom"
        ):
            policy = each["ResponseHeadersPolicy"]
            if policy["ResponseHeadersPolicyConfig"]["Name"] == name:
                return self._cloudfront.ask("get_response_headers_policy", within, Id=policy["Id"])
        return None


def listed(service: Service, operation: str, part: str, within: Deadline, **parameters: Any) -> Iterator[Any]:
    """Everything that one of CloudFront's lists holds, page by page."""
    marker: dict[str, str] = {}
    while True:
        page = service.ask(operation, within, **parameters, **marker)[part]
        yield from page.get("Items", [])
        if not page.get("NextMarker"):
            return
        marker = {"Marker": page["NextMarker"]}


def told(config: dict[str, Any]) -> dict[str, str]:
    """The headers that a policy adds, as they are served; one that gives way to the bucket's says so."""
    security = config.get("SecurityHeadersConfig", {})
    served = {name: part for name, value, part in _security(security) if value for part in (_yielding(value, part),)}
    custom = config.get("CustomHeadersConfig", {}).get("Items", [])
    return served | {each["Header"]: _yielding(each, each["Value"]) for each in custom}


def spelt(headers: dict[str, str]) -> dict[str, Any]:
    """The same in the shape of CloudFront's API, each over any that the bucket gives."""
    security: dict[str, Any] = {}
    custom: list[dict[str, Any]] = []
    for name, text in sorted(headers.items()):
        overrides = not text.endswith(_YIELDS)
        value = text.removesuffix(_YIELDS)
        known = _SPELLINGS.get(name.lower())
        if known is None:
            custom.append({"Header": name, "Value": value, "Override": overrides})
        else:
            member, spell = known
            security[member] = {"Override": overrides, **spell(value)}
    parts: dict[str, Any] = {"SecurityHeadersConfig": security} if security else {}
    return parts | ({"CustomHeadersConfig": {"Quantity": len(custom), "Items": custom}} if custom else {})


_YIELDS = " (unless the bucket gives one)"


def _yielding(part: dict[str, Any], text: str) -> str:
    return text if part["Override"] else f"{text}{_YIELDS}"


def _security(security: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Each security header that CloudFront has words for: its name, its part, and the value that is served."""
    hsts = security.get("StrictTransportSecurity", {})
    age = f"max-age={hsts.get('AccessControlMaxAgeSec', 0)}"
    subdomains = "; includeSubDomains" if hsts.get("IncludeSubdomains") else ""
    yield "Strict-Transport-Security", hsts, f"{age}{subdomains}{'; preload' if hsts.get('Preload') else ''}"
    frame = security.get("FrameOptions", {})
    yield "X-Frame-Options", frame, frame.get("FrameOption", "")
    yield "X-Content-Type-Options", security.get("ContentTypeOptions", {}), "nosniff"
    xss = security.get("XSSProtection", {})
    block = "; mode=block" if xss.get("ModeBlock") else ""
    yield "X-XSS-Protection", xss, f"{'1' if xss.get('Protection') else '0'}{block}"
    referrer = security.get("ReferrerPolicy", {})
    yield "Referrer-Policy", referrer, referrer.get("ReferrerPolicy", "")
    content = security.get("ContentSecurityPolicy", {})
    yield "Content-Security-Policy", content, content.get("ContentSecurityPolicy", "")


def _hsts(value: str) -> dict[str, Any]:
    found = _HSTS.fullmatch(value)
    if found is None:
        raise _wordless("Strict-Transport-Security", value, "max-age=…[; includeSubDomains][; preload]")
    return {
        "AccessControlMaxAgeSec": int(found["age"]),
        "IncludeSubdomains": bool(found["subdomains"]),
        "Preload": bool(found["preload"]),
    }


def _frame(value: str) -> dict[str, Any]:
    if value not in ("DENY", "SAMEORIGIN"):
        raise _wordless("X-Frame-Options", value, "DENY or SAMEORIGIN")
    return {"FrameOption": value}


def _type(value: str) -> dict[str, Any]:
    if value != "nosniff":
        raise _wordless("X-Content-Type-Options", value, "nosniff")
    return {}


def _xss(value: str) -> dict[str, Any]:
    found = _XSS.fullmatch(value)
    if found is None:
        raise _wordless("X-XSS-Protection", value, "0, 1 or 1; mode=block")
    return {"Protection": found["on"] == "1", "ModeBlock": bool(found["block"])}


def _wordless(name: str, value: str, expected: str) -> InputError:
    return InputError(
        f"CloudFront cannot add {name} so",
        where="page.headers of the site file",
        expected=expected,
        seen=value,
        then="spell it as expected: a site without its headers is not brought back",
    )


_SPELLINGS = {
    "strict-transport-security": ("StrictTransportSecurity", _hsts),
    "x-frame-options": ("FrameOptions", _frame),
    "x-content-type-options": ("ContentTypeOptions", _type),
    "x-xss-protection": ("XSSProtection", _xss),
    "referrer-policy": ("ReferrerPolicy", lambda value: {"ReferrerPolicy": value}),
    "content-security-policy": ("ContentSecurityPolicy", lambda value: {"ContentSecurityPolicy": value}),
}
"""By name in lower case: the member of CloudFront's SecurityHeadersConfig, and what spells its value.

https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_ResponseHeadersPolicySecurityHeadersConfig.html
"""
