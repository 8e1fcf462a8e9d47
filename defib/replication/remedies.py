"""What a person types to put a configuration right; one line each, to be read before it is run."""

from __future__ import annotations


def keep_versions(bucket: str, region: str) -> str:
    """Turn versioning on."""
    on = "Status=Enabled"
    return f"aws s3api put-bucket-versioning --bucket {bucket} --region {region} --versioning-configuration {on}"


def edit_rules(bucket: str, region: str, how: str) -> str:
    """Change the replication configuration, which S3 takes as a whole only."""
    return _edited(bucket, region, "bucket-replication", "ReplicationConfiguration", "replication-configuration", how)


def edit_lifecycle(bucket: str, region: str, how: str) -> str:
    """Change the lifecycle, which S3 takes as a whole only."""
    name = "bucket-lifecycle-configuration"
    at = f"--bucket {bucket} --region {region}"
    return (
        f"aws s3api get-{name} {at} > lifecycle.json; {how}; aws s3api put-{name} {at} "
        "--lifecycle-configuration file://lifecycle.json"
    )


def edit_policy(bucket: str, region: str, how: str) -> str:
    """Change the policy of a bucket."""
    return _edited(bucket, region, "bucket-policy", "Policy", "policy", how, " --output text")


def lock(bucket: str, region: str) -> str:
    """Turn Object Lock on, which cannot be turned off again."""
    on = "ObjectLockEnabled=Enabled"
    return f"aws s3api put-object-lock-configuration --bucket {bucket} --region {region} --object-lock-configuration {on}"


def own(bucket: str, region: str) -> str:
    """Let the bucket's owner own all that is in it."""
    controls = "'Rules=[{ObjectOwnership=BucketOwnerEnforced}]'"
    return f"aws s3api put-bucket-ownership-controls --bucket {bucket} --region {region} --ownership-controls {controls}"


def trust(role: str) -> str:
    """Let S3 take on a role."""
    return f"aws iam update-assume-role-policy --role-name {_name(role)} --policy-document file://trust.json"


def make_role(role: str) -> str:
    """Make a role that is gone."""
    return f"aws iam create-role --role-name {_name(role)} --assume-role-policy-document file://trust.json, then its policy"


def permit(role: str) -> str:
    """Give a role what it lacks."""
    return (
        f"aws iam put-role-policy --role-name {_name(role)} --policy-name replication --policy-document file://policy.json"
    )


def enable_key(key: str, region: str, state: str) -> str:
    """Make a key usable again: one that waits for its deletion comes back disabled."""
    at = f"--key-id {key} --region {region}"
    spare = f"aws kms cancel-key-deletion {at}; " if "Deletion" in state else ""
    return f"{spare}aws kms enable-key {at}"


def _edited(bucket: str, region: str, name: str, query: str, option: str, how: str, output: str = "") -> str:
    at, file = f"--bucket {bucket} --region {region}", f"{name}.json"
    return f"aws s3api get-{name} {at} --query {query}{output} > {file}; {how}; aws s3api put-{name} {at} --{option} file://{file}"


def _name(role: str) -> str:
    """What IAM calls a role: the last part of its ARN, without the path."""
    return role.rpartition("/")[2]
