"""How many requests one address may send: rate-based rules of a web ACL in AWS WAF."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from defib.clock import Deadline
from defib.privilege.permission import ACCOUNT, Permission
from defib.providers.standby.resource import Held, Services
from defib.redeploy.groundwork import WEB_ACL, Groundwork, Limit, WebAclFacts, read_facts, written

_SCOPE = {"Scope": "CLOUDFRONT"}
"""Web ACLs of distributions are in us-east-1: https://docs.aws.amazon.com/waf/latest/APIReference/API_CreateWebACL.html."""

_OURS = "defib-"
_EVERYTHING = "/"


def permissions(work: Groundwork) -> tuple[Permission, ...]:
    """Web ACLs of distributions: any may be read, because one is known by the distribution that has it."""
    acl = f"arn:aws:wafv2:us-east-1:{ACCOUNT}:global/webacl"
    listing = Permission(("wafv2:ListWebACLs",))
    if not work.limits or work.shared:
        return (listing,)
    return (
        listing,
        Permission(("wafv2:GetWebACL",), (f"{acl}/*/*",)),
        Permission(("wafv2:UpdateWebACL",), (f"{acl}/*/*",), acts=True),
        Permission(("wafv2:CreateWebACL", "wafv2:DeleteWebACL"), (f"{acl}/{work.bucket}/*",), acts=True),
    )


class WebAcl:
    """The web ACL that the distribution has, or one by the bucket's name that lets through all but what exceeds the limits.

    Rules of others stay, before ours.
    """

    type = WEB_ACL

    def __init__(self, work: Groundwork, services: Services, in_use: Callable[[Deadline], str]) -> None:
        self._in_use = in_use
        self._work = work
        self._waf = services.of("wafv2", "us-east-1")

    def read(self, within: Deadline) -> Held:
        """By ListWebACLs, and GetWebACL for rules and lock token."""
        found = self._found(within)
        if found is None:
            return Held(None)
        acl = found["WebACL"]
        ours = [rule for rule in acl["Rules"] if rule["Name"].startswith(_OURS)]
        return Held(
            written(WebAclFacts({rule["Name"].removeprefix(_OURS): _limit(rule) for rule in ours})),
            acl["ARN"],
            found["LockToken"],
        )

    def wanted(self, held: Held, within: Deadline) -> str:  # noqa: ARG002 - the same whatever stands
        """The limits of the site file."""
        return written(WebAclFacts(dict(self._work.limits)))

    def write(self, held: Held, text: str | None, within: Deadline) -> str:
        """Make, change or take away, by compare-and-set."""
        if held.text is None:
            if text is not None:
                self._waf.ask("create_web_acl", within, **_SCOPE, **self._config({}, text))
            return ""
        *_, name, acl_id = held.id.split("/")  # arn:…:global/webacl/NAME/ID
        acl = self._waf.ask("get_web_acl", within, **_SCOPE, Name=name, Id=acl_id)["WebACL"]
        named = {"Name": name, "Id": acl["Id"], "LockToken": held.version}
        if text is None:
            self._waf.ask("delete_web_acl", within, **_SCOPE, **named)
        else:
            self._waf.ask("update_web_acl", within, **_SCOPE, **{**self._config(acl, text), **named})
        return ""

    def settled(self, receipt: str, within: Deadline) -> bool:  # noqa: ARG002 - it has no status of its own
        """True: AWS WAF does not tell when a change has reached every place; it takes up to a few minutes."""
        return True

    def _found(self, within: Deadline) -> Any:
        name = self._in_use(within) or self._work.bucket
        marker: dict[str, str] = {}
        while True:
            page = self._waf.ask("list_web_acls", within, **_SCOPE, **marker)
            for each in page["WebACLs"]:
                if each["Name"] == name:
                    return self._waf.ask("get_web_acl", within, **_SCOPE, Name=name, Id=each["Id"])
            if not page.get("NextMarker"):
                return None
            marker = {"NextMarker": page["NextMarker"]}

    def _config(self, present: dict[str, Any], text: str) -> dict[str, Any]:
        """What is sent: everything of `present` that can be sent, and our rules after the others."""
        others = [rule for rule in present.get("Rules", []) if not rule["Name"].startswith(_OURS)]
        first = 1 + max((rule["Priority"] for rule in others), default=-1)
        limits = sorted(read_facts(WebAclFacts, text).limits.items())
        rules = [rule_of(name, limit, first + number) for number, (name, limit) in enumerate(limits)]
        kept = {key: present[key] for key in _KEPT if key in present}
        return {
            "DefaultAction": {"Allow": {}},
            "VisibilityConfig": _visible(self._work.bucket),
            "Description": self._work.comment,
            **kept,
            "Name": self._work.bucket,
            "Rules": [*others, *rules],
        }


_KEPT = (
    "DefaultAction",
    "Description",
    "VisibilityConfig",
    "CustomResponseBodies",
    "CaptchaConfig",
    "ChallengeConfig",
    "TokenDomains",
    "AssociationConfig",
    "DataProtectionConfig",
)


def rule_of(name: str, limit: Limit, priority: int) -> dict[str, Any]:
    """One limit as a rule: what exceeds it is blocked, with 403."""
    statement: dict[str, Any] = {
        "Limit": limit.requests,
        "EvaluationWindowSec": limit.seconds,
        "AggregateKeyType": "IP",
    }
    if limit.path != _EVERYTHING:
        statement["ScopeDownStatement"] = {
            "ByteMatchStatement": {
                "SearchString": limit.path.encode(),
                "FieldToMatch": {"UriPath": {}},
                "TextTransformations": [{"Priority": 0, "Type": "NONE"}],
                "PositionalConstraint": "STARTS_WITH",
            }
        }
    return {
        "Name": f"{_OURS}{name}",
        "Priority": priority,
        "Statement": {"RateBasedStatement": statement},
        "Action": {"Block": {}} if limit.blocks else {"Count": {}},
        "VisibilityConfig": _visible(f"{_OURS}{name}"),
    }


def _limit(rule: dict[str, Any]) -> Limit:
    statement = rule["Statement"].get("RateBasedStatement", {})
    scope = statement.get("ScopeDownStatement", {}).get("ByteMatchStatement", {})
    sought = scope.get("SearchString", _EVERYTHING.encode())
    path = sought.decode() if isinstance(sought, bytes) else str(sought)
    return Limit(
        path, int(statement.get("Limit", 0)), int(statement.get("EvaluationWindowSec", 300)), "Block" in rule["Action"]
    )


def _visible(name: str) -> dict[str, Any]:
    return {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True, "MetricName": name}
