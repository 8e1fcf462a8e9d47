"""The secret in the addresses that alarms come to: who knows it is believed."""

from __future__ import annotations

import re
import secrets
from contextlib import suppress

from defib.errors import SecretMissing
from defib.home import Home
from defib.providers.secret import resolve
from defib.wholefile import PRIVATE, put_once

OWN_SECRET = "file:webhook-secret"  # noqa: S105 - where it is, not what it is
"""In the home folder; made when it is first needed."""

_FIT = re.compile(r"[A-Za-z0-9_-]{20,}")


def secret_of_addresses(home: Home, reference: str) -> str:
    """What `reference` leads to; our own is made where it is not there yet.

    :class:`SecretMissing` where there is none, or what cannot stand in an address.
    """
    if reference == OWN_SECRET:
        path = home.path / OWN_SECRET.partition(":")[2]
        with suppress(FileExistsError):
            put_once(path, f"{secrets.token_urlsafe(32)}\n".encode(), "the secret of the addresses", mode=PRIVATE)
    value = resolve(reference, home.path)
    if not _FIT.fullmatch(value):
        raise SecretMissing(
            "this is no secret for an address",
            where=reference,
            expected="20 letters, digits, - and _ or more",
            seen=f"{len(value)} characters",
            then="python3 -c 'import secrets; print(secrets.token_urlsafe(32))'",
        )
    return value
