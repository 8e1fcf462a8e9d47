"""Credentials for obstore: those of the site file, else what boto3 finds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from defib.clock import SystemClock
from defib.errors import Denied

if TYPE_CHECKING:
    from obstore.store import S3Credential

    from defib.providers.aws import AwsAccess

_ASK_AGAIN = timedelta(minutes=5)
"""After this long boto3 is asked again: it renews by itself what expires, and gives what it has otherwise."""


def credentials(access: AwsAccess, where: str) -> Callable[[], S3Credential]:
    """Gives the keys; :class:`Denied` where there are none. No session token of the environment goes with keys given."""
    if access.access_key:
        given: S3Credential = {
            "access_key_id": access.access_key,
            "secret_access_key": access.secret_key,
            "token": None,
            "expires_at": None,
        }
        return lambda: given
    return _found(access, where)


def _found(access: AwsAccess, where: str) -> Callable[[], S3Credential]:
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415 - takes a while to load, and keys do without

    clock = SystemClock()
    then = "set aws.access_key and aws.secret_key in the site file, or log in with the AWS CLI"
    try:
        found = access.session().get_credentials()
        if found is not None:
            found.get_frozen_credentials()
    except BotoCoreError as error:
        raise Denied("S3: no usable credentials", where=where, seen=str(error)[:300], then=then) from error
    if found is None:
        raise Denied("S3: no usable credentials", where=where, expected="a key", seen="none", then=then)

    def ask() -> S3Credential:
        keys = found.get_frozen_credentials()
        return {
            "access_key_id": keys.access_key or "",
            "secret_access_key": keys.secret_key or "",
            "token": keys.token,
            "expires_at": clock.now() + _ASK_AGAIN,
        }

    return ask
