"""Whether S3 has leave to replicate: role, trust, permissions, policies of buckets, and keys."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from defib.ready.check import State
from defib.replication.audit import audit
from defib.replication.authority import Key, Lack, Need
from tests.replication.audit_stage import (
    ELSEWHERE,
    KEY_HERE,
    KEY_THERE,
    REPLICA,
    ROLE,
    SOURCE,
    WELL,
    encrypted,
    found,
    pair,
    replica,
    role,
    rule,
    source,
    trust,
    wrong,
)

OK, WARN, UNKNOWN, FAIL = State.OK, State.WARN, State.UNKNOWN, State.FAIL


class TestRole:
    def test_a_role_that_is_gone(self) -> None:
        """S10: everything then fails to be replicated."""
        check = found(role(there=False), "role")
        assert (check.state, check.text) == (FAIL, f"there is no {ROLE}: everything fails to be replicated")
        assert "aws iam create-role --role-name copies" in check.then

    def test_a_role_of_which_nobody_tells(self) -> None:
        """Promise 10: what IAM does not tell is unknown, and nothing of the role is called good."""
        seen = role(there=None, why="AccessDenied: not yours")
        assert found(seen, "role").state is UNKNOWN
        assert "AccessDenied: not yours" in found(seen, "role").text
        assert "role-permissions" not in {check.name for check in audit(seen)}

    def test_a_role_that_is_no_arn(self) -> None:
        """Other people's S3 names roles in its own way: nothing follows from that, and nothing breaks."""
        assert found(replace(source(role="copies"), role=None), "role").state is UNKNOWN

    def test_a_role_that_was_not_asked_for(self) -> None:
        """No answer is not a good one."""
        assert found(replace(WELL, role=None), "role").state is UNKNOWN

    @pytest.mark.parametrize("policy", [trust("ec2.amazonaws.com"), trust("batchoperations.s3.amazonaws.com"), ""])
    def test_a_role_that_s3_may_not_take_on(self, policy: str) -> None:
        """A trust policy for others is none for S3."""
        check = found(role(trust=policy), "role-trust")
        assert (check.state, check.about) == (FAIL, "assets: s3.amazonaws.com")
        assert "aws iam update-assume-role-policy --role-name copies" in check.then

    @pytest.mark.parametrize(
        ("condition", "state"),
        [
            ({"StringEquals": {"aws:SourceAccount": "111111111111"}}, OK),
            ({"ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{SOURCE}"}}, OK),
            ({"StringEquals": {"aws:SourceAccount": ELSEWHERE}}, FAIL),
            ({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::another"}}, FAIL),
            ({"StringEquals": {"aws:SourceOrgID": "o-1"}}, UNKNOWN),
        ],
    )
    def test_trust_under_conditions(self, condition: Any, state: State) -> None:
        """Those against confused deputies are checked, and others are not guessed."""
        assert found(role(trust=trust("s3.amazonaws.com", **condition)), "role-trust").state is state

    def test_batch_is_asked_for_where_it_is_wanted(self) -> None:
        """An account in the site file means that Batch Replication may be needed; without trust that alone is lost."""
        seen = replace(pair(account="111111111111"), role=WELL.role)
        check = found(seen, "role-trust", "batchoperations.s3.amazonaws.com")
        assert (check.state, check.text.partition(":")[0]) == (WARN, "may not take on the role")
        both = trust("s3.amazonaws.com", "batchoperations.s3.amazonaws.com")
        trusting = replace(seen, role=role(trust=both).role)
        assert wrong(trusting) == {}

    def test_a_permission_that_it_lacks(self) -> None:
        """The action and the resource are named."""
        need = Need(("s3:ReplicateObject",), f"arn:aws:s3:::{REPLICA}/*")
        check = found(role(denied=(Lack("s3:ReplicateObject", need),)), "role-permissions")
        assert check.state is FAIL
        assert "it lacks s3:ReplicateObject on arn:aws:s3:::assets-copy/*" in check.text
        assert "aws iam put-role-policy --role-name copies" in check.then

    def test_a_permission_that_only_tags_need(self) -> None:
        """Without it objects are replicated all the same."""
        need = Need(("s3:GetObjectVersionTagging",), f"arn:aws:s3:::{SOURCE}/*", without="tags are not replicated")
        batch = Need(("s3:InitiateReplication",), f"arn:aws:s3:::{SOURCE}/*", without="no job can run")
        lacks = Lack("s3:GetObjectVersionTagging", need), Lack("s3:InitiateReplication", batch)
        checks = [check for check in audit(role(denied=lacks)) if check.name == "role-permissions"]
        assert [(check.state, check.text) for check in checks] == [
            (WARN, f"it lacks s3:GetObjectVersionTagging on arn:aws:s3:::{SOURCE}/*: tags are not replicated"),
            (WARN, f"it lacks s3:InitiateReplication on arn:aws:s3:::{SOURCE}/*: no job can run"),
        ]

    def test_a_permission_of_which_nobody_tells(self) -> None:
        """Who may not simulate is not told, and what is not told is unknown."""
        need = Need(("s3:ReplicateObject",), f"arn:aws:s3:::{REPLICA}/*")
        seen = role(unsure=(Lack("s3:ReplicateObject", need),), why="AccessDenied: not yours")
        check = found(seen, "role-permissions")
        assert check.state is UNKNOWN
        assert check.text.endswith("AccessDenied: not yours")


def policy(effect: str, **parts: Any) -> str:
    """A bucket's policy of one statement for everything."""
    statement = {"Effect": effect, "Principal": "*", "Action": "s3:*", "Resource": "*"} | parts
    return json.dumps({"Statement": [statement]})


class TestBucketPolicies:
    @pytest.mark.parametrize(
        ("text", "state"),
        [
            ("", OK),
            (policy("Deny"), FAIL),
            (policy("Deny", Action="s3:PutObject"), OK),
            (policy("Deny", Condition={"Bool": {"aws:SecureTransport": "false"}}), OK),
            (policy("Deny", Condition={"StringNotEquals": {"aws:PrincipalArn": ROLE}}), OK),
            (policy("Deny", Condition={"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}), UNKNOWN),
        ],
    )
    @pytest.mark.parametrize("side", ["source", "replica"])
    def test_that_deny(self, side: str, text: str, state: State) -> None:
        """What denies outweighs all that the role is allowed; what depends on something else is unknown."""
        seen = source(policy=text) if side == "source" else replica(policy=text)
        assert found(seen, "bucket-policy", side if side == "source" else "replica").state is state

    def test_of_another_account_must_let_the_role_in(self) -> None:
        """By its own policies alone a role reaches no bucket of others."""
        seen = rule(account=ELSEWHERE)
        check = found(seen, "bucket-policy", "replica")
        assert check.state is FAIL
        assert "s3:ReplicateObject, s3:ReplicateDelete" in check.text
        let_in = policy("Allow", Principal={"AWS": "arn:aws:iam::111111111111:root"}, Action="s3:Replicate*")
        allowed = replace(seen, replica=replica(policy=let_in).replica)
        assert found(allowed, "bucket-policy", "replica").state is OK
        assert found(rule(account="111111111111"), "bucket-policy", "replica").state is OK


class TestEncryption:
    def test_the_rules_allow_for_the_key(self) -> None:
        """Opted in, with a key of the replica's region, and both keys usable."""
        seen = encrypted()
        assert wrong(seen) == {}
        assert {check.about for check in audit(seen) if check.name == "key"} == {"assets: source", "assets: replica"}

    def test_the_rules_leave_it_out(self) -> None:
        """Without the opt-in nothing that is encrypted by KMS is replicated."""
        check = found(encrypted(kms=False), "encryption")
        assert check.state is FAIL
        assert "leaves out what is encrypted with a key of KMS" in check.text

    def test_no_key_for_the_replica(self) -> None:
        """S3 takes such a rule, and replicates nothing by it."""
        assert found(encrypted(kms=True, kms_key=""), "encryption").state is FAIL

    def test_a_key_of_another_region(self) -> None:
        """A key of the source's region cannot encrypt at the replica."""
        check = found(encrypted(kms=True, kms_key=KEY_HERE), "encryption")
        assert check.state is FAIL
        assert "another region" in check.text

    @pytest.mark.parametrize(
        ("state", "then"),
        [
            ("Disabled", "aws kms enable-key"),
            ("PendingDeletion", "aws kms cancel-key-deletion"),
        ],
    )
    def test_a_key_that_cannot_be_used(self, state: str, then: str) -> None:
        """S10: disabled or about to be deleted, at either side."""
        check = found(encrypted(there=Key(KEY_THERE, False, state, KEY_THERE)), "key", "replica")
        assert check.state is FAIL
        assert check.then.startswith(f"{then} --key-id {KEY_THERE} --region eu-west-1")
        assert found(encrypted(here=Key(KEY_HERE, False, state, KEY_HERE)), "key", "source").state is FAIL

    def test_a_key_of_which_nobody_tells(self) -> None:
        """S15: KMS of a region that is down tells nothing."""
        check = found(encrypted(there=Key(KEY_THERE, None, "unreachable: no answer")), "key", "replica")
        assert check.state is UNKNOWN
        assert "unreachable: no answer" in check.text
