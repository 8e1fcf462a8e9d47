"""The role of a replication, by IAM, and its keys, by KMS."""

from __future__ import annotations

import json
from collections.abc import Sequence

from defib.clock import Deadline
from defib.errors import Denied, NotFound
from defib.privilege.permission import ACCOUNT, Permission
from defib.providers.aws import AwsAccess
from defib.providers.aws_errors import asked, code_of
from defib.providers.simulation import Simulation, Wanted
from defib.replication.authority import Key, Lack, Need, Role, account_of

_USABLE = {"Enabled", "Updating"}
"""States in which a key encrypts and decrypts.

https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html
"""

_NOT_TOLD = {"AccessDenied", "AccessDeniedException"}


def permissions(region: str) -> tuple[Permission, ...]:
    """The role of the rules and what IAM says of it, and the keys: which they are, only the buckets tell."""
    return (
        Permission(("iam:GetRole", "iam:SimulatePrincipalPolicy"), (f"arn:aws:iam::{ACCOUNT}:role/*",)),
        Permission(
            ("kms:DescribeKey",),
            (f"arn:aws:kms:{region}:{ACCOUNT}:key/*",),
            why="asked where the buckets are encrypted with keys of your own",
        ),
    )


class AwsAuthority:
    """Fulfils :class:`defib.replication.authority.Authority` with one side's credentials, in its region.

    IAM is one for all regions and knows the roles of the credentials' own account alone; KMS tells of keys in its region.
    """

    def __init__(self, access: AwsAccess) -> None:
        self._iam, self._kms = access.clients("iam"), access.clients("kms")

    def role(self, arn: str, needs: Sequence[Need], *, within: Deadline) -> Role:
        """GetRole, and a simulation of each need."""
        name = arn.rpartition("/")[2]
        try:
            told = asked(lambda: self._iam.within(within).get_role(RoleName=name), within, "GetRole", arn)["Role"]
        except NotFound as error:
            if code_of(error.__cause__) != "NoSuchEntity":
                raise
            return Role(arn, there=False)
        except Denied as error:
            return Role(arn, None, why=_why(error))
        if told["Arn"] != arn:
            return _another(arn, str(told["Arn"]))
        denied, unsure, why = self._simulated(arn, needs, within)
        return Role(arn, True, json.dumps(told["AssumeRolePolicyDocument"]), denied, unsure, why)

    def key(self, key: str, *, within: Deadline) -> Key:
        """DescribeKey."""
        try:
            told = asked(lambda: self._kms.within(within).describe_key(KeyId=key), within, "DescribeKey", key)["KeyMetadata"]
        except NotFound as error:
            if code_of(error.__cause__) != "NotFoundException":
                raise
            return Key(key, usable=False, state="not there")
        except Denied as error:
            return Key(key, None, _why(error))
        return Key(key, told["KeyState"] in _USABLE, str(told["KeyState"]), str(told["Arn"]))

    def _simulated(
        self, arn: str, needs: Sequence[Need], within: Deadline
    ) -> tuple[tuple[Lack, ...], tuple[Lack, ...], str]:
        """What is denied, what cannot be told, and why that is so where IAM may not be asked."""
        simulation = Simulation(self._iam, arn)
        denied, unsure = [], []
        for need in needs:
            try:
                decided = simulation.decide(arn, Wanted(need.actions, need.resource, need.context), within=within)
            except (Denied, NotFound) as error:
                every = tuple(Lack(action, each) for each in needs for action in each.actions)
                return (), every, _why(error)
            denied += [Lack(action, need) for action in decided.denied]
            unsure += [Lack(action, need) for action in decided.unsure]
        return tuple(denied), tuple(unsure), ""


def _another(arn: str, found: str) -> Role:
    """What it means that a role of that name has another ARN: another path, or the credentials are of another account."""
    if account_of(found) != account_of(arn):
        return Role(arn, None, why=f"these credentials are of another account, which has {found}")
    return Role(arn, there=False)


def _why(error: Denied | NotFound) -> str:
    """The refusal, where it is about this one question; credentials that are not taken at all are raised."""
    if isinstance(error, Denied) and code_of(error.__cause__) not in _NOT_TOLD:
        raise error
    return error.seen
