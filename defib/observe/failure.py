"""Why a look saw no page, in the words of a person."""

from __future__ import annotations

import errno
import ssl
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.x509.oid import NameOID

# Verification codes of OpenSSL (openssl-verification-options(1), x509_vfy.h).
_NOT_YET_VALID = 9
_EXPIRED = 10
_UNTRUSTED = {18, 19, 20, 21}
_WRONG_NAME = {62, 64}

MOST_WORDS = 200
"""How many characters of what a stranger's server says are worth reading, and safe to hand on."""

_UNREADABLE = (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)
"""What the parts of a certificate raise that cannot be parsed: they are parsed when they are asked for."""

_MOST_OF_A_NAME = 100
"""So that what is said about a name is not cut off behind it."""

_NO_ROOM_HERE = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL}

_SHORT = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "connection reset",
    errno.EPIPE: "connection reset",
    errno.EHOSTUNREACH: "host unreachable",
    errno.ENETUNREACH: "network unreachable",
    errno.ETIMEDOUT: "no answer to the connection attempt",
}


class NoAnswer(Exception):
    """The look ended without a page; its text is the reason."""


def seconds(duration: timedelta) -> str:
    """A short duration as people write it, such as ``0.8 s``."""
    total = duration.total_seconds()
    return f"{round(total, 1):g} s" if total >= 0.1 else f"{total:.2g} s"  # noqa: PLR2004  one decimal is enough


def plain(text: str, at_most: int = MOST_WORDS) -> str:
    """`text` as one short line that is safe on a terminal, on a command line and in a file.

    Part of it comes from servers, which may be hostile: control characters, line ends, surrogates and what changes the
    direction of writing become a question mark, and whatever is longer than `at_most` characters is cut.
    """
    cut = text if len(text) <= at_most else f"{text[: at_most - 1]}…"
    return "".join(character if character.isprintable() else "?" for character in cut)


def is_ours(error: BaseException) -> bool:
    """Whether this machine lacked a resource, so that nothing was learnt about the site."""
    return isinstance(error, OSError) and error.errno in _NO_ROOM_HERE


def connection_reason(error: Exception) -> str:
    """The reason for an error of a connection or of the TLS handshake, other than of the certificate."""
    if isinstance(error, NoAnswer):
        return str(error)
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return "TLS: connection closed during the handshake"
    if isinstance(error, ssl.SSLError):
        return f"TLS: handshake failed ({_words(error.reason or str(error))})"
    if isinstance(error, OSError):
        return _SHORT.get(error.errno or 0, _words(error.strerror or str(error) or "connection lost"))
    return f"not an HTTP answer: {error}"


def certificate_reason(error: ssl.SSLCertVerificationError, certificate: x509.Certificate | None, now: datetime) -> str:
    """The reason for a certificate that was turned down; `certificate` is what the server showed, where known."""
    try:
        found = None if certificate is None else _fault_of(certificate, error.verify_code, now)
    except _UNREADABLE:
        found = "certificate cannot be parsed"
    return f"TLS: {found or error.verify_message}"


def _fault_of(certificate: x509.Certificate, code: int, now: datetime) -> str | None:
    if code == _EXPIRED and certificate.not_valid_after_utc <= now:
        return f"certificate expired {_span(now - certificate.not_valid_after_utc)} ago"
    if code == _NOT_YET_VALID and certificate.not_valid_before_utc > now:
        return f"certificate not valid for another {_span(certificate.not_valid_before_utc - now)}"
    if code in _WRONG_NAME:
        return f"certificate is for {_names(certificate)}"
    if code in _UNTRUSTED:
        return f"certificate issued by {issuer_of(certificate)}, which is not trusted"
    return None


def _span(duration: timedelta) -> str:
    total = int(duration.total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if total >= size:
            return f"{total // size} {unit}"
    return f"{total} s"


def names_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """The names and addresses that a certificate is for; its common name counts for nothing (RFC 9525)."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (x509.ExtensionNotFound, *_UNREADABLE):
        return ()
    return tuple(plain(str(name.value)) for name in extension.value)


def _names(certificate: x509.Certificate) -> str:
    names = names_of(certificate)
    more = f" and {len(names) - 2} more" if len(names) > 2 else ""  # noqa: PLR2004  two fit on a line
    return (", ".join(names[:2]) or "no name") + more


def issuer_of(certificate: x509.Certificate) -> str:
    """Who signed a certificate, by its common name or else its organisation."""
    try:
        issuer = certificate.issuer
    except _UNREADABLE:
        return "somebody whose name cannot be parsed"
    for oid in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME):
        found = issuer.get_attributes_for_oid(oid)
        if found:
            return plain(str(found[0].value), _MOST_OF_A_NAME)
    return plain(issuer.rfc4514_string(), _MOST_OF_A_NAME) or "nobody"


def _words(text: str) -> str:
    return text.lower().replace("_", " ")
