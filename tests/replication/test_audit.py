"""The audit of a pair: each point is found where it is wrong, and found well where it is not."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from defib.ready.check import State
from defib.replication.audit import audit
from defib.replication.authority import Key, Lack, Need
from defib.replication.evidence import Evidence, Unseen
from defib.replication.rules import Archiving, Expiry
from tests.replication.audit_stage import (
    ELSEWHERE,
    KEY_HERE,
    KEY_THERE,
    PAIR,
    REPLICA,
    ROLE,
    RULE,
    SOURCE,
    WELL,
    WELL_SOURCE,
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


def days(number: int) -> timedelta:
    """Short for a timedelta."""
    return timedelta(days=number)


def test_a_pair_that_is_configured_as_it_should_be() -> None:
    """Every point is judged, and none is found wrong; nothing that is well asks for anything to be done."""
    checks = audit(WELL)
    assert {check.state for check in checks} == {OK}
    assert {check.name for check in checks} == {
        "bucket", "region", "other-region", "versioning", "rules", "prefixes", "priorities", "canary", "delete-markers",
        "replication-time", "metrics", "role", "role-trust", "role-permissions", "bucket-policy", "encryption", "lifecycle",
        "object-lock", "ownership", "storage-class",
    }  # fmt: skip
    assert all(check.about.startswith("assets") and not check.then for check in checks)


@pytest.mark.parametrize(
    ("spoilt", "name"),
    [
        (rule(enabled=False), "prefixes"),
        (rule(prefix="img/"), "prefixes"),
        (role(there=False), "role"),
        (encrypted(there=Key(KEY_THERE, False, "Disabled", KEY_THERE)), "key"),
        (replica(versioning="Suspended"), "versioning"),
    ],
)
def test_what_stops_replication_is_red_even_if_contents_match(spoilt: Evidence, name: str) -> None:
    """S10: rule disabled, prefix narrowed, role lost, KMS key disabled, versioning suspended on the replica."""
    assert wrong(spoilt)[name] is FAIL


class TestVersioning:
    @pytest.mark.parametrize(("status", "words"), [("Suspended", "suspended"), ("", "never turned on")])
    def test_off_at_the_replica(self, status: str, words: str) -> None:
        """S10: everything that is written then fails to be replicated; one command turns it on."""
        check = found(replica(versioning=status), "versioning", "replica")
        assert (check.state, check.text) == (FAIL, f"{words}: everything fails to be replicated")
        command = "aws s3api put-bucket-versioning --bucket assets-copy --region eu-west-1"
        assert check.then == f"{command} --versioning-configuration Status=Enabled"

    def test_off_at_the_source(self) -> None:
        """Without versions there is no replication."""
        assert found(source(versioning=""), "versioning", "source").state is FAIL

    def test_off_where_the_site_file_does_without(self) -> None:
        """A pair that is compared without versions, and made by something else, is warned of what it loses."""
        seen = replace(pair(unversioned=True), source=replace(WELL_SOURCE, rules=(), role="", versioning=""))
        check = found(seen, "versioning", "source")
        assert (check.state, check.text) == (WARN, "never turned on: what is written over is lost")


class TestRules:
    def test_none_at_all(self) -> None:
        """A source without a replication configuration copies nothing."""
        check = found(source(rules=(), role=""), "rules")
        assert (check.state, check.text) == (FAIL, "no replication is configured: nothing is copied")
        assert "put-bucket-replication --bucket assets --region us-east-1" in check.then

    def test_none_that_leads_to_this_replica(self) -> None:
        """Rules to other buckets do not help this one."""
        check = found(rule(destination="elsewhere"), "rules")
        assert (check.state, check.text) == (FAIL, "no rule leads to s3://assets-copy, only to elsewhere")

    def test_all_disabled(self) -> None:
        """Rules that are there and off copy nothing."""
        check = found(rule(enabled=False), "rules")
        assert (check.state, check.text) == (FAIL, "0 of 1 rules to s3://assets-copy enabled")
        assert "set Status of all to Enabled" in check.then

    def test_none_where_something_else_makes_the_replica(self) -> None:
        """The site file may say that S3 does not make the replica: then nothing is asked of rules."""
        seen = replace(pair(unversioned=True), source=replace(WELL_SOURCE, rules=(), role=""))
        assert found(seen, "rules").text.startswith("S3 replicates nothing: something else makes the replica")
        assert "prefixes" not in {check.name for check in audit(seen)}
        assert wrong(seen) == {}


class TestPrefixes:
    def test_each_is_judged_by_itself(self) -> None:
        """Of two prefixes one may be covered and the other not."""
        seen = replace(pair(prefixes=("img/", "doc/")), source=rule(prefix="img/").source)
        assert found(seen, "prefixes", "img/").state is OK
        check = found(seen, "prefixes", "doc/")
        assert (check.state, check.text) == (FAIL, "not replicated: no rule selects it")
        assert "add a rule for doc/" in check.then

    def test_a_rule_that_was_narrowed(self) -> None:
        """S10: what begins otherwise is left behind, and the rule is named."""
        check = found(rule(prefix="img/"), "prefixes")
        assert (check.state, check.about) == (FAIL, "assets: everything")
        assert check.text == "replicated in part: all selects only what begins with img/"
        assert "let the filter of all be everything" in check.then

    def test_a_rule_that_is_disabled(self) -> None:
        """S10: it would select it, and does not."""
        check = found(rule(enabled=False), "prefixes")
        assert (check.state, check.text) == (FAIL, "not replicated: all is disabled")
        assert "set Status of all to Enabled" in check.then

    def test_a_rule_for_what_is_tagged(self) -> None:
        """Objects without the tag stay behind; that may be meant, so it is a warning."""
        check = found(rule(tags=(("keep", "yes"),)), "prefixes")
        assert (check.state, check.text) == (WARN, "replicated in part: all selects only what is tagged keep=yes")

    def test_a_wide_rule_behind_a_narrow_one(self) -> None:
        """Whatever else there is, a rule for all of it covers all of it."""
        narrow = replace(RULE, id="img", prefix="img/", priority=2)
        assert found(source(rules=(narrow, RULE)), "prefixes").state is OK


class TestPriorities:
    def test_two_that_are_equal(self) -> None:
        """Which of two rules counts must not be left to chance."""
        twin = replace(RULE, id="twin", prefix="img/")
        check = found(source(rules=(RULE, twin)), "priorities")
        assert (check.state, check.text) == (WARN, "all and twin have priority 1")

    def test_equal_ones_that_never_meet(self) -> None:
        """Rules for different prefixes do not contend."""
        rules = (replace(RULE, prefix="doc/"), replace(RULE, id="img", prefix="img/"))
        assert found(source(rules=rules), "priorities").state is OK

    def test_one_that_is_hidden(self) -> None:
        """A narrow rule below a wide one never counts, and none of its settings does."""
        narrow = replace(RULE, id="img", prefix="img/", priority=0, metrics=False)
        seen = source(rules=(RULE, narrow))
        check = found(seen, "priorities")
        assert (check.state, check.text) == (WARN, "img never counts: all comes before it")
        assert found(seen, "metrics").state is OK

    def test_a_narrow_rule_above_a_wide_one(self) -> None:
        """The usual order is well."""
        narrow = replace(RULE, id="img", prefix="img/", priority=2)
        assert found(source(rules=(RULE, narrow)), "priorities").state is OK

    def test_a_rule_that_is_off_hides_nothing(self) -> None:
        """Only enabled rules contend."""
        over = replace(RULE, id="over", priority=9, enabled=False)
        assert found(source(rules=(RULE, over)), "priorities").state is OK


class TestCanary:
    def test_no_rule_leads_from_its_prefix(self) -> None:
        """S12, S13: a canary that cannot arrive proves nothing, and would be waited for in vain."""
        check = found(rule(prefix="img/"), "canary")
        assert check.state is FAIL
        assert check.text == "no rule leads from .defib-canary/ to the replica: a canary would never arrive"

    def test_a_rule_for_tagged_objects_does_not_take_it(self) -> None:
        """A canary has no tags."""
        assert found(rule(tags=(("keep", "yes"),)), "canary").state is FAIL

    def test_a_rule_of_its_own(self) -> None:
        """It then proves that rule, and says so."""
        rules = (replace(RULE, prefix="img/"), replace(RULE, id="canary", prefix=".defib-canary/"))
        seen = replace(pair(prefixes=("img/",)), source=replace(WELL_SOURCE, rules=rules))
        check = found(seen, "canary")
        assert (check.state, check.text) == (
            OK,
            "rule canary leads from .defib-canary/ to the replica; it says nothing of all",
        )

    @pytest.mark.parametrize("seen", [source(retention=days(3), lock=True), replica(retention=days(3), lock=True)])
    def test_a_bucket_that_locks_whatever_is_written(self, seen: Evidence) -> None:
        """S13: it is to be cleaned up in both buckets, and cannot be while it is locked."""
        assert found(seen, "canary", "clean-up").state is WARN


class TestDeleteMarkers:
    @pytest.mark.parametrize(
        ("markers", "words"), [(True, "is deleted at the replica too"), (False, "stays at the replica")]
    )
    def test_either_is_a_choice(self, markers: bool, words: str) -> None:
        """S4: what it means is said."""
        check = found(rule(markers=markers), "delete-markers")
        assert check.state is OK
        assert words in check.text

    def test_both_at_once(self) -> None:
        """Deletions that reach a part of the replica are rarely meant."""
        other = replace(RULE, id="img", prefix="img/", priority=2, markers=False)
        check = found(source(rules=(RULE, other)), "delete-markers")
        assert (check.state, check.text) == (
            WARN,
            "replicated by all and not by img: deletions reach a part of the replica",
        )


class TestTimeAndMetrics:
    def test_no_time_is_promised(self) -> None:
        """Without Replication Time Control S3 promises nothing."""
        check = found(rule(rtc=None), "replication-time")
        assert check.state is WARN
        assert "S3 promises no time for all" in check.text

    def test_a_time_is_promised(self) -> None:
        """It is said, and which."""
        assert found(WELL, "replication-time").text == "S3 promises all within 15 min"

    def test_a_time_that_is_later_than_the_objective(self) -> None:
        """Fifteen minutes keep no objective of five; the pair's own counts before the site's."""
        check = found(pair(rpo=timedelta(minutes=5)), "replication-time")
        assert (check.state, check.text) == (WARN, "S3 promises all within 15 min, the objective is 5 min")

    def test_a_time_that_is_just_the_objective(self) -> None:
        """What arrives at the very end of it has met it."""
        assert found(pair(rpo=timedelta(minutes=15)), "replication-time").state is OK

    def test_metrics_that_are_off(self) -> None:
        """S11: then nobody but a comparison knows how far behind it is."""
        check = found(rule(metrics=False), "metrics")
        assert check.state is WARN
        assert "known from comparing alone" in check.text
        assert "set Metrics to Enabled" in check.then

    def test_metrics_of_a_rule_for_something_else(self) -> None:
        """Rules that the site file asks nothing of are not judged."""
        rules = (replace(RULE, prefix="img/"), replace(RULE, id="logs", prefix="logs/", metrics=False))
        seen = replace(pair(prefixes=("img/",)), source=replace(WELL_SOURCE, rules=rules))
        assert found(seen, "metrics").state is OK


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


class TestObjectLock:
    @pytest.mark.parametrize(
        ("here", "there", "state"),
        [(False, False, OK), (True, True, OK), (True, False, FAIL), (False, True, WARN)],
    )
    def test_on_both_sides_or_on_neither(self, here: bool, there: bool, state: State) -> None:
        """A locked source is replicated to a locked bucket alone."""
        seen = replace(source(lock=here), replica=replica(lock=there).replica)
        assert found(seen, "object-lock").state is state


class TestOwnership:
    def test_access_control_lists_at_the_replica(self) -> None:
        """They let replicas belong to somebody else than the replica's owner."""
        check = found(replica(owner=""), "ownership")
        assert (check.state, check.text) == (WARN, "access control lists count at the replica (ObjectWriter)")
        assert "put-bucket-ownership-controls --bucket assets-copy --region eu-west-1" in check.then

    def test_replicas_of_another_account(self) -> None:
        """Without a change of owner, whoever has the replica may not read it."""
        seen = replace(rule(account=ELSEWHERE), replica=replica(owner="ObjectWriter").replica)
        assert found(seen, "ownership").state is FAIL

    def test_rules_that_change_the_owner(self) -> None:
        """The other way to the same end."""
        seen = replace(rule(account=ELSEWHERE, owner_changes=True), replica=replica(owner="ObjectWriter").replica)
        assert found(seen, "ownership").state is OK


class TestLifecycle:
    def test_that_deletes_at_the_replica_what_the_source_keeps(self) -> None:
        """A replica that forgets is none."""
        check = found(replica(expiries=(Expiry("old", current=days(30)),)), "lifecycle", "replica")
        assert check.state is FAIL
        assert check.text == "old deletes what it holds after 30 days: the source does not, or later"
        assert "take old out" in check.then

    @pytest.mark.parametrize(
        ("here", "there", "state"),
        [
            (Expiry("x", current=days(30)), Expiry("y", current=days(30)), OK),
            (Expiry("x", current=days(10)), Expiry("y", current=days(30)), OK),
            (Expiry("x", current=days(90)), Expiry("y", current=days(30)), FAIL),
            (Expiry("x", "tmp/", current=days(9)), Expiry("y", current=days(30)), FAIL),
            (Expiry("x", tags=(("a", "b"),), current=days(9)), Expiry("y", current=days(30)), FAIL),
            (Expiry("x", above=9, current=days(9)), Expiry("y", current=days(30)), FAIL),
            (Expiry("x", above=9, current=days(9)), Expiry("y", above=9, current=days(30)), OK),
            (Expiry("x", above=9, current=days(9)), Expiry("y", above=8, current=days(30)), FAIL),
            (Expiry("x", below=9, current=days(9)), Expiry("y", below=9, current=days(30)), OK),
            (Expiry("x", below=9, current=days(9)), Expiry("y", below=10, current=days(30)), FAIL),
            (Expiry("x", below=9, current=days(9)), Expiry("y", current=days(30)), FAIL),
            (Expiry("x", current=days(9)), Expiry("y", "tmp/", (("a", "b"),), days(30), below=7), OK),
            (Expiry("x", superseded=days(30)), Expiry("y", superseded=days(30)), OK),
            (Expiry("x", superseded=days(90)), Expiry("y", superseded=days(30)), WARN),
            (Expiry("x", superseded=days(9), kept=5), Expiry("y", superseded=days(30)), WARN),
            (Expiry("x", lone_markers=False), Expiry("y", lone_markers=True), OK),
            (
                Expiry("x", date=datetime(2030, 1, 1, tzinfo=UTC)),
                Expiry("y", date=datetime(2029, 1, 1, tzinfo=UTC)),
                FAIL,
            ),
            (
                Expiry("x", date=datetime(2030, 1, 1, tzinfo=UTC)),
                Expiry("y", date=datetime(2030, 1, 1, tzinfo=UTC)),
                OK,
            ),
        ],
    )
    def test_compared_with_that_of_the_source(self, here: Expiry, there: Expiry, state: State) -> None:
        """The replica may forget what the source forgets no later, and nothing else; older versions are a warning."""
        seen = replace(source(expiries=(here,)), replica=replica(expiries=(there,)).replica)
        assert found(seen, "lifecycle", "replica").state is state

    def test_that_is_about_something_else(self) -> None:
        """Canaries may go, and what the site file does not name."""
        expiries = (Expiry("canaries", ".defib-canary/", current=days(1)), Expiry("logs", "logs/", current=days(1)))
        seen = replace(pair(prefixes=("img/",)), replica=replica(expiries=expiries).replica)
        assert found(seen, "lifecycle", "replica").state is OK
        assert found(replica(expiries=expiries[:1]), "lifecycle", "replica").state is OK

    def test_of_the_source_makes_expected_extras(self) -> None:
        """S5: what it removes stays at the replica, which is said and is no fault."""
        check = found(source(expiries=(Expiry("old", "tmp/", current=days(30)),)), "lifecycle", "source")
        assert check.state is OK
        assert check.text.startswith("old under tmp/ deletes what it holds after 30 days: at the replica that stays")
        seen = replace(source(expiries=(Expiry("logs", "logs/", current=days(1)),)), pair=pair(prefixes=("img/",)).pair)
        assert found(seen, "lifecycle", "source").text == "removes nothing"


class TestStorageClass:
    def test_a_replica_in_the_archive(self) -> None:
        """It cannot be served for hours, written there by a rule or moved there by a lifecycle."""
        assert found(rule(storage_class="DEEP_ARCHIVE"), "storage-class").state is WARN
        check = found(replica(archivings=(Archiving("cold", "GLACIER", after=days(30)),)), "storage-class")
        assert check.state is WARN
        assert check.text.startswith("lifecycle cold moves to GLACIER after 30 days")

    def test_a_class_that_is_read_at_once(self) -> None:
        """Cheaper is not slower by itself."""
        assert found(rule(storage_class="GLACIER_IR"), "storage-class").state is OK

    @pytest.mark.parametrize(
        ("prefix", "here", "there", "state"),
        [
            ("", days(30), days(30), OK),
            ("", days(30), days(60), OK),
            ("", days(60), days(30), WARN),
            ("img/", days(30), days(30), WARN),
            ("", None, days(30), WARN),
            ("", None, None, OK),
        ],
    )
    def test_a_source_that_archives_as_well(
        self, prefix: str, here: timedelta | None, there: timedelta | None, state: State
    ) -> None:
        """What cannot be read at the source need not be readable at the replica."""
        seen = replace(
            source(archivings=(Archiving("cold", "GLACIER", prefix, here),)),
            replica=replica(archivings=(Archiving("cold", "GLACIER", after=there),)).replica,
        )
        assert found(seen, "storage-class").state is state


class TestRegion:
    def test_both_buckets_in_one(self) -> None:
        """A region takes both with it."""
        check = found(replica(region="us-east-1"), "other-region")
        assert (check.state, check.text) == (FAIL, "both buckets are in us-east-1: the replica is lost with the source")

    def test_another_one_than_the_site_file_says(self) -> None:
        """Calls would go to the wrong region on the day when it counts."""
        check = found(replica(region="ap-south-1"), "region", "replica")
        assert check.state is FAIL
        assert "put region: ap-south-1 into the site file" in check.then
        assert found(source(region="us-west-2"), "region", "source").state is FAIL


class TestWhatIsNotSeen:
    def test_a_replica_region_that_refuses_all_calls(self) -> None:
        """S15: its side is unknown, and the source is audited all the same."""
        unreachable = Unseen(State.UNKNOWN, "unreachable", "get bucket versioning: no answer")
        checks = audit(replace(rule(enabled=False), replica=unreachable))
        assert {check.name: check.state for check in checks if check.about.endswith("replica")} == {
            "bucket": UNKNOWN,
            "region": UNKNOWN,
            "versioning": UNKNOWN,
        }
        whole = {check.name: check.state for check in checks}
        assert (whole["rules"], whole["prefixes"], whole["role"]) == (FAIL, FAIL, OK)
        assert (whole["object-lock"], whole["ownership"], whole["other-region"]) == (UNKNOWN, UNKNOWN, UNKNOWN)
        (check,) = [check for check in checks if check.name == "versioning" and check.about.endswith("replica")]
        assert check.text == "cannot be told without the replica's versioning: unreachable"

    def test_a_replica_that_is_not_there(self) -> None:
        """No bucket is a failure, and what hangs on it is not called good."""
        seen = replace(WELL, replica=Unseen(FAIL, "not there", "NoSuchBucket", "check the ids in the site file"))
        check = found(seen, "bucket", "replica")
        assert (check.state, check.text) == (FAIL, "s3://assets-copy is not there: NoSuchBucket")

    def test_a_source_that_is_not_reached(self) -> None:
        """The replica is looked at all the same."""
        seen = replace(WELL, source=Unseen(UNKNOWN, "unreachable", "no answer"), role=None)
        assert found(seen, "versioning", "replica").state is OK
        assert found(seen, "rules").state is UNKNOWN

    @pytest.mark.parametrize(
        ("part", "names"),
        [
            ("lock", {"object-lock"}),
            ("kms_key", {"encryption", "key"}),
            ("expiries", {"lifecycle", "storage-class"}),
            ("policy", {"bucket-policy"}),
            ("region", {"region", "other-region"}),
        ],
    )
    def test_a_part_that_may_not_be_read(self, part: str, names: set[str]) -> None:
        """Promise 10: what depends on it is unknown, with the reason, and all else is judged."""
        seen = source(unread=((part, "AccessDenied: not yours"),))
        bucket, *unknown = [check for check in audit(seen) if check.state is UNKNOWN]
        assert {check.name for check in unknown} == names
        assert all("AccessDenied: not yours" in check.text for check in unknown)
        assert (bucket.name, bucket.about) == ("bucket", "assets: source")
        assert bucket.text == f"s3://assets does not tell of its {part.replace('_', ' ')}"
        assert bucket.then.startswith("allow s3:")


def test_pairs_are_told_apart() -> None:
    """A site may have several."""
    seen = replace(WELL, pair=PAIR.model_copy(update={"name": "videos"}))
    assert all(check.about.startswith("videos") for check in audit(seen))
