"""A standby on AWS that was changed meanwhile, or stands in front of a host, is audited and put right."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from defib.errors import NotFound
from defib.lab.alone import RunningAws
from defib.lab.furniture import HEADERS_POLICY as CDN_POLICY
from defib.lab.furniture import distribution_config
from defib.ports import RecordChange
from defib.redeploy.groundwork import (
    ACCESS_CONTROL,
    BUCKET,
    DISTRIBUTION,
    HEADERS_POLICY,
    POLICY,
    WEB_ACL,
    BucketFacts,
    read_facts,
)
from tests.providers.standby.standby_stage import Account, fresh_account, issue, make, present, soon, text


class TestPuttingRight:
    """What somebody changed is found, put right, and put back as it was."""

    def drift(self, account: Account) -> dict[str, RecordChange]:
        """Every change that an audit wants now, by type."""
        return {each.key.type: each for each in account.standby(distribution=account.made()).audit(within=soon())}

    @pytest.fixture
    def made(self, account: Account) -> Account:
        """A standby that is all right."""
        make(account)
        settled = replace(account, work=replace(account.work, distribution=account.made()))
        make(settled)
        return settled

    def back_and_forth(self, account: Account, kind: str) -> None:
        """Put right, and put back: each leaves what its change says, and the undo what was there."""
        (change,) = self.drift(account).values()
        assert change.key.type == kind
        standby = account.standby()
        standby.replace([change], within=soon())
        assert self.drift(account) == {}
        standby.replace([change.reversed()], within=soon())
        assert present(account, kind) == change.before

    def test_bucket_that_was_opened(self, made: Account) -> None:
        """Half-blocked public access and suspended versions are found, put right, and put back exactly."""
        s3, name = made.client("s3"), {"Bucket": made.work.bucket}
        half = {
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": False,
            "RestrictPublicBuckets": False,
        }
        s3.put_public_access_block(**name, PublicAccessBlockConfiguration=half)
        s3.put_bucket_versioning(**name, VersioningConfiguration={"Status": "Suspended"})
        self.back_and_forth(made, BUCKET)
        assert s3.get_public_access_block(**name)["PublicAccessBlockConfiguration"] == half

    def test_key_of_ones_own_stays(self, made: Account) -> None:
        """An encryption by a customer's key is no finding."""
        rule = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "arn:aws:kms:us-east-1:123456789012:key/k"}
        made.client("s3").put_bucket_encryption(
            Bucket=made.work.bucket,
            ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": rule}]},
        )
        assert self.drift(made) == {}
        assert read_facts(BucketFacts, json.dumps(text(present(made, BUCKET)))).encryption.startswith("aws:kms arn:")

    def test_policy_that_was_widened(self, made: Account) -> None:
        """A statement of ours that somebody edited is found; their own are not."""
        s3 = made.client("s3")
        policy = json.loads(s3.get_bucket_policy(Bucket=made.work.bucket)["Policy"])
        policy["Statement"][0]["Resource"] = "*"
        s3.put_bucket_policy(Bucket=made.work.bucket, Policy=json.dumps(policy))
        self.back_and_forth(made, POLICY)

    def test_requests_that_are_not_signed(self, made: Account) -> None:
        """An access control that was switched off would make every request anonymous."""
        cloudfront = made.client("cloudfront")
        control = made.config()["Origins"]["Items"][0]["OriginAccessControlId"]
        held = cloudfront.get_origin_access_control(Id=control)
        config = {**held["OriginAccessControl"]["OriginAccessControlConfig"], "SigningBehavior": "never"}
        cloudfront.update_origin_access_control(Id=control, IfMatch=held["ETag"], OriginAccessControlConfig=config)
        self.back_and_forth(made, ACCESS_CONTROL)

    def test_header_that_gives_way_to_the_bucket(self, made: Account) -> None:
        """A header that no longer overrides, and one that nobody asked for, are found; what else the policy does stays."""
        cloudfront = made.client("cloudfront")
        policy = made.config()["DefaultCacheBehavior"]["ResponseHeadersPolicyId"]
        held = cloudfront.get_response_headers_policy(Id=policy)
        config = held["ResponseHeadersPolicy"]["ResponseHeadersPolicyConfig"]
        config["SecurityHeadersConfig"]["FrameOptions"]["Override"] = False
        config["CustomHeadersConfig"] = {
            "Quantity": 1,
            "Items": [{"Header": "X-Debug", "Value": "on", "Override": True}],
        }
        config["ServerTimingHeadersConfig"] = {"Enabled": True, "SamplingRate": 5.0}
        cloudfront.update_response_headers_policy(Id=policy, IfMatch=held["ETag"], ResponseHeadersPolicyConfig=config)
        self.back_and_forth(made, HEADERS_POLICY)
        after = cloudfront.get_response_headers_policy(Id=policy)["ResponseHeadersPolicy"]["ResponseHeadersPolicyConfig"]
        assert after == config

    def test_limit_that_only_counts(self, made: Account) -> None:
        """A rule of ours that no longer blocks is found; rules of others stay before ours, with what else the ACL does."""
        waf = made.client("wafv2")
        scope = {"Scope": "CLOUDFRONT", "Name": made.work.bucket}
        acl_id = made.config()["WebACLId"].rpartition("/")[2]
        held = waf.get_web_acl(**scope, Id=acl_id)
        acl = held["WebACL"]
        theirs = {**acl["Rules"][0], "Name": "theirs", "Priority": 7}
        rules = [theirs, {**acl["Rules"][0], "Action": {"Count": {}}}, acl["Rules"][1]]
        waf.update_web_acl(
            **scope,
            Id=acl_id,
            LockToken=held["LockToken"],
            DefaultAction=acl["DefaultAction"],
            VisibilityConfig=acl["VisibilityConfig"],
            Rules=rules,
        )
        self.back_and_forth(made, WEB_ACL)
        named = [each["Name"] for each in waf.get_web_acl(**scope, Id=acl_id)["WebACL"]["Rules"]]
        assert named == ["theirs", "defib-all", "defib-login"]

    def test_distribution_that_was_weakened(self, made: Account) -> None:
        """Old TLS, HTTP without redirect and lost limits are found; names and a pointer of others' are left alone."""
        cloudfront = made.client("cloudfront")
        held = cloudfront.get_distribution_config(Id=made.work.distribution)
        config = held["DistributionConfig"]
        config["ViewerCertificate"]["MinimumProtocolVersion"] = "TLSv1"
        config["DefaultCacheBehavior"]["ViewerProtocolPolicy"] = "allow-all"
        config["WebACLId"] = ""
        config["Origins"]["Items"][0]["OriginPath"] = "/releases/" + "a" * 40
        config["Comment"] = "somebody's words"
        cloudfront.update_distribution(Id=made.work.distribution, IfMatch=held["ETag"], DistributionConfig=config)
        self.back_and_forth_by_id(made)

    def back_and_forth_by_id(self, made: Account) -> None:
        """The same for a distribution, which is found by its id whatever its comment says."""
        standby = made.standby()
        (change,) = standby.audit(within=soon())
        assert change.key.type == DISTRIBUTION
        standby.replace([change], within=soon())
        assert standby.audit(within=soon()) == ()
        config = made.client("cloudfront").get_distribution_config(Id=made.work.distribution)["DistributionConfig"]
        assert config["Origins"]["Items"][0]["OriginPath"] == "/releases/" + "a" * 40
        assert config["Comment"] == "somebody's words"
        standby.replace([change.reversed()], within=soon())
        assert standby.read([change.key], within=soon()) == (change.before,)

    def test_certificate_that_does_not_cover_every_name(self, made: Account) -> None:
        """D14: where another was imported in its place, the one in ACM that covers every name is taken."""
        used = made.config()["ViewerCertificate"]["ACMCertificateArn"]
        issue(made, made.work.names[0], instead_of=used)
        better = issue(made, *made.work.names)
        change = self.drift(made)[DISTRIBUTION]
        assert (text(change.before)["certificate"], text(change.after)["certificate"]) == (used, better)
        made.standby().replace([change], within=soon())
        assert made.config()["ViewerCertificate"]["ACMCertificateArn"] == better


class TestInFrontOfAHost:
    """A distribution that is the site's CDN as well: the bucket is an origin beside the host, which users go on getting."""

    @pytest.fixture
    def cdn(self, aws: RunningAws) -> Account:
        """A CDN with a policy of its own name that gives the site's headers, in front of a host, with no web ACL."""
        account = fresh_account(aws)
        names = list(account.work.names)
        distribution = f"ECDN{account.work.distribution[-6:]}"
        arn = issue(account, *names)
        config: Any = {
            **distribution_config(names),
            "CallerReference": distribution,
            "ViewerCertificate": {"ACMCertificateArn": arn, "MinimumProtocolVersion": "TLSv1.2_2021"},
        }

        async def add() -> None:
            aws.aws.cloudfront.add_distribution(distribution, f"{distribution.lower()}.cloudfront.net", config)

        aws.loop.run(add())
        return replace(account, work=replace(account.work, distribution=distribution, logs="", shared=True))

    def held(self, cdn: Account) -> Any:
        """Its configuration."""
        return cdn.client("cloudfront").get_distribution_config(Id=cdn.work.distribution)["DistributionConfig"]

    def test_bucket_becomes_an_origin_beside_the_host(self, cdn: Account) -> None:
        """Users go on getting the host; nothing else of the CDN is changed, and nothing is left to do."""
        made = make(cdn)
        assert [each.key.type for each in made] == [BUCKET, ACCESS_CONTROL, DISTRIBUTION, POLICY]
        before, now = text(made[2].before), text(made[2].after)
        assert {name for name, value in now.items() if before[name] != value} == {"bucket", "access_control"}
        after = self.held(cdn)
        host, bucket = after["Origins"]["Items"]
        assert (host["Id"], after["DefaultCacheBehavior"]["TargetOriginId"]) == ("vercel", "vercel")
        assert (bucket["DomainName"], bucket["OriginPath"]) == (f"{cdn.work.bucket}.s3.us-east-1.amazonaws.com", "")
        assert after["DefaultCacheBehavior"]["ResponseHeadersPolicyId"] == CDN_POLICY
        assert make(cdn) == ()

    def test_undo_leaves_the_cdn_as_it_was(self, cdn: Account) -> None:
        """All of it is taken away in reverse, and the distribution has the origin that it had."""
        before = self.held(cdn)
        made = make(cdn)
        for change in reversed(made):
            cdn.standby().replace([change.reversed()], within=soon())
        after = self.held(cdn)
        for config in (before, after):
            config.pop("Logging")  # off, in two spellings
            config["Aliases"]["Items"].sort()
        assert before == after

    def test_cdn_that_is_not_there_is_not_made(self, cdn: Account) -> None:
        """A CDN's distribution is somebody's work: an id that leads nowhere is a matter of configuration."""
        with pytest.raises(NotFound) as caught:
            cdn.standby(distribution="EGONE").audit(within=soon())
        assert "EGONE" in caught.value.where

    def test_policy_that_gives_other_headers_is_put_right_in_its_place(self, cdn: Account) -> None:
        """Where the distribution is the standby's own: what it has is looked at, not what would have the bucket's name."""
        cdn = replace(cdn, work=replace(cdn.work, shared=False))
        make(cdn)
        strict = replace(cdn, work=replace(cdn.work, headers=(*cdn.work.headers, ("Permissions-Policy", "camera=()"))))
        (change,) = strict.standby().audit(within=soon())
        assert (change.key.type, change.before is None) == (HEADERS_POLICY, False)
        strict.standby().replace([change], within=soon())
        assert strict.standby().audit(within=soon()) == ()
        strict.standby().replace([change.reversed()], within=soon())
        assert cdn.standby().audit(within=soon()) == ()
