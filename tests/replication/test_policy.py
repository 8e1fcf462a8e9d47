"""What a policy on a resource says, statement by statement: what is not known is never guessed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from defib.replication.policy import Request, Verdict, judge, names_of_role

ROLE = "arn:aws:iam::111111111111:role/path/copies"
ASKED = Request("AWS", names_of_role(ROLE), "s3:ReplicateObject", "arn:aws:s3:::copy/img/*", (("aws:PrincipalArn", ROLE),))
ALLOWED, DENIED, UNMENTIONED, UNSURE = Verdict.ALLOWED, Verdict.DENIED, Verdict.UNMENTIONED, Verdict.UNSURE


def allow(**parts: Any) -> dict[str, Any]:
    """A statement that allows all to all, but for these parts."""
    return {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"} | parts


def deny(**parts: Any) -> dict[str, Any]:
    """The same, the other way round."""
    return allow(**parts) | {"Effect": "Deny"}


def said(*statements: dict[str, Any]) -> Verdict:
    """What a policy of these says."""
    return judge(json.dumps({"Version": "2012-10-17", "Statement": list(statements)}), ASKED)


def test_no_policy_says_nothing() -> None:
    """No text, and no statement."""
    assert judge("", ASKED) is UNMENTIONED
    assert said() is UNMENTIONED


def test_one_statement_may_stand_without_a_list() -> None:
    """As IAM takes it."""
    assert judge(json.dumps({"Statement": allow()}), ASKED) is ALLOWED


def test_what_denies_outweighs_all_else() -> None:
    """In whatever order they stand; what may deny leaves it open."""
    perhaps = {"StringEquals": {"aws:SourceVpce": "vpce-1"}}
    assert said(allow(), deny()) is DENIED
    assert said(deny(), allow()) is DENIED
    assert said(allow(), deny(Condition=perhaps)) is UNSURE
    assert said(deny(), deny(Condition=perhaps)) is DENIED


@pytest.mark.parametrize(
    ("principal", "verdict"),
    [
        ("*", ALLOWED),
        ({"AWS": "*"}, ALLOWED),
        ({"AWS": ROLE}, ALLOWED),
        ({"AWS": ["arn:aws:iam::222222222222:root", "111111111111"]}, ALLOWED),
        ({"AWS": "arn:aws:iam::111111111111:root"}, ALLOWED),
        ({"AWS": "arn:aws:iam::222222222222:root"}, UNMENTIONED),
        ({"AWS": "arn:aws:iam::111111111111:role/copies"}, UNMENTIONED),
        ({"Service": "s3.amazonaws.com"}, UNMENTIONED),
        ({}, UNMENTIONED),
    ],
)
def test_who_it_is_for(principal: Any, verdict: Verdict) -> None:
    """A role is called by its ARN, by its account, and by everybody; a service is somebody else."""
    assert said(allow(Principal=principal)) is verdict


def test_who_it_is_not_for_is_left_open() -> None:
    """NotPrincipal has rules of its own, which are not guessed."""
    statement = {"Effect": "Deny", "NotPrincipal": {"AWS": ROLE}, "Action": "*", "Resource": "*"}
    assert said(statement) is UNSURE


@pytest.mark.parametrize(
    ("action", "verdict"),
    [
        ("s3:ReplicateObject", ALLOWED),
        ("S3:replicateobject", ALLOWED),
        ("s3:Replicate*", ALLOWED),
        ("s3:Replicate?bject", ALLOWED),
        (["s3:GetObject", "s3:*"], ALLOWED),
        ("s3:Replicate", UNMENTIONED),
        ("s3:[R]eplicateObject", UNMENTIONED),
    ],
)
def test_which_actions_it_is_about(action: Any, verdict: Verdict) -> None:
    """Case does not count, and of wildcards there are two."""
    assert said(allow(Action=action)) is verdict


def test_all_actions_but_some() -> None:
    """NotAction is about all others."""
    but = {"Effect": "Allow", "Principal": "*", "NotAction": "s3:Replicate*", "Resource": "*"}
    assert said(but) is UNMENTIONED
    assert said(but | {"NotAction": "s3:Delete*"}) is ALLOWED


@pytest.mark.parametrize(
    ("resource", "verdict"),
    [
        ("arn:aws:s3:::copy/*", ALLOWED),
        ("arn:aws:s3:::copy/img/*", ALLOWED),
        ("arn:aws:s3:::*", ALLOWED),
        ("arn:aws:s3:::copy/doc/*", UNMENTIONED),
        ("arn:aws:s3:::copy", UNMENTIONED),
        ("arn:aws:s3:::COPY/*", UNMENTIONED),
    ],
)
def test_which_resources_it_is_about(resource: str, verdict: Verdict) -> None:
    """Objects are not their bucket, and case counts."""
    assert said(allow(Resource=resource)) is verdict


@pytest.mark.parametrize(
    ("condition", "verdict"),
    [
        ({"StringEquals": {"aws:PrincipalArn": ROLE}}, ALLOWED),
        ({"StringEquals": {"AWS:principalarn": [ROLE, "x"]}}, ALLOWED),
        ({"StringEqualsIfExists": {"aws:PrincipalArn": ROLE}}, ALLOWED),
        ({"StringEqualsIgnoreCase": {"aws:PrincipalArn": ROLE.upper()}}, ALLOWED),
        ({"StringLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/*"}}, ALLOWED),
        ({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::111111111111:role/*"}}, ALLOWED),
        ({"StringNotEquals": {"aws:PrincipalArn": ROLE}}, UNMENTIONED),
        ({"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::222222222222:*"}}, ALLOWED),
        ({"StringEquals": {"aws:PrincipalArn": "arn:aws:iam::*"}}, UNMENTIONED),
        ({"StringEquals": {"aws:PrincipalOrgID": "o-1"}}, UNSURE),
        ({"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}, UNSURE),
        ({"Null": {"aws:PrincipalArn": "true"}}, UNSURE),
        ({"ForAnyValue:StringEquals": {"aws:PrincipalArn": ROLE}}, UNSURE),
        ({"StringEquals": {"aws:PrincipalArn": "x", "aws:PrincipalOrgID": "o-1"}}, UNMENTIONED),
    ],
)
def test_under_conditions(condition: Any, verdict: Verdict) -> None:
    """All must hold; one that is known not to settles it, and one that is not known leaves it open."""
    assert said(allow(Condition=condition)) is verdict


def test_conditions_may_hold_plain_values() -> None:
    """JSON has true and false of its own."""
    over_tls = Request("AWS", names_of_role(ROLE), "s3:GetObject", "x", (("aws:SecureTransport", "true"),))
    told = json.dumps({"Statement": deny(Condition={"Bool": {"aws:SecureTransport": False}})})
    assert judge(told, over_tls) is UNMENTIONED
