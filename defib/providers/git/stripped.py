"""What is left of a value of a repository's settings once it can give nobody access."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from urllib.parse import urlsplit

from defib.redact import MARK

_LIKE_A_TOKEN = re.compile(r"(?=.*\d)[^/]{8,}|[^/]{20,}")
"""A part of a path that may be the secret itself, as in the webhooks of chats."""


def bare_url(url: str) -> str:
    """`url` without user, password, query and fragment; parts of its path that look like tokens are marked.

    Two webhooks that differ in these alone look the same afterwards.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return MARK  # nobody knows what stands where in it
    if not parts.scheme or not host:
        return MARK
    shown = f"[{host}]" if ":" in host else host
    path = "/".join(MARK if _LIKE_A_TOKEN.fullmatch(each) else each for each in parts.path.split("/"))
    return f"{parts.scheme}://{shown}{f':{port}' if port else ''}{path}"


def fingerprint(public_key: str) -> str:
    """The SHA-256 fingerprint of a public key in OpenSSH's form, as `ssh-keygen -l` writes it; "" where it is none."""
    words = public_key.split()
    try:
        blob = base64.b64decode(words[1], validate=True)
    except (IndexError, binascii.Error):
        return ""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
