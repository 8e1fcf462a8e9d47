"""What AWS credentials may do, by the policies that IAM knows, and who holds a name at CloudFront."""

from __future__ import annotations

from collections.abc import Sequence

from defib.clock import Deadline
from defib.errors import Denied, NotFound
from defib.privilege.permission import ACCOUNT, Permission
from defib.providers.aws import AwsAccess
from defib.providers.aws_errors import asked
from defib.providers.pointer.distribution import arn
from defib.providers.simulation import Simulation, wanted_by
from defib.ready.access import Grant


def claiming(distribution: str) -> Permission:
    """Asking who else holds a name that a distribution answers for."""
    return Permission(
        ("cloudfront:ListConflictingAliases",), (arn(distribution),), why="asked of names that it has not", optional=True
    )


_OF_ROLES = "asked where the credentials are a role's"

ASKING = (
    Permission(("sts:GetCallerIdentity",)),
    # A user may be asked of itself alone; IAM has no such word for the role that a session was made of.
    Permission(("iam:SimulatePrincipalPolicy",), (f"arn:aws:iam::{ACCOUNT}:user/${{aws:username}}",)),
    Permission(("iam:GetRole", "iam:SimulatePrincipalPolicy"), (f"arn:aws:iam::{ACCOUNT}:role/*",), why=_OF_ROLES),
)
"""Asking IAM what the credentials themselves may do."""


class AwsPolicyAccess:
    """Fulfils :class:`defib.ready.access.Access` by ``sts:GetCallerIdentity`` and ``iam:SimulatePrincipalPolicy``.

    Who may not simulate is not told. The root of an account may do everything and has no policies to simulate.
    """

    def __init__(self, about: str, wanted: Sequence[Permission], access: AwsAccess) -> None:
        self._about = about
        self._wanted = tuple(wanted)
        self._sts, self._iam = access.clients("sts"), access.clients("iam")
        self._simulation = Simulation(self._iam, about)

    @property
    def about(self) -> str:
        """The vendor, and the id of what they are for."""
        return self._about

    def granted(self, *, within: Deadline) -> Grant:
        """What IAM says of each action on its resource."""
        told = asked(lambda: self._sts.within(within).get_caller_identity(), within, "GetCallerIdentity", self._about)
        arn, account = str(told["Arn"]), str(told["Account"])
        if arn.endswith(":root"):
            return Grant(may_edit=True, who=arn, why="it is the root of the account, which nothing can restrict")
        try:
            principal = self._principal(arn, within)
            wanted = [
                each for permission in self._wanted for each in wanted_by(permission.of(account)) if not permission.optional
            ]
            verdicts = [self._simulation.decide(principal, each, within=within) for each in wanted]
        except Denied as error:
            return Grant(may_edit=None, who=arn, why=f"it may not ask IAM what it may do: {error.seen}")
        except NotFound as error:
            return Grant(may_edit=None, who=arn, why=f"IAM cannot say what it may do: {error.seen}")
        missing = [action for verdict in verdicts for action in verdict.denied]
        unsure = [action for verdict in verdicts for action in verdict.unsure]
        if missing:
            return Grant(may_edit=False, who=arn, why=f"it lacks {', '.join(missing)}")
        if unsure:
            return Grant(may_edit=None, who=arn, why=f"it depends on conditions for {', '.join(unsure)}")
        return Grant(may_edit=True, who=arn)

    def _principal(self, arn: str, within: Deadline) -> str:
        """The ARN that has policies: of an assumed role it is the role's, whose path only IAM knows."""
        if ":assumed-role/" not in arn:
            return arn
        role = arn.split("/")[1]
        return str(asked(lambda: self._iam.within(within).get_role(RoleName=role), within, "GetRole", role)["Role"]["Arn"])


class CloudFrontClaims:
    """Fulfils :class:`defib.ready.access.Claims` by ListConflictingAliases.

    CloudFront hides the greater part of the ids of distributions and accounts. It answers only where the distribution has
    a certificate for the name (https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_ListConflictingAliases.html).
    """

    def __init__(self, distribution: str, access: AwsAccess) -> None:
        self._distribution = distribution
        self._clients = access.clients("cloudfront")

    def holders(self, name: str, *, within: Deadline) -> tuple[str, ...]:
        """Every other distribution that holds `name`, or a wildcard over it."""
        plain = name.lower().rstrip(".")
        answer = asked(
            lambda: self._clients.within(within).list_conflicting_aliases(DistributionId=self._distribution, Alias=plain),
            within,
            "ListConflictingAliases",
            f"CloudFront, distribution {self._distribution}",
        )
        return tuple(
            f"distribution {each['DistributionId']} of account {each['AccountId']} as {each['Alias']}"
            for each in answer["ConflictingAliasesList"].get("Items", [])
        )
