"""Whether S3 has leave to replicate: the role, who may take it on, what it may do, and the keys it needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from defib.ready.check import Check, State
from defib.replication import remedies
from defib.replication.authority import BATCH, REPLICATION, Key, Lack, Need, Role, account_of, partition_of
from defib.replication.coverage import effective
from defib.replication.evidence import Evidence
from defib.replication.needs import keys_at_replica, keys_at_source, needs
from defib.replication.policy import Request, Verdict, judge, names_of_role
from defib.replication.rules import BucketSettings, Rule

_ASSUME = "sts:AssumeRole"


def role(seen: Evidence, source: BucketSettings) -> Iterator[Check]:
    """S10: the role is there, S3 may take it on, and its policies let it replicate."""
    if not source.role:
        return
    about, found = seen.pair.name, seen.role or Role(source.role, None, why="IAM was not asked")
    if found.there is False:
        text = f"there is no {found.arn}: everything fails to be replicated"
        yield Check("role", about, State.FAIL, text, remedies.make_role(found.arn))
    elif found.there is None:
        yield Check("role", about, State.UNKNOWN, f"whether there is {found.arn} cannot be told: {found.why}")
    else:
        yield Check("role", about, State.OK, f"{found.arn} is there")
        yield from _trusted(seen, found)
        yield from _permitted(seen, found)


def policy_of_source(seen: Evidence, source: BucketSettings) -> Iterator[Check]:
    """Whether the source's own policy keeps the role out."""
    if source.role:
        wanted = needs(seen.pair, source, None, {})
        yield _let_through(seen, "source", seen.pair.source.bucket, source, source.role, wanted, at_home=True)


def policy_of_replica(seen: Evidence, source: BucketSettings, replica: BucketSettings) -> Iterator[Check]:
    """Whether the replica's policy keeps the role out; in another account it must let it in.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-walkthrough-2.html
    """
    if source.role:
        accounts = {rule.account for rule in effective(seen.pair, source) if rule.account}
        wanted = needs(seen.pair, source, replica, {})
        home = accounts <= {account_of(source.role)}
        yield _let_through(seen, "replica", seen.pair.replica.bucket, replica, source.role, wanted, at_home=home)


def encryption(seen: Evidence, source: BucketSettings) -> Iterator[Check]:
    """Whether what is encrypted with a key of KMS is replicated: a rule has to say so, and with which key.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-config-for-kms-objects.html
    """
    rules, name = effective(seen.pair, source), seen.pair.name
    without = [rule for rule in rules if source.kms_key and not rule.kms]
    keyless = [rule for rule in rules if rule.kms and not rule.kms_key]
    elsewhere = [rule for rule in rules if rule.kms and _region(rule) not in ("", seen.pair.replica.aws.region)]
    wrong = (
        (without, "leaves out what is encrypted with a key of KMS, as the source does", "SseKmsEncryptedObjects to Enabled"),
        (keyless, "names no key for the replica", "EncryptionConfiguration to a key of the replica's region"),
        (elsewhere, "names a key of another region than the replica's", "ReplicaKmsKeyID to a key of the replica's region"),
    )
    for those, text, then in wrong:
        if those:
            named = ", ".join(rule.id for rule in those)
            at = seen.pair.source
            how = remedies.edit_rules(at.bucket, at.aws.region, f"set {then} in {named}")
            yield Check("encryption", name, State.FAIL, f"rule {named} {text}", how)
    if rules and not any(those for those, _, _ in wrong):
        text = (
            f"by {source.kms_key}, which the rules allow for"
            if source.kms_key
            else "by keys of S3's own, which need no leave"
        )
        yield Check("encryption", name, State.OK, text)


def keys(seen: Evidence, source: BucketSettings) -> Iterator[Check]:
    """S10: whether the keys can be used; one that is disabled lets nothing be read or written with it."""
    for side, names, region in (
        ("source", keys_at_source(seen.pair, source), seen.pair.source.aws.region),
        ("replica", keys_at_replica(seen.pair, source), seen.pair.replica.aws.region),
    ):
        for name in names:
            yield _key(f"{seen.pair.name}: {side}", seen.keys.get(name, Key(name, None, "not asked")), region)


def _key(about: str, key: Key, region: str) -> Check:
    if key.usable is None:
        return Check("key", about, State.UNKNOWN, f"whether {key.id} can be used cannot be told: {key.state}")
    if key.usable:
        return Check("key", about, State.OK, f"{key.id} is {key.state}")
    text = f"{key.id} is {key.state}: what is encrypted with it fails to be replicated"
    return Check("key", about, State.FAIL, text, remedies.enable_key(key.id, region, key.state))


def _trusted(seen: Evidence, found: Role) -> Iterator[Check]:
    """The conditions are those that AWS recommends against confused deputies.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
    """
    partition, account = partition_of(found.arn), account_of(found.arn)
    context = ("aws:SourceAccount", account), ("aws:SourceArn", f"arn:{partition}:s3:::{seen.pair.source.bucket}")
    verdict = judge(found.trust, Request("Service", (REPLICATION,), _ASSUME, context=context))
    yield _trust(seen, found, verdict, REPLICATION, State.FAIL, "everything fails to be replicated")
    if seen.pair.account and not seen.pair.batch_role:
        # The ARN is that of a job, which is not known before there is one.
        verdict = judge(found.trust, Request("Service", (BATCH,), _ASSUME, context=context[:1]))
        lost = "S3 Batch Replication cannot copy what was never covered"
        yield _trust(seen, found, verdict, BATCH, State.WARN, lost)


def _trust(seen: Evidence, found: Role, verdict: Verdict, service: str, otherwise: State, lost: str) -> Check:
    about = f"{seen.pair.name}: {service}"
    if verdict is Verdict.ALLOWED:
        return Check("role-trust", about, State.OK, "may take on the role")
    if verdict is Verdict.UNSURE:
        return Check("role-trust", about, State.UNKNOWN, "may take on the role under conditions that cannot be told to hold")
    return Check("role-trust", about, otherwise, f"may not take on the role: {lost}", remedies.trust(found.arn))


def _permitted(seen: Evidence, found: Role) -> Iterator[Check]:
    about, then = seen.pair.name, remedies.permit(found.arn)
    needed = [lack for lack in found.denied if not lack.need.without]
    if needed:
        text = f"it lacks {_listed(needed)}: what they are for fails to be replicated"
        yield Check("role-permissions", about, State.FAIL, text, then)
    for lost in dict.fromkeys(lack.need.without for lack in found.denied if lack.need.without):
        those = [lack for lack in found.denied if lack.need.without == lost]
        yield Check("role-permissions", about, State.WARN, f"it lacks {_listed(those)}: {lost}", then)
    if found.unsure:
        why = found.why or "it depends on conditions"
        yield Check("role-permissions", about, State.UNKNOWN, f"cannot be told for {_listed(found.unsure)}: {why}")
    if not found.denied and not found.unsure:
        yield Check("role-permissions", about, State.OK, "its policies allow all that its rules need")


def _let_through(
    seen: Evidence, side: str, bucket: str, settings: BucketSettings, arn: str, wanted: Sequence[Need], *, at_home: bool
) -> Check:
    """What a policy does not mention is allowed to the roles of the bucket's own account by their own policies."""
    about = f"{seen.pair.name}: {side}"
    told = {each: judge(settings.policy, each) for each in _requests(arn, bucket, wanted)}
    denied = _actions(told, Verdict.DENIED)
    if denied:
        how = remedies.edit_policy(bucket, settings.region, f"except {arn} from what is denied")
        return Check("bucket-policy", about, State.FAIL, f"it turns the role away from {denied}", how)
    unsure = _actions(told, Verdict.UNSURE)
    if unsure:
        return Check("bucket-policy", about, State.UNKNOWN, f"it depends on conditions that cannot be told for {unsure}")
    unmentioned = _actions(told, Verdict.UNMENTIONED)
    if unmentioned and not at_home:
        how = remedies.edit_policy(bucket, settings.region, f"allow it to {arn}")
        text = f"the role is of another account, which it does not allow {unmentioned}"
        return Check("bucket-policy", about, State.FAIL, text, how)
    return Check("bucket-policy", about, State.OK, "it does not keep the role out")


def _requests(arn: str, bucket: str, wanted: Sequence[Need]) -> Iterator[Request]:
    """What the role asks of a bucket and of what is in it."""
    context = (("aws:PrincipalArn", arn), ("aws:PrincipalAccount", account_of(arn)), ("aws:SecureTransport", "true"))
    for need in wanted:
        if need.resource.rpartition(":::")[2].partition("/")[0] == bucket and not need.without:
            for action in need.actions:
                yield Request("AWS", names_of_role(arn), action, need.resource, context)


def _actions(told: Mapping[Request, Verdict], verdict: Verdict) -> str:
    return ", ".join(dict.fromkeys(request.action for request, each in told.items() if each is verdict))


def _region(rule: Rule) -> str:
    """The region of a key's ARN; "" where it is told by its id or alias."""
    return rule.kms_key.split(":")[3] if rule.kms_key.startswith("arn:") else ""


def _listed(lacks: Sequence[Lack]) -> str:
    return ", ".join(str(lack) for lack in lacks)
