"""Secret references turned into their values, at the last moment and nowhere else.

::

    env:NAME            an environment variable
    file:PATH           a file, relative to $DEFIB_HOME, without its last line break
    aws-secret:ID       a secret of AWS Secrets Manager, by name or ARN, by boto3's default chain of credentials
    aws-secret:ID#KEY   one string of a secret that is a JSON object
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from defib.errors import SecretMissing
from defib.privilege.permission import ACCOUNT, Permission

_AWS_TIMEOUT_SECONDS = 5.0


def resolve(reference: str, home: Path) -> str:
    """The value that `reference` leads to; :class:`SecretMissing` where there is none.

    No message ever holds a value. Idempotent; a value that changes is seen by the next call.
    """
    scheme, _, rest = reference.partition(":")
    if scheme == "env":
        return _from_environment(rest, reference)
    if scheme == "file":
        return _from_file(home / rest, reference)
    if scheme == "aws-secret":
        return _from_aws(rest, reference)
    # What stands there may be the secret itself: it is not repeated.
    raise SecretMissing(
        "not a secret reference", expected="env:NAME, file:PATH or aws-secret:ID", then="correct the site file"
    )


def _from_environment(name: str, reference: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise SecretMissing(
            "an environment variable is not set",
            where=reference,
            expected=f"a value in {name}",
            seen="an empty one" if name in os.environ else "none",
            then=f"export {name}=…",
        )
    return value


def _from_file(path: Path, reference: str) -> str:
    try:
        value = path.read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
    except (OSError, UnicodeDecodeError) as error:
        # The text of a UnicodeDecodeError holds a piece of the file.
        seen = (error.strerror or "") if isinstance(error, OSError) else "bytes that are not UTF-8"
        raise _no_file(path, reference, seen) from None
    if not value:
        raise _no_file(path, reference, "an empty file")
    return value


def _no_file(path: Path, reference: str, seen: str) -> SecretMissing:
    return SecretMissing(
        "a secret's file cannot be used",
        where=reference,
        expected=f"the secret in {path}",
        seen=seen,
        then="write it there, readable by you alone (`defib lab up` writes those of the lab)",
    )


def _from_aws(rest: str, reference: str) -> str:
    secret_id, _, key = rest.partition("#")
    text = _ask_aws(secret_id, reference)
    if not key:
        return text
    try:
        value: object = json.loads(text)[key]
    except (ValueError, KeyError, TypeError):
        value = None  # the cause is not kept: it may hold the secret
    if not isinstance(value, str) or not value:
        raise SecretMissing(
            "a secret has no such part", where=reference, expected=f"a JSON object with a string under {key!r}"
        )
    return value


def permission(reference: str) -> Permission | None:
    """Reading one secret at AWS Secrets Manager, whose ARN ends with six characters of AWS's own; None for any other."""
    kind, _, rest = reference.partition(":")
    if kind != "aws-secret":
        return None
    secret_id = rest.partition("#")[0]
    place = f"arn:aws:secretsmanager:*:{ACCOUNT}:secret:{secret_id}-??????"
    return Permission(("secretsmanager:GetSecretValue",), (secret_id if secret_id.startswith("arn:") else place,))


def _ask_aws(secret_id: str, reference: str) -> str:
    # Imported here because boto3 takes long to load and most sites keep their secrets elsewhere.
    import boto3  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    parts = secret_id.split(":")
    region = parts[3] if parts[0] == "arn" and len(parts) > 3 else None  # noqa: PLR2004 - arn:aws:service:region:…
    config = Config(connect_timeout=_AWS_TIMEOUT_SECONDS, read_timeout=_AWS_TIMEOUT_SECONDS)
    try:
        client = boto3.Session(region_name=region).client("secretsmanager", config=config)
        text: str = client.get_secret_value(SecretId=secret_id).get("SecretString", "")
    except (BotoCoreError, ClientError) as error:
        raise SecretMissing(
            "AWS Secrets Manager does not give the secret",
            where=reference,
            seen=str(error),
            then="check the id, the region and the permission secretsmanager:GetSecretValue",
        ) from error
    if not text:
        raise SecretMissing("a secret holds no text", where=reference, expected="a SecretString")
    return text
