"""What KMS must allow besides, where a bucket is encrypted with a key of one's own.

S3 asks KMS in the name of who reads and writes: Decrypt to read, GenerateDataKey to write, and Decrypt to write in parts
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html). No call of Defib's own does, and a site
file does not name the keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from defib.errors import InputError
from defib.privilege.permission import Condition, Permission

_KEY = re.compile(r"arn:[\w-]+:kms:(?P<region>[a-z0-9-]+):\d{12}:key/[\w-]+")
_READING = frozenset({"s3:GetObject", "s3:GetObjectVersion"})
_WRITING = frozenset({"s3:PutObject"})
_WHY = "S3 asks for it in the name of who reads or writes what the key encrypts"


def through_s3(permissions: Sequence[Permission], keys: Sequence[str]) -> Iterator[Permission]:
    """For what `permissions` read or write, and through S3 alone; :class:`InputError` for what is no key's ARN."""
    for key in keys:
        match = _KEY.fullmatch(key)
        if match is None:
            raise InputError("no ARN of a KMS key", expected="arn:aws:kms:REGION:ACCOUNT:key/ID", seen=key)
        for acts in (False, True):
            asking = [each for each in permissions if each.acts is acts]
            yield from _of(key, match["region"], acts, _objects(asking, _READING), ("kms:Decrypt",))
            yield from _of(key, match["region"], acts, _objects(asking, _WRITING), ("kms:Decrypt", "kms:GenerateDataKey"))


def _objects(permissions: Sequence[Permission], actions: frozenset[str]) -> tuple[str, ...]:
    """What is encrypted for: an object, or its whole bucket where that has one key for all."""
    found = {resource for each in permissions if actions & set(each.actions) for resource in each.resources}
    return tuple(sorted({*found, *(resource.partition("/")[0] for resource in found)}))


def _of(key: str, region: str, acts: bool, objects: tuple[str, ...], actions: tuple[str, ...]) -> Iterator[Permission]:
    if objects:
        conditions = (
            Condition("StringEquals", "kms:ViaService", (f"s3.{region}.amazonaws.com",)),
            Condition("StringLike", "kms:EncryptionContext:aws:s3:arn", objects),
        )
        yield Permission(actions, (key,), acts, conditions, _WHY)
