"""Who asks, and what they may do: GetCallerIdentity, and SimulatePrincipalPolicy, which moto answers with 500.

The one user of the lab may do everything; where a fault leaves it to read only, what is not read is implicitly denied.
https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from defib.lab.strict.xml import AwsError
from defib.lab.web import Request, Response

_NAMESPACES = {
    "sts": "https://sts.amazonaws.com/doc/2011-06-15/",
    "iam": "https://iam.amazonaws.com/doc/2010-05-08/",
}
_READS = ("Get", "List", "Head", "Describe")
_METADATA = "<ResponseMetadata><RequestId>00000000-0000-0000-0000-000000000000</RequestId></ResponseMetadata>"


class StrictIdentity:
    """One user of one account; `reads_only` says of a service whether it may only read there now."""

    def __init__(self, account: str, reads_only: Callable[[str], bool]) -> None:
        self._account = account
        self._user = f"arn:aws:iam::{account}:user/defib"
        self._reads_only = reads_only

    def answer(self, request: Request, service: str) -> Response:
        """The answer to one call of the query protocol; refused with AWS's own codes."""
        asked = dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
        action = asked.get("Action", "")
        if (service, action) == ("sts", "GetCallerIdentity"):
            told = f"<Arn>{self._user}</Arn><UserId>AIDALABDEFIB</UserId><Account>{self._account}</Account>"
        elif (service, action) == ("iam", "SimulatePrincipalPolicy"):
            told = self._simulated(asked)
        else:
            raise AwsError(400, "InvalidAction", f"Could not find operation {action} for version {asked.get('Version')}")
        body = (
            f'<{action}Response xmlns="{_NAMESPACES[service]}"><{action}Result>{told}</{action}Result>'
            f"{_METADATA}</{action}Response>"
        )
        return Response(200, (("Content-Type", "text/xml"),), body.encode())

    def _simulated(self, asked: Mapping[str, str]) -> str:
        if asked.get("PolicySourceArn") != self._user:
            raise AwsError(404, "NoSuchEntity", f"The principal {asked.get('PolicySourceArn')} cannot be found.")
        resources = _listed(asked, "ResourceArns") or ["*"]
        members = [self._member(action, resources[0]) for action in _listed(asked, "ActionNames")]
        if not members:
            raise AwsError(400, "ValidationError", "ActionNames must have at least one member")
        return f"<EvaluationResults>{''.join(members)}</EvaluationResults><IsTruncated>false</IsTruncated>"

    def _member(self, action: str, resource: str) -> str:
        service, _, name = action.partition(":")
        allowed = name.startswith(_READS) or not self._reads_only(service)
        return (
            f"<member><EvalActionName>{escape(action)}</EvalActionName><EvalResourceName>{escape(resource)}</EvalResourceName>"
            f"<EvalDecision>{'allowed' if allowed else 'implicitDeny'}</EvalDecision>"
            "<MatchedStatements/><MissingContextValues/></member>"
        )


def _listed(asked: Mapping[str, str], name: str) -> list[str]:
    found = {key: value for key, value in asked.items() if key.startswith(f"{name}.member.")}
    return [found[key] for key in sorted(found, key=lambda key: int(key.rpartition(".")[2]))]
