"""What must never be written down is cut out here, before anything is journalled, logged, shown or sent.

Two kinds are cut: the values of the secrets that this process resolved, and text that looks like a credential wherever it
comes from (user and password in a URL, authorization headers, token parameters, AWS keys).
"""

from __future__ import annotations

import json
import re
from urllib.parse import quote, quote_plus, unquote

MARK = "[redacted]"

_PATTERNS = (
    (re.compile(r"(?<=://)[^/\s:@]*:[^/\s?#]+(?=@)"), MARK),
    (re.compile(r"(?<=://)[^/\s:@]{16,}(?=@)"), MARK),
    (
        re.compile(r"(?i)(authorization['\"]?\s*[:=]\s*['\"]?(?:bearer|basic|token)?\s*)[^\s'\",;]+"),
        rf"\1{MARK}",
    ),
    (re.compile(r"(?i)(\bbearer\s+)[\w.~+/-]{8,}=*"), rf"\1{MARK}"),
    (
        re.compile(
            r"(?i)((?:[\w-]*(?:secret|token|passw(?:or)?d|api[_-]?key|private[_-]?key|signature|credential)[\w-]*)"
            r"['\"]?\s*[=:]\s*['\"]?)(?!(?:env|file|aws-secret):)[^\s'\"&,;]{6,}"
        ),
        rf"\1{MARK}",
    ),
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"), MARK),
    (re.compile(r"\b(?:gh[pousr]_|glpat-|github_pat_|xox[abprs]-)[\w-]{10,}"), MARK),
    (
        re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
        MARK,
    ),
)

_SHORTEST = 6
"""Shorter secrets would cut ordinary words to pieces."""

_LIKE_A_TOKEN = re.compile(r"(?=.*\d).{8,}|.{20,}")
_ADDRESS = re.compile(r"(?=.*[.:])[0-9a-fA-F:.\[\]]+|[\w-]+(\.[\w-]+)+")


class Redactor:
    """Knows the secrets of this process and cuts them out of text."""

    def __init__(self) -> None:
        self._secrets: set[str] = set()

    def learn(self, secret: str) -> str:
        """Remember `secret`, and give it back, so that resolving and learning is one expression.

        Of a URL, as webhooks are, the parts that look like tokens are secrets too: errors often quote those alone.
        """
        for part in {secret, *_parts(secret)}:
            for form in {part, quote(part, safe=""), quote_plus(part), json.dumps(part)[1:-1], repr(part)[1:-1]}:
                if len(form) >= _SHORTEST:
                    self._secrets.add(form)
        return secret

    def __call__(self, text: str) -> str:
        """`text` without secrets."""
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, MARK)
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
        return text


def _parts(secret: str) -> set[str]:
    """The password of a URL, and whatever in its host, path and query looks like a token."""
    scheme, separator, rest = secret.partition("://")
    if not separator or not scheme.replace("+", "").isalnum():
        return set()
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    login, _, address = authority.rpartition("@")
    host = re.sub(r":\d+$", "", address)
    words = [word for word in re.split(r"[/?#&=]", rest[len(authority) :]) if word]
    words += login.split(":") if login else []
    words += [] if _ADDRESS.fullmatch(host) else [host]
    found = {word for word in words if _LIKE_A_TOKEN.fullmatch(word)}
    found |= {login.partition(":")[2]} - {""}
    return found | {unquote(word) for word in found}
