"""A standby on AWS is made and put back resource by resource, each as a change like any other."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from defib.clock import SystemClock
from defib.errors import Conflict, Denied, InputError, NotFound
from defib.lab.alone import RunningAws
from defib.lab.furniture import SECURITY_HEADERS
from defib.plan import Plan
from defib.ports import RecordChange, RecordKey, RecordSet
from defib.providers.standby.zone import AwsStandby
from defib.redeploy.groundwork import (
    ACCESS_CONTROL,
    BUCKET,
    DISTRIBUTION,
    HEADERS_POLICY,
    LOGGING,
    ORDER,
    POLICY,
    VENDOR,
    WEB_ACL,
    Limit,
    provisioning,
    standing,
)
from tests.providers.standby.standby_stage import Account, fresh_account, make, present, soon


class TestMaking:
    """From an empty account to one that serves, and nothing left to do."""

    def test_everything_that_is_missing_is_planned_in_order(self, account: Account) -> None:
        """What another resource names comes before it; a plan of it has a digest like any other."""
        changes = provisioning(account.standby(), account.work.bucket, soon())
        assert [each.keys[0].type for each in changes] == list(ORDER)
        assert {(each.vendor, each.zone) for each in changes} == {(VENDOR, account.work.bucket)}
        assert all(each.before == (None,) for each in changes)
        plan = Plan("aws-redeploy", account.work.site, changes)
        assert (
            plan.digest()
            == Plan("aws-redeploy", account.work.site, provisioning(account.standby(), account.work.bucket, soon())).digest()
        )

    def test_looking_makes_nothing(self, account: Account) -> None:
        """An audit and a read change nothing, also where nothing is there."""
        standby = account.standby()
        standby.audit(within=soon())
        assert standby.read(standby.keys, within=soon()) == (None,) * len(ORDER)

    def test_what_was_made_stands_as_it_was_planned(self, account: Account) -> None:
        """Every resource reads back as its change said, as whoever makes a change checks."""
        standby = account.standby()
        for change in standby.audit(within=soon()):
            standby.replace([change], within=soon())
            assert standby.read([change.key], within=soon()) == (change.after,)

    def test_second_time_there_is_nothing_to_do(self, account: Account) -> None:
        """Once the distribution's id is in the site file, an audit finds all as it must be."""
        make(account)
        account = replace(account, work=replace(account.work, distribution=account.made()))
        assert [each.key.type for each in make(account)] == [POLICY]  # it named the id that stood in the site file
        assert make(account) == ()

    def test_distribution_is_told_by_its_id(self, account: Account) -> None:
        """AWS chooses the id: until it is in the site file, the standby says which it is."""
        standby = account.standby()
        assert standby.misplaced(within=soon()) == ""
        make(account)
        assert standby.misplaced(within=soon()) == account.made()
        assert account.standby(distribution=account.made()).misplaced(within=soon()) == ""

    def test_distribution_settles_when_it_is_deployed(self, account: Account) -> None:
        """Only a distribution takes its time; whoever waits asks with the receipt."""
        standby = account.standby()
        receipts = [standby.replace([each], within=soon()) for each in standby.audit(within=soon())]
        assert [each.id for each in receipts if each.id] == [f"{DISTRIBUTION} {account.made()}"]
        limit = soon()
        while not all(standby.settled(each, within=soon()) for each in receipts):
            assert not limit.expired()
            SystemClock().sleep(timedelta(milliseconds=20))

    def test_account_without_certificate_is_told_how_to_get_one(self, aws: RunningAws) -> None:
        """C14, D14: no certificate, no distribution; the message has the command."""
        with pytest.raises(NotFound) as caught:
            fresh_account(aws, certified=False).standby().audit(within=soon())
        assert caught.value.then.startswith("aws acm request-certificate --region us-east-1")

    def test_credentials_that_are_denied_make_nothing(self, account: Account) -> None:
        """D11: who may not read makes no plan."""
        wrong = AwsStandby(account.work, replace(account.access, secret_key="wrong"))
        with pytest.raises(Denied):
            wrong.audit(within=soon())


class TestWhatIsMade:
    """The resources, as AWS tells of them past the adapter."""

    def test_bucket_is_private_versioned_and_encrypted(self, account: Account) -> None:
        """Public access blocked in all four ways, no access control lists, every version kept, encrypted."""
        make(account, BUCKET)
        s3, name = account.client("s3"), {"Bucket": account.work.bucket}
        assert set(s3.get_public_access_block(**name)["PublicAccessBlockConfiguration"].values()) == {True}
        assert s3.get_bucket_versioning(**name)["Status"] == "Enabled"
        (rule,) = s3.get_bucket_encryption(**name)["ServerSideEncryptionConfiguration"]["Rules"]
        assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
        (owner,) = s3.get_bucket_ownership_controls(**name)["OwnershipControls"]["Rules"]
        assert owner["ObjectOwnership"] == "BucketOwnerEnforced"

    def test_policy_lets_the_distribution_alone_read(self, account: Account) -> None:
        """One distribution of this account reads releases, nobody comes without TLS, and others' statements stay."""
        make(account, BUCKET)
        own = {"Sid": "Auditors", "Effect": "Allow", "Principal": "*", "Action": "s3:GetBucketPolicy", "Resource": "*"}
        s3, name = account.client("s3"), account.work.bucket
        s3.put_bucket_policy(Bucket=name, Policy=json.dumps({"Version": "2012-10-17", "Statement": [own]}))
        make(account, POLICY)
        first, *ours = json.loads(s3.get_bucket_policy(Bucket=name)["Policy"])["Statement"]
        assert first == own
        reads, lists, tls = ours
        arn = f"arn:aws:cloudfront::123456789012:distribution/{account.work.distribution}"
        assert reads["Condition"] == lists["Condition"] == {"StringEquals": {"AWS:SourceArn": arn}}
        assert (reads["Action"], reads["Resource"]) == ("s3:GetObject", f"arn:aws:s3:::{name}/releases/*")
        assert (tls["Effect"], tls["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})

    def test_distribution_serves_by_what_was_made(self, account: Account) -> None:
        """HTTP/2 and 3, TLS 1.2 or newer, every name, the certificate, signed requests, headers, limits and logs."""
        make(account)
        config, cloudfront = account.config(), account.client("cloudfront")
        assert (config["Enabled"], config["HttpVersion"]) == (True, "http2and3")
        assert sorted(config["Aliases"]["Items"]) == sorted(account.work.names)
        assert config["ViewerCertificate"]["MinimumProtocolVersion"] == "TLSv1.2_2021"
        (origin,) = config["Origins"]["Items"]
        control = cloudfront.get_origin_access_control(Id=origin["OriginAccessControlId"])["OriginAccessControl"]
        assert control["OriginAccessControlConfig"]["Name"] == account.work.bucket
        assert control["OriginAccessControlConfig"]["SigningBehavior"] == "always"
        policy = config["DefaultCacheBehavior"]["ResponseHeadersPolicyId"]
        held = cloudfront.get_response_headers_policy(Id=policy)["ResponseHeadersPolicy"]["ResponseHeadersPolicyConfig"]
        security = held["SecurityHeadersConfig"]
        assert (
            security["ContentSecurityPolicy"]["ContentSecurityPolicy"] == dict(SECURITY_HEADERS)["Content-Security-Policy"]
        )
        assert all(part["Override"] for part in security.values())
        assert security["StrictTransportSecurity"]["AccessControlMaxAgeSec"] == 31536000
        assert config["WebACLId"].startswith("arn:aws:wafv2:us-east-1:")
        assert config["Logging"]["Bucket"] == f"{account.work.logs}.s3.amazonaws.com"
        assert config["DefaultCacheBehavior"]["ViewerProtocolPolicy"] == "redirect-to-https"

    def test_limits_are_counted_in_windows_that_waf_has(self, account: Account) -> None:
        """1,000 a minute is counted by the minute; 5 a minute as 10 in two, because WAF counts no fewer."""
        make(account, WEB_ACL)
        waf = account.client("wafv2")
        (acl,) = (each for each in waf.list_web_acls(Scope="CLOUDFRONT")["WebACLs"] if each["Name"] == account.work.bucket)
        rules = waf.get_web_acl(Scope="CLOUDFRONT", Name=acl["Name"], Id=acl["Id"])["WebACL"]["Rules"]
        told = {each["Name"]: each["Statement"]["RateBasedStatement"] for each in rules}
        assert (told["defib-all"]["Limit"], told["defib-all"]["EvaluationWindowSec"]) == (1000, 60)
        assert "ScopeDownStatement" not in told["defib-all"]
        assert (told["defib-login"]["Limit"], told["defib-login"]["EvaluationWindowSec"]) == (10, 120)
        assert told["defib-login"]["ScopeDownStatement"]["ByteMatchStatement"]["PositionalConstraint"] == "STARTS_WITH"

    def test_bucket_of_logs_takes_access_control_lists_and_is_private(self, account: Account) -> None:
        """CloudFront's log delivery needs them; public access is blocked all the same."""
        make(account, LOGGING)
        s3, name = account.client("s3"), {"Bucket": account.work.logs}
        (owner,) = s3.get_bucket_ownership_controls(**name)["OwnershipControls"]["Rules"]
        assert owner["ObjectOwnership"] == "BucketOwnerPreferred"
        assert set(s3.get_public_access_block(**name)["PublicAccessBlockConfiguration"].values()) == {True}

    def test_without_logs_no_bucket_is_made_for_them(self, account: Account) -> None:
        """What the site file does not name is not made, and the distribution writes none."""
        quiet = replace(account, work=replace(account.work, logs=""))
        assert LOGGING not in [each.key.type for each in make(quiet)]
        assert quiet.config()["Logging"]["Enabled"] is False

    def test_what_nobody_asked_for_is_not_made(self, account: Account) -> None:
        """Without headers and limits there is neither policy nor web ACL, and the distribution names none."""
        plain = replace(account, work=replace(account.work, headers=(), limits=(), logs=""))
        assert [each.key.type for each in make(plain)] == [BUCKET, ACCESS_CONTROL, DISTRIBUTION, POLICY]
        assert plain.config()["WebACLId"] == ""
        assert plain.config()["DefaultCacheBehavior"].get("ResponseHeadersPolicyId", "") == ""


class TestPuttingBack:
    """Whatever was made is taken away again, or said to be in use."""

    def test_all_of_it_is_taken_away_in_reverse(self, account: Account) -> None:
        """An undone run leaves nothing but a disabled distribution without names, which counts as absent."""
        made = make(account)
        standby = account.standby()
        for change in reversed(made):
            standby.replace([change.reversed()], within=soon())
            assert standby.read([change.key], within=soon()) == (None,)
        assert (account.config()["Enabled"], account.config()["Aliases"]["Quantity"]) == (False, 0)
        names = [each["Name"] for each in account.client("s3").list_buckets()["Buckets"]]
        assert account.work.bucket not in names

    def test_distribution_that_was_taken_back_is_used_again(self, account: Account) -> None:
        """The next making takes the same distribution into use: no second one is left behind."""
        made = make(account)
        first = account.made()
        standby = account.standby()
        for change in reversed(made):
            standby.replace([change.reversed()], within=soon())
        make(account)
        assert account.made() == first
        assert account.config()["Enabled"] is True

    def test_bucket_with_something_in_it_stays(self, account: Account) -> None:
        """What was uploaded since is never deleted by an undo: it says so, and changes nothing."""
        (change,) = make(account, BUCKET)
        account.client("s3").put_object(Bucket=account.work.bucket, Key="releases/x", Body=b"x")
        with pytest.raises(Conflict) as caught:
            account.standby().replace([change.reversed()], within=soon())
        assert "BucketNotEmpty" in caught.value.seen
        assert present(account, BUCKET) == change.after

    def test_headers_policy_in_use_stays(self, account: Account) -> None:
        """What a distribution names is not taken from under it."""
        made = {each.key.type: each for each in make(account)}
        with pytest.raises(Conflict) as caught:
            account.standby().replace([made[HEADERS_POLICY].reversed()], within=soon())
        assert "ResponseHeadersPolicyInUse" in caught.value.seen


class TestComparing:
    """Nothing is changed that is not as the plan says."""

    @pytest.mark.parametrize("kind", [BUCKET, ACCESS_CONTROL, HEADERS_POLICY, WEB_ACL, DISTRIBUTION, POLICY])
    def test_what_was_made_meanwhile_conflicts(self, account: Account, kind: str) -> None:
        """D1: a plan to make what somebody has made since is refused, and what they made stays."""
        (change,) = [each for each in account.standby().audit(within=soon()) if each.key.type == kind]
        make(account)
        stands = present(account, kind)
        stale = RecordChange(None, standing(change.key, '{"other":true}'))
        with pytest.raises(Conflict):
            account.standby().replace([stale], within=soon())
        assert present(account, kind) == stands

    def test_change_to_what_stands_writes_nothing(self, account: Account) -> None:
        """D2: already as wanted costs reads."""
        (change,) = make(account, BUCKET)
        assert account.standby().replace([RecordChange(change.after, change.after)], within=soon()).id == ""

    def test_name_that_others_hold_conflicts(self, account: Account) -> None:
        """C14: CloudFront's refusal is a conflict in its own words; nothing of the distribution is left."""
        make(account, *[kind for kind in ORDER if kind not in (DISTRIBUTION, POLICY)])
        other = replace(account, work=replace(account.work, site="another"))
        make(other, DISTRIBUTION)
        with pytest.raises(Conflict) as caught:
            make(account, DISTRIBUTION)
        assert "CNAMEAlreadyExists" in caught.value.seen
        assert present(account, DISTRIBUTION) is None

    def test_one_resource_at_a_time(self, account: Account) -> None:
        """AWS has nothing that changes two together, and no record sets here."""
        first, second, *_ = account.standby().audit(within=soon())
        address = RecordSet(RecordKey("www.test.", "A"), timedelta(0), ("192.0.2.1",))
        for batch in ([first, second], [RecordChange(None, address)]):
            with pytest.raises(NotFound):
                account.standby().replace(batch, within=soon())
        assert account.standby().replace([], within=soon()).id == ""


def test_header_that_cloudfront_has_no_words_for_is_refused(account: Account) -> None:
    """A value that would be served otherwise than the site file says is refused before anything is made."""
    standby = account.standby(headers=(("X-Frame-Options", "ALLOW-FROM https://example.org"),))
    with pytest.raises(InputError) as caught:
        standby.audit(within=soon())
    assert caught.value.expected == "DENY or SAMEORIGIN"


@pytest.mark.parametrize(
    ("asked", "window"), [(1000, (1000, 60)), (10, (10, 60)), (5, (10, 120)), (3, (15, 300)), (1, (10, 600))]
)
def test_limits_become_windows(asked: int, window: tuple[int, int]) -> None:
    """The shortest window in which WAF counts at least ten."""
    limit = Limit.per_minute("/", asked)
    assert (limit.requests, limit.seconds) == window
