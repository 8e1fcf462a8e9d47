"""What AWS credentials may do, by the policies that IAM knows, and who holds a name at CloudFront."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from defib.clock import Deadline
from defib.errors import Denied, NotFound
from defib.providers.aws import AwsAccess, Clients
from defib.providers.aws_errors import asked
from defib.providers.simulation import Simulation, Wanted
from defib.ready.access import Grant

_ACCOUNT = "ACCOUNT"
"""Stands in a resource for the account of who asks."""


def hosted_zone(zone_id: str) -> tuple[Wanted, ...]:
    """Reading and changing record sets, and asking whether a change is done."""
    return (
        Wanted(
            ("route53:ListResourceRecordSets", "route53:ChangeResourceRecordSets"), f"arn:aws:route53:::hostedzone/{zone_id}"
        ),
        Wanted(("route53:GetChange",), "arn:aws:route53:::change/*"),
    )


def distribution(distribution_id: str) -> tuple[Wanted, ...]:
    """Reading a distribution, and telling it to forget."""
    actions = ("cloudfront:GetDistribution", "cloudfront:CreateInvalidation", "cloudfront:GetInvalidation")
    return (Wanted(actions, f"arn:aws:cloudfront::{_ACCOUNT}:distribution/{distribution_id}"),)


def switch(bucket: str, key: str) -> tuple[Wanted, ...]:
    """Putting the object of a switch there, and taking it away."""
    return (Wanted(("s3:GetObject", "s3:PutObject", "s3:DeleteObject"), f"arn:aws:s3:::{bucket}/{key}"),)


def objects(bucket: str, prefix: str) -> tuple[Wanted, ...]:
    """Writing the pages under a prefix."""
    return (Wanted(("s3:PutObject",), f"arn:aws:s3:::{bucket}/{prefix}*"),)


def releases(bucket: str, distribution_id: str) -> tuple[Wanted, ...]:
    """Uploading releases and taking old ones away, and letting a distribution lead to one of them."""
    return (
        Wanted(("s3:ListBucket",), f"arn:aws:s3:::{bucket}"),
        Wanted(("s3:GetObject", "s3:PutObject", "s3:DeleteObject"), f"arn:aws:s3:::{bucket}/releases/*"),
        *distribution(distribution_id),
        Wanted(("cloudfront:UpdateDistribution",), f"arn:aws:cloudfront::{_ACCOUNT}:distribution/{distribution_id}"),
        Wanted(("acm:DescribeCertificate",), f"arn:aws:acm:us-east-1:{_ACCOUNT}:certificate/*"),
    )


class AwsPolicyAccess:
    """Fulfils :class:`defib.ready.access.Access` by ``sts:GetCallerIdentity`` and ``iam:SimulatePrincipalPolicy``.

    Who may not simulate is not told. The root of an account may do everything and has no policies to simulate.
    """

    def __init__(self, about: str, wanted: Sequence[Wanted], access: AwsAccess) -> None:
        self._about = about
        self._wanted = tuple(wanted)
        session = access.session()

        def client(service: str) -> Clients[Any]:
            make: Callable[..., Any] = session.client
            return Clients(lambda time: make(service, endpoint_url=access.endpoint or None, config=access.config(time)))

        self._sts, self._iam = client("sts"), client("iam")
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
            wanted = [replace(each, resource=each.resource.replace(_ACCOUNT, account)) for each in self._wanted]
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
        session = access.session()
        self._clients: Clients[Any] = Clients(
            lambda time: session.client("cloudfront", endpoint_url=access.endpoint or None, config=access.config(time))
        )

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
