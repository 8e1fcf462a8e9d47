"""Who asks, and what they may do: GetCallerIdentity, and SimulatePrincipalPolicy, which moto answers with 500.

The one user of the lab may do everything; where a fault leaves it to read only, what is not read is implicitly denied.
Roles are moto's, which keeps them and their policies; what those come to is judged here.
https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from defib.lab.strict.policy import Verdict
from defib.lab.strict.roles import Role
from defib.lab.strict.xml import AwsError
from defib.lab.web import Request, Response

_NAMESPACES = {
    "sts": "https://sts.amazonaws.com/doc/2011-06-15/",
    "iam": "https://iam.amazonaws.com/doc/2010-05-08/",
}
_READS = ("Get", "List", "Head", "Describe")
_OF_ROLES = re.compile("(Get|List|Create|Delete|Put|Attach|Detach|Update|Tag).*(Role|Policy|Policies|RolePolicies|Roles)")
_DECISIONS = {Verdict.ALLOWED: "allowed", Verdict.DENIED: "explicitDeny", Verdict.UNMENTIONED: "implicitDeny"}
_METADATA = "<ResponseMetadata><RequestId>00000000-0000-0000-0000-000000000000</RequestId></ResponseMetadata>"


class StrictIdentity:
    """One user of one account; `reads_only` says of a service whether it may only read there now."""

    def __init__(self, account: str, reads_only: Callable[[str], bool]) -> None:
        self._account = account
        self._user = f"arn:aws:iam::{account}:user/defib"
        self._reads_only = reads_only

    def answer(self, request: Request, service: str) -> Response | None:
        """The answer to one call of the query protocol; refused with AWS's own codes. None for what moto knows, roles."""
        asked = dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
        action = asked.get("Action", "")
        if (service, action) == ("sts", "GetCallerIdentity"):
            told = f"<Arn>{self._user}</Arn><UserId>AIDALABDEFIB</UserId><Account>{self._account}</Account>"
        elif (service, action) == ("iam", "SimulatePrincipalPolicy"):
            told = self._simulated(asked)
        elif service == "iam" and _OF_ROLES.fullmatch(action):
            return None
        else:
            raise AwsError(400, "InvalidAction", f"Could not find operation {action} for version {asked.get('Version')}")
        body = (
            f'<{action}Response xmlns="{_NAMESPACES[service]}"><{action}Result>{told}</{action}Result>'
            f"{_METADATA}</{action}Response>"
        )
        return Response(200, (("Content-Type", "text/xml"),), body.encode())

    def _simulated(self, asked: Mapping[str, str]) -> str:
        resources = _listed(asked, "ResourceArns") or ["*"]
        decide = self._decider(asked.get("PolicySourceArn", ""))
        pairs = [(action, resource) for action in _listed(asked, "ActionNames") for resource in resources]
        members = [_member(action, resource, decide(action, resource)) for action, resource in pairs]
        if not members:
            raise AwsError(400, "ValidationError", "ActionNames must have at least one member")
        return f"<EvaluationResults>{''.join(members)}</EvaluationResults><IsTruncated>false</IsTruncated>"

    def _decider(self, principal: str) -> Callable[[str, str], str]:
        """What decides for the user or for a role."""
        if principal == self._user:
            return self._may_user
        role = Role(principal)
        if not role.exists():
            raise AwsError(404, "NoSuchEntity", f"The principal {principal} cannot be found.")
        return lambda action, resource: _DECISIONS[role.verdict(action, resource)]

    def _may_user(self, action: str, _resource: str) -> str:
        service, _, name = action.partition(":")
        return "allowed" if name.startswith(_READS) or not self._reads_only(service) else "implicitDeny"


def _member(action: str, resource: str, decision: str) -> str:
    return (
        f"<member><EvalActionName>{escape(action)}</EvalActionName><EvalResourceName>{escape(resource)}</EvalResourceName>"
        f"<EvalDecision>{decision}</EvalDecision>"
        "<MatchedStatements/><MissingContextValues/></member>"
    )


def _listed(asked: Mapping[str, str], name: str) -> list[str]:
    found = {key: value for key, value in asked.items() if key.startswith(f"{name}.member.")}
    return [found[key] for key in sorted(found, key=lambda key: int(key.rpartition(".")[2]))]
